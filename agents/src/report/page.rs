//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::columns::{COLUMNS, Entry, decimals};
use super::figure;
use super::number::{best, fixed, grouped, short_name};
use super::palette::Palette;
use super::{Cell, Comparison, Example, Settings};

const STYLE: &str = include_str!("page.css");

/// The head of every page: it needs nothing else.
pub(crate) fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

/// A page with everything about a comparison, complete in itself. An example is shown in the cell of its market and lots; one without
/// such a cell is left out. The body is well-formed XML.
pub fn comparison_html(comparison: &Comparison, examples: &[Example]) -> String {
    let settings = &comparison.settings;
    let names = comparison.cells.iter().flat_map(|cell| {
        let paired = cell.paired.iter().map(|pair| &pair.name);
        cell.strategies.iter().map(|strategy| &strategy.name).chain(paired)
    });
    let others = examples.iter().map(|example| &example.strategy);
    let palette = Palette::new(names.chain(others).map(String::as_str));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head("Execution strategies compared"))
            body {
                (figure::hatching())
                header {
                    h1 { "Execution strategies compared" }
                    p { (summary(comparison)) }
                    p.guide {
                        "Rewards are ticks per lot against the best price at arrival, higher is better; costs are ticks per lot \
                         against the mid at arrival, positive is paid; all strategies meet the same random sessions, so trust the \
                         paired differences before the means."
                    }
                }
                @if settings.interrupted {
                    p.warning { strong { "Interrupted." } " This is what was finished; cells or episodes are missing." }
                }
                main {
                    @if comparison.cells.is_empty() { p { "No cell was finished." } }
                    @if comparison.cells.len() > 1 { (overview(&comparison.cells, &palette)) }
                    @for (index, cell) in comparison.cells.iter().enumerate() {
                        (section(index, cell, examples, &palette))
                    }
                    (definitions())
                    (provenance(settings, comparison.seconds))
                }
            }
        }
    };
    page.into_string()
}

/// Longer names are shortened.
const LONGEST_NAME: usize = 20;

fn summary(comparison: &Comparison) -> String {
    let settings = &comparison.settings;
    let strategies = settings.strategies.len();
    let cells = comparison.cells.len();
    format!(
        "{strategies} {} in {cells} {}, {} episodes each: {} orders with {} s to trade.",
        if strategies == 1 { "strategy" } else { "strategies" },
        if cells == 1 { "market setting" } else { "market settings" },
        grouped(settings.episodes as u64),
        settings.side,
        settings.horizon_seconds,
    )
}

fn title(cell: &Cell) -> String {
    format!("{}, {} {}", cell.market, cell.lots, if cell.lots == 1 { "lot" } else { "lots" })
}

fn swatch(name: &str, palette: &Palette) -> Markup {
    let short = short_name(name, LONGEST_NAME);
    html! {
        span class={ "swatch " (palette.class(name)) } {}
        @if short == name { (name) } @else { span title=(name) { (short) } }
    }
}

/// Mean rewards, a row a cell and a column a strategy.
fn overview(cells: &[Cell], palette: &Palette) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for strategy in cells.iter().flat_map(|cell| &cell.strategies) {
        if !names.contains(&strategy.name.as_str()) {
            names.push(&strategy.name);
        }
    }
    html! {
        section #overview {
            h2 { "Mean reward in every cell" }
            div.wide { table {
                thead { tr {
                    th.text scope="col" { "market" }
                    @for name in &names { th scope="col" { (swatch(name, palette)) } }
                } }
                tbody {
                    @for (index, cell) in cells.iter().enumerate() {
                        @let winner = winner(cell);
                        tr {
                            th.text scope="row" { a href={ "#cell-" (index + 1) } { (title(cell)) } }
                            @for name in &names {
                                @match cell.strategies.iter().position(|strategy| strategy.name == *name) {
                                    Some(at) => {
                                        @let strategy = &cell.strategies[at];
                                        @let decimals = decimals(cell);
                                        (number(&Entry {
                                            value: fixed(strategy.reward_mean, decimals),
                                            error: Some(fixed(strategy.reward_se, decimals)),
                                        }, winner == Some(at)))
                                    }
                                    None => td {},
                                }
                            }
                        }
                    }
                }
            } }
            p.note { "Ticks per lot \u{b1} standard error; the best of each row is marked." }
        }
    }
}

fn winner(cell: &Cell) -> Option<usize> {
    best(cell.strategies.iter().map(|strategy| strategy.reward_mean))
}

fn number(entry: &Entry, best: bool) -> Markup {
    html! {
        td class=[best.then_some("best")] {
            (entry.value)
            @if let Some(error) = &entry.error { span.error { "\u{2009}\u{b1}\u{2009}" (error) } }
        }
    }
}

fn section(index: usize, cell: &Cell, examples: &[Example], palette: &Palette) -> Markup {
    let decimals = decimals(cell);
    let opponents = opponents(cell);
    let examples =
        examples.iter().filter(|example| example.market == cell.market && example.lots == cell.lots);
    html! {
        section id={ "cell-" (index + 1) } {
            h2 { (title(cell)) }
            @if cell.strategies.is_empty() { p { "No strategy was finished." } } @else {
                (results(cell, palette))
                div.figures {
                    @if !cell.paired.is_empty() {
                        figure {
                            figcaption {
                                strong { "Paired differences to " (opponents) "." }
                                " Mean reward on the same sessions, with 95% confidence intervals; right of zero is better, filled \
                                 if the interval excludes zero."
                            }
                            (figure::forest(&cell.paired, palette, decimals, "difference in mean reward, ticks per lot", &[]))
                        }
                    }
                    figure {
                        figcaption {
                            strong { "Distribution of the reward." }
                            " Line: mean; darker: the worst 5%. Each to its own height; the outermost 0.1% on either side may lie \
                             beyond the axis."
                        }
                        (figure::ridge(&ridges(cell), palette, "reward of an episode, ticks per lot"))
                    }
                    figure {
                        figcaption {
                            strong { "Where the shortfall comes from." }
                            " Right of zero is paid, left is earned; the diamond is their sum."
                        }
                        (figure::bars(&cell.strategies, palette, decimals))
                    }
                    @for example in examples {
                        figure {
                            figcaption {
                                strong { "One episode of " (swatch(&example.strategy, palette)) "." }
                                " The session with seed " (example.seed) ": best prices, the strategy's fills, and what it had left."
                            }
                            (figure::episode(example, palette))
                        }
                    }
                }
            }
        }
    }
}

fn ridges(cell: &Cell) -> Vec<figure::Ridge<'_>> {
    cell.strategies.iter().map(figure::Ridge::from).collect()
}

fn opponents(cell: &Cell) -> String {
    let mut names: Vec<&str> = cell.paired.iter().map(|pair| pair.against.as_str()).collect();
    names.dedup();
    names.join(", ")
}

fn results(cell: &Cell, palette: &Palette) -> Markup {
    let (decimals, winner) = (decimals(cell), winner(cell));
    html! {
        div.wide { table {
            thead { tr {
                th.text scope="col" { "strategy" }
                @for column in &COLUMNS {
                    th scope="col" title=(column.definition) { (column.name) span.unit { (column.unit) } }
                }
            } }
            tbody {
                @for (index, strategy) in cell.strategies.iter().enumerate() {
                    tr {
                        th.text scope="row" title=(strategy.name) { (swatch(&strategy.name, palette)) }
                        @for column in &COLUMNS {
                            (number(&column.entry(strategy, decimals, fixed), column.name == "reward" && winner == Some(index)))
                        }
                    }
                }
            }
        } }
    }
}

fn definitions() -> Markup {
    html! {
        section #definitions {
            h2 { "What the columns mean" }
            dl {
                @for column in &COLUMNS {
                    dt { (column.name) @if !column.unit.is_empty() { span.unit { ", " (column.unit) } } }
                    dd { (column.definition) }
                }
                dt { "paired difference" }
                dd {
                    "Mean over the sessions of the strategy's reward less the other's in the same session, with a 95% confidence \
                     interval. What both met alike drops out, so that it is much sharper than the difference of two means."
                }
            }
            p {
                "For a sale, shortfall = spread + impact + timing + fees holds exactly, fill by fill: (m(t) \u{2212} touch) + (m*(t) \
                 \u{2212} m(t) + touch \u{2212} price) + (m(0) \u{2212} m*(t)) = m(0) \u{2212} price. For a purchase all signs are mirrored."
            }
        }
    }
}

fn provenance(settings: &Settings, seconds: f64) -> Markup {
    let rows = [
        ("side", settings.side.clone()),
        ("strategies", settings.strategies.join(", ")),
        ("episodes a cell", grouped(settings.episodes as u64)),
        ("first seed", settings.seed.to_string()),
        ("horizon", format!("{} s", settings.horizon_seconds)),
        ("decisions every", format!("{} s", settings.step_seconds)),
        ("order flow", settings.flow_file.clone().unwrap_or_else(|| "built in".to_owned())),
        ("fees", settings.fees.clone()),
        ("latency", settings.latency.clone()),
        ("threads", settings.threads.to_string()),
        ("time taken", format!("{} s", fixed(seconds, 1))),
        ("version", settings.version.clone()),
    ];
    html! {
        section #settings {
            h2 { "How this was made" }
            pre { code { (settings.command) } }
            dl.settings { @for (name, value) in &rows { dt { (name) } dd { (value) } } }
        }
    }
}
