//! The page of a backtest.

use std::ops::Range;

use gym::prices::Stamp;
use maud::{DOCTYPE, Markup, html};

use super::Paired;
use super::figure::{self, Curve};
use super::number::{MISSING, best, fixed};
use super::page::head;
use super::palette::Palette;
use crate::backtest::{Metrics, Outcome, PairedGrowth, Parts, Track};

/// What the page is about.
#[derive(Clone, Debug)]
pub struct BacktestPage<'a> {
    /// A strategy each.
    pub outcomes: &'a [Outcome],
    /// Differences in growth over the same periods.
    pub paired: &'a [PairedGrowth],
    /// The parts of the time.
    pub parts: &'a Parts,
    /// How many assets.
    pub assets: usize,
    /// When each row of the prices is, where that is known.
    pub stamps: Option<&'a [Stamp]>,
    /// What it was made with: names and values.
    pub settings: Vec<(String, String)>,
}

/// The time axes: periods, which are named by their stamps where there are any.
fn across(page: &BacktestPage<'_>) -> figure::Across {
    let title = if page.stamps.is_some() { "date" } else { "period" };
    let names = page.stamps.map_or(Vec::new(), |stamps| calendar(stamps, &page.parts.test));
    figure::Across { title, unit: 1.0, from_zero: false, names }
}

/// At most about this many dates fit below a figure.
const DATES: usize = 7;

/// The first periods of years, or of months, or of days, as many as fit, with their names; stamps that are numbers are named at even
/// intervals.
fn calendar(stamps: &[Stamp], test: &Range<usize>) -> Vec<(f64, String)> {
    let rows = test.start..(test.end + 1).min(stamps.len());
    let texts: Vec<(usize, String)> = rows.map(|row| (row, stamps[row].to_string())).collect();
    if let Some(Stamp::Time(_)) = stamps.first() {
        // A year, a month and a day are the first 4, 7 and 10 characters of a stamp.
        for length in [10, 7, 4] {
            let begins = texts.windows(2).filter(|pair| pair[0].1[..length] != pair[1].1[..length]);
            let begins: Vec<(f64, String)> =
                begins.map(|pair| (pair[1].0 as f64, pair[1].1[..length].to_owned())).collect();
            if (2..=DATES).contains(&begins.len()) || (length == 4 && begins.len() > DATES) {
                return begins.iter().step_by(begins.len().div_ceil(DATES)).cloned().collect();
            }
        }
    }
    let short = |text: String| text.chars().take(16).collect();
    let step = texts.len().div_ceil(4).max(1);
    texts.into_iter().step_by(step).map(|(row, text)| (row as f64, short(text))).collect()
}

type Of = (&'static str, &'static str, fn(&Metrics) -> Option<f64>, usize);

/// Columns: name, unit, value and decimals.
const COLUMNS: [Of; 9] = [
    ("growth", "% a year", |m| Some(100.0 * m.growth), 2),
    ("total return", "%", |m| Some(100.0 * m.total_return), 2),
    ("volatility", "%", |m| Some(100.0 * m.volatility), 2),
    ("Sharpe", "", |m| m.sharpe, 2),
    ("Sortino", "", |m| m.sortino, 2),
    ("drawdown", "%", |m| Some(100.0 * m.max_drawdown), 2),
    ("turnover", "a year", |m| Some(m.turnover), 2),
    ("fees", "% a year", |m| Some(100.0 * m.fees), 3),
    ("impact", "% a year", |m| Some(100.0 * m.impact), 3),
];

/// A page with everything about a backtest, complete in itself. The body is well-formed XML.
pub fn backtest_html(page: &BacktestPage<'_>) -> String {
    let palette = Palette::new(page.outcomes.iter().map(|outcome| outcome.name.as_str()));
    let title = "Portfolios backtested";
    let Parts { train, validation, test } = page.parts;
    let winner = best(page.outcomes.iter().map(|outcome| outcome.metrics.growth));
    let paired: Vec<Paired> = (page.paired.iter())
        .map(|pair| Paired {
            name: pair.name.clone(),
            against: pair.against.clone(),
            difference: 100.0 * pair.difference,
            ci95: pair.ci95.map(|end| 100.0 * end),
        })
        .collect();
    let markup = html! {
            (DOCTYPE)
            html lang="en" {
                (head(title))
                body {
                    header {
                        h1 { (title) }
                        p {
                            (page.outcomes.len()) " strategies, " (page.assets) " assets: " (train.len()) " periods of history, "
                            (validation.len()) " of validation, " (test.len()) " of test, which is what is shown"
                            @if let Some([from, to]) = span(page.stamps, test) { ": " (from) " to " (to) }
                            "."
                        }
                        p.guide { "Everything is after costs. One history is one draw: trust the paired differences, and their intervals." }
                    }
                    main {
                        section #strategies {
                            h2 { "Strategies" }
                            (results(page.outcomes, &palette, winner))
                            div.figures {
                                @if let Some(first) = paired.first() {
                                    figure {
                                        figcaption {
                                            strong { "Paired differences to " (first.against) "." }
                                            " Growth over the same periods, with 95% confidence intervals; right of zero is better."
                                        }
                                        (figure::forest(&paired, &palette, 2, "difference in growth, % a year", &[]))
                                    }
                                }
                                (plot("Equity", "Net asset value, a multiple of the start.", page, &palette, "equity", equity))
                                (plot("Drawdown", "Loss since the maximum before.", page, &palette, "drawdown, %", drawdown))
                                (plot("Fees", "Paid so far, sum of shares of the net asset value.", page, &palette, "fees, %",
                                      |track| so_far(track, &track.fees)))
                                @if page.outcomes.iter().any(|outcome| outcome.metrics.impact != 0.0) {
    (plot("Impact", "Paid so far, sum of shares of the net asset value.", page, &palette, "impact, %",
                                      |track| so_far(track, &track.impact)))
    }
                            }
                        }
                        section #weights {
                            h2 { "Weights" }
                            (weights(page))
                        }
                        @if page.outcomes.iter().any(|outcome| outcome.choices.iter().any(|choice| choice.growth.is_some())) {
                            section #choices {
                                h2 { "Parameters chosen" }
                                (choices(page))
                            }
                        }
                        section #provenance {
                            h2 { "How it was made" }
                            dl { @for (name, value) in &page.settings { dt { (name) } dd { (value) } } }
                        }
                    }
                }
            }
        };
    markup.into_string()
}

/// When some periods begin and end.
fn span(stamps: Option<&[Stamp]>, periods: &Range<usize>) -> Option<[Stamp; 2]> {
    let stamps = stamps?;
    Some([*stamps.get(periods.start)?, *stamps.get(periods.end)?])
}

fn results(outcomes: &[Outcome], palette: &Palette, winner: Option<usize>) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th.text scope="col" { "strategy" }
                @for (name, unit, _, _) in &COLUMNS { th scope="col" { (name) span.unit { (unit) } } }
            } }
            tbody { @for (index, outcome) in outcomes.iter().enumerate() { tr {
                th.text scope="row" { span class={ "swatch " (palette.class(&outcome.name)) } {} (outcome.name) }
                @for (name, _, of, digits) in &COLUMNS {
                    td class=[(*name == "growth" && winner == Some(index)).then_some("best")] {
                        (of(&outcome.metrics).map_or_else(|| MISSING.to_owned(), |value| fixed(value, *digits)))
                    }
                }
            } } }
        } }
    }
}

fn equity(track: &Track) -> Vec<(f64, f64)> {
    let start = track.nav.first().copied().unwrap_or(1.0);
    over(track, track.nav.iter().map(|nav| nav / start))
}

fn drawdown(track: &Track) -> Vec<(f64, f64)> {
    let mut peak = 0.0_f64;
    let values = track.nav.iter().map(|&nav| {
        peak = peak.max(nav);
        100.0 * (nav / peak - 1.0)
    });
    over(track, values)
}

fn so_far(track: &Track, shares: &[f64]) -> Vec<(f64, f64)> {
    let mut sum = 0.0;
    let values = shares.iter().map(|share| {
        sum += 100.0 * share;
        sum
    });
    over(track, values)
}

fn over(track: &Track, values: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    values.enumerate().map(|(index, value)| ((track.first + index) as f64, value)).collect()
}

fn plot(
    name: &str,
    definition: &str,
    page: &BacktestPage<'_>,
    palette: &Palette,
    title: &str,
    of: impl Fn(&Track) -> Vec<(f64, f64)>,
) -> Markup {
    let curves =
        page.outcomes.iter().map(|outcome| Curve { name: &outcome.name, points: of(&outcome.track) });
    let lines: Vec<Curve<'_>> = curves.collect();
    html! {
        figure {
            figcaption { strong { (name) ". " } (definition) }
            (figure::curves(&lines, palette, title, &across(page)))
        }
    }
}

/// A figure a strategy, a line an asset.
fn weights(page: &BacktestPage<'_>) -> Markup {
    let columns = |track: &Track| track.weights.len() / track.log_returns.len().max(1);
    let most = page.outcomes.iter().map(|outcome| columns(&outcome.track)).max().unwrap_or(0);
    let names: Vec<String> = (0..most)
        .map(|index| if index < page.assets { format!("asset {index}") } else { "cash".to_owned() })
        .collect();
    let palette = Palette::new(names.iter().map(String::as_str));
    let lines = |track: &Track| -> Vec<Curve<'_>> {
        let count = columns(track);
        let of = |column: usize| over(track, track.weights.iter().copied().skip(column).step_by(count));
        (0..count).map(|column| Curve { name: &names[column], points: of(column) }).collect()
    };
    html! {
        p { @for name in &names { span class={ "swatch " (palette.class(name)) } {} (name) "\u{2003}" } }
        div.figures { @for outcome in page.outcomes {
            figure {
                figcaption { strong { (outcome.name) "." } " Held after trading, shares of the net asset value." }
                (figure::curves(&lines(&outcome.track), &palette, "weight",
                                &across(page)))
            }
        } }
    }
}

fn choices(page: &BacktestPage<'_>) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { "from period" } th.text scope="col" { "strategy" }
                th scope="col" { "growth it was chosen by" span.unit { "% a year" } }
            } }
            tbody { @for choice in page.outcomes.iter().flat_map(|outcome| &outcome.choices) {
                @if let Some(growth) = choice.growth { tr {
                    td {
                        (choice.period)
                        @if let Some(at) = page.stamps.and_then(|stamps| stamps.get(choice.period)) { " (" (at) ")" }
                    }
                    th.text scope="row" { (choice.strategy) }
                    td { (fixed(100.0 * growth, 2)) }
                } }
            } }
        } }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    fn names(stamps: &[Stamp]) -> Vec<String> {
        calendar(stamps, &(0..stamps.len() - 1)).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn dates_below_a_figure_are_the_coarsest_beginnings_that_fit() {
        let day = |days: i128| Stamp::Time((19_000 + days) * 86_400_000_000_000);
        // 19,000 days after 1970 is 2022-01-08.
        let of = |days: i128, step: usize| -> Vec<Stamp> { (0..days).step_by(step).map(day).collect() };
        assert_eq!(names(&of(5, 1)), ["2022-01-09", "2022-01-10", "2022-01-11", "2022-01-12"]);
        assert_eq!(names(&of(100, 1)), ["2022-02", "2022-03", "2022-04"]);
        assert_eq!(names(&of(1_500, 1)), ["2023", "2024", "2025", "2026"]);
        assert!(names(&of(20_000, 7)).len() <= DATES);
        let numbers: Vec<Stamp> = (0..100).map(|k| Stamp::Number(f64::from(k) / 2.0)).collect();
        assert_eq!(names(&numbers), ["0", "12.5", "25", "37.5"]);
        let hours: Vec<Stamp> =
            (0..9).map(|hour| Stamp::Time((19_000 * 24 + hour) * 3_600_000_000_000)).collect();
        assert_eq!(names(&hours)[1], "2022-01-08T03:00");
    }
}
