//! tmp
#![allow(missing_docs)]
pub mod model;

pub fn comparison_html(_: &model::Comparison, _: &[model::Example]) -> String {
    String::new()
}
pub fn terminal_table(c: &model::Comparison) -> String {
    let mut s = String::new();
    for cell in &c.cells {
        s += &format!("{} {}\n", cell.market, cell.lots);
        for x in &cell.strategies {
            s += &format!(
                "{:14} {:8.3} +- {:.3} std {:.3} | is {:.3} ({:.1} bps) spread {:.3} impact {:.3} timing {:.3} | passive {:.2} agg {:.2} compl {:.1} part {:.3}\n",
                x.name,
                x.reward_mean,
                x.reward_se,
                x.reward_std,
                x.shortfall_ticks,
                x.shortfall_bps,
                x.spread_ticks,
                x.impact_ticks,
                x.timing_ticks,
                x.fill_rate_passive,
                x.fill_rate_aggressive,
                x.completion_seconds,
                x.participation
            );
        }
    }
    s += &format!("{:.2} s\n", c.seconds);
    s
}
