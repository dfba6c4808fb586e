//! The page of an evaluation of market making.

use maud::{DOCTYPE, Markup, html};

use super::Paired;
use super::figure::{self, Point, Ridge};
use super::number::{MISSING, best, decimals, fixed, grouped, signed};
use super::page::head;
use super::palette::Palette;
use super::training::{RunLog, learning_curves};
use crate::evaluation::{Evaluation, Summary, Tape};

/// Policies with a colour and a row in the figures of their own.
const SHOWN: usize = 10;
/// Columns of the first table.
const FIRST: usize = 14;
/// Rows of the table.
const ROWS: usize = 60;

/// What the page is about.
#[derive(Clone, Debug)]
pub struct EvaluationPage<'a> {
    /// The figures.
    pub found: &'a Evaluation,
    /// A session to draw, and the policy that decided in it.
    pub example: Option<(&'a str, &'a Tape)>,
    /// The trainings of the policies that were trained.
    pub training: &'a [RunLog],
    /// What it was made with: names and values.
    pub settings: Vec<(String, String)>,
    /// Length of an episode, s.
    pub episode_seconds: f64,
}

/// A number of a policy: a column of the table.
struct Column {
    name: &'static str,
    unit: &'static str,
    definition: &'static str,
    value: fn(&Summary) -> Option<f64>,
    /// `None`: as many as the standard errors allow.
    decimals: Option<usize>,
}

/// The first [`FIRST`] of them are in the first table, the others, about the trading, in the second.
const COLUMNS: [Column; 22] = [
    column("reward", "", "Mean of the episodes' sums of rewards.", |p| Some(p.reward_mean), None),
    column("s.e.", "", "Standard error of the mean reward.", |p| Some(p.reward_se), None),
    column(
        "P&L",
        "money",
        "Mean profit of an episode: cash + inventory x mid, after the liquidation and fees.",
        |p| Some(p.pnl_mean),
        Some(1),
    ),
    column(
        "std",
        "money",
        "Standard deviation of the profit over the episodes.",
        |p| Some(p.pnl_std),
        Some(1),
    ),
    column(
        "Sharpe",
        "",
        "Mean over standard deviation of the profit of whole episodes; not annualised.",
        |p| p.sharpe,
        Some(2),
    ),
    column(
        "annualised",
        "",
        "The same x the root of the episodes in a year, as if independent episodes followed one another through 252 days of 6.5 hours.",
        |p| p.sharpe_annualised,
        Some(0),
    ),
    column("cvar95", "money", "Mean of the worst 5% of profits.", |p| Some(p.pnl_cvar95), Some(1)),
    column(
        "drawdown",
        "money",
        "Mean over the episodes of the greatest loss from a maximum of the profit before.",
        |p| Some(p.max_drawdown),
        Some(1),
    ),
    column(
        "net5",
        "",
        "Spread capture: lot-weighted mean of the distance of a fill's price from the mid 5 s later over the half-spread just before the fill. The distance from the mid of all best prices at the fill itself is the half-spread or more by construction and says nothing.",
        |p| p.spread_capture,
        Some(2),
    ),
    column(
        "P&L / half",
        "",
        "Profit over lots x half-spread at the fills.",
        |p| p.pnl_over_half_spread,
        Some(2),
    ),
    column("inventory", "lots", "Mean inventory at the decisions.", |p| Some(p.inventory_mean), Some(2)),
    column("|inventory|", "lots", "Mean size of the inventory.", |p| Some(p.inventory_abs_mean), Some(2)),
    column(
        "half-life",
        "s",
        "\u{2212}ln 2 / ln of the inventory's autocorrelation from one decision to the next.",
        |p| p.inventory_half_life_s,
        Some(1),
    ),
    column("fills", "", "Fills of quotes an episode.", |p| Some(p.fills), Some(1)),
    column("lots", "", "Lots they traded.", |p| Some(p.lots_filled), Some(1)),
    column("fill ratio", "", "Lots filled over lots asked for at the decisions.", |p| p.fill_ratio, Some(4)),
    column("two-sided", "", "Share of the decisions that quoted both sides.", |p| p.two_sided_share, Some(2)),
    column(
        "quoted",
        "ticks",
        "Mean of own ask \u{2212} own bid where both sides were quoted.",
        |p| p.quoted_spread,
        Some(2),
    ),
    column(
        "captured",
        "ticks",
        "Twice the lot-weighted distance of the fills from the mid just before.",
        |p| p.captured_spread,
        Some(2),
    ),
    column(
        "adverse 1 s",
        "ticks",
        "Lot-weighted move of the mid against the fills within 1 s.",
        |p| p.adverse_selection_1s,
        Some(2),
    ),
    column("5 s", "ticks", "The same within 5 s.", |p| p.adverse_selection_5s, Some(2)),
    column("30 s", "ticks", "The same within 30 s.", |p| p.adverse_selection_30s, Some(2)),
];

const fn column(
    name: &'static str,
    unit: &'static str,
    definition: &'static str,
    value: fn(&Summary) -> Option<f64>,
    decimals: Option<usize>,
) -> Column {
    Column { name, unit, definition, value, decimals }
}

/// A page with everything about an evaluation, complete in itself: a table, the policies in the plane of risk and profit, distributions, paired
/// differences, the profit's parts and an episode. The body is well-formed XML.
pub fn evaluation_html(page: &EvaluationPage<'_>) -> String {
    let found = page.found;
    let shown: Vec<&Summary> = found.policies.iter().take(SHOWN).collect();
    let example = page.example.map(|(name, _)| name);
    let palette = Palette::new(shown.iter().map(|policy| policy.name.as_str()).chain(example));
    let labels: Vec<String> =
        shown.iter().zip(1..).map(|(policy, number)| format!("{number} {}", policy.name)).collect();
    let episodes = found.policies.first().map_or(0, |policy| policy.episodes);
    let errors = decimals(found.policies.iter().map(|policy| policy.reward_se));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head("Market making evaluated"))
            body {
                (figure::hatching())
                header {
                    h1 { "Market making evaluated" }
                    p {
                        (found.policies.len()) " policies, " (grouped(episodes as u64)) " sessions of "
                        (page.episode_seconds) " s each, the same for all."
                    }
                    p.guide {
                        "Money is ticks \u{d7} lots at the environment's defaults. All policies meet the same random sessions, so trust the \
                         paired differences before the means."
                    }
                }
                @if found.interrupted {
                    p.warning { strong { "Interrupted." } " This is what was finished; sessions are missing." }
                }
                main {
                    section #policies {
                        h2 { "Policies" }
                        (results(&found.policies, &COLUMNS[..FIRST], errors))
                        div.figures {
                            (figures(page, &shown, &labels, &palette, errors))
                        }
                    }
                    section #parts {
                        h2 { "Where the profit comes from" }
                        (parts(&shown))
                    }
                    section #trading {
                        h2 { "How they traded" }
                        (results(&found.policies, &COLUMNS[FIRST..], errors))
                    }
                    @if !page.training.is_empty() {
                        section #training {
                            h2 { "How it was trained" }
                            (learning_curves(page.training, &palette))
                        }
                    }
                    section #definitions {
                        h2 { "What the columns mean" }
                        dl { @for column in &COLUMNS {
                            dt { (column.name) @if !column.unit.is_empty() { span.unit { ", " (column.unit) } } }
                            dd { (column.definition) }
                        } }
                    }
                    section #provenance {
                        h2 { "How it was made" }
                        dl { @for (name, value) in &page.settings { dt { (name) } dd { (value) } } }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn results(policies: &[Summary], columns: &[Column], errors: usize) -> Markup {
    let winner = best(policies.iter().map(|policy| policy.reward_mean));
    html! {
        div.wide { table {
            thead { tr {
                th.text scope="col" { "policy" }
                @for column in columns {
                    th scope="col" title=(column.definition) { (column.name) span.unit { (column.unit) } }
                }
            } }
            tbody {
                @for (index, policy) in policies.iter().take(ROWS).enumerate() {
                    tr {
                        th.text scope="row" title=(policy.description) { (index + 1) "\u{2002}" (policy.name) }
                        @for column in columns {
                            td class=[(column.name == "reward" && winner == Some(index)).then_some("best")] {
                                (entry((column.value)(policy), column.decimals.unwrap_or(errors)))
                            }
                        }
                    }
                }
            }
        } }
        @if policies.len() > ROWS {
            p.note { "The first " (ROWS) " of " (policies.len()) " policies; the JSON has all." }
        }
    }
}

fn entry(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| fixed(value, decimals))
}

fn figures(
    page: &EvaluationPage<'_>,
    shown: &[&Summary],
    labels: &[String],
    palette: &Palette,
    errors: usize,
) -> Markup {
    let found = page.found;
    let points: Vec<Point<'_>> = found
        .policies
        .iter()
        .enumerate()
        .map(|(index, policy)| Point {
            name: &policy.name,
            label: (index < SHOWN).then(|| (index + 1).to_string()),
            deviation: policy.pnl_std,
            mean: policy.pnl_mean,
        })
        .collect();
    let ridges: Vec<Ridge<'_>> = shown
        .iter()
        .zip(labels)
        .map(|(policy, label)| Ridge {
            name: &policy.name,
            label: label.clone(),
            values: &policy.profits,
            mean: policy.pnl_mean,
        })
        .collect();
    let (paired, beside): (Vec<Paired>, Vec<String>) = shown
        .iter()
        .zip(labels)
        .filter_map(|(policy, label)| {
            let pair = found.paired.iter().find(|pair| pair.name == policy.name)?;
            let (name, against) = (pair.name.clone(), pair.against.clone());
            Some((Paired { name, against, difference: pair.difference, ci95: pair.ci95 }, label.clone()))
        })
        .unzip();
    html! {
        figure {
            figcaption {
                strong { "Profit against risk." }
                " Each point is a policy, numbered as in the table. The line is the efficient frontier: the policies that no other beats in \
                 both mean and deviation."
            }
            (figure::frontier(&points, palette))
        }
        @if let Some(first) = paired.first() {
            figure {
                figcaption {
                    strong { "Paired differences to " (first.against) "." }
                    " Mean reward on the same sessions, with 95% confidence intervals; right of zero is better, filled if the interval \
                     excludes zero."
                }
                (figure::forest(&paired, palette, errors, "difference in mean reward", &beside))
            }
        }
        figure {
            figcaption {
                strong { "Distribution of the P&L." }
                " Line: mean; darker: the worst 5%. Each to its own height; the outermost 0.1% on either side may lie beyond the axis."
            }
            (figure::ridge(&ridges, palette, "P&L of an episode, money"))
        }
        figure {
            figcaption { strong { "Distribution of the inventory." } " Share of the decisions, each to its own height; line: mean." }
            (figure::held(shown, labels, palette))
        }
        @if let Some((name, tape)) = page.example {
            figure {
                figcaption {
                    strong { "One episode of " (name) "." }
                    " The first session: others' best prices and the policy's fills, its inventory and its profit."
                }
                (figure::making(name, tape, palette))
            }
        }
    }
}

/// The profit's parts.
fn parts(shown: &[&Summary]) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th.text scope="col" { "policy" }
                @for name in ["P&L", "spread", "inventory", "liquidation", "fees"] { th scope="col" { (name) } }
            } }
            tbody {
                @for (index, policy) in shown.iter().enumerate() {
                    tr {
                        th.text scope="row" { (index + 1) "\u{2002}" (policy.name) }
                        @for part in
                            [policy.pnl_mean, policy.pnl_spread, policy.pnl_inventory, policy.pnl_liquidation, policy.pnl_fees]
                        { td { (signed(part, 2)) } }
                    }
                }
            }
        } }
        p.note {
            "Money an episode. Spread: fills of quotes against the mid just before each; inventory: moves of the mid while lots were held, \
             which is where adverse selection shows; liquidation: market orders against the mid. They add up to the P&L."
        }
    }
}
