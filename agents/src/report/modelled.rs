//! The page of an evaluation in the model without a book.

use maud::{DOCTYPE, html};

use super::Paired;
use super::figure::{self, Ridge};
use super::number::{MISSING, best, decimals, fixed, grouped};
use super::page::head;
use super::palette::Palette;
use crate::evaluation::{ModelSummary, PairedPolicies};

/// What the page is about.
#[derive(Clone, Debug)]
pub struct ModelPage<'a> {
    /// A policy each.
    pub policies: &'a [ModelSummary],
    /// Differences on the same sessions.
    pub paired: &'a [PairedPolicies],
    /// What it was made with: names and values.
    pub settings: Vec<(String, String)>,
    /// Sessions are missing.
    pub interrupted: bool,
}

type Of = (&'static str, fn(&ModelSummary) -> Option<f64>, Option<usize>);

/// Columns with their decimals; `None`: as many as the standard errors allow.
const COLUMNS: [Of; 9] = [
    ("reward", |p| Some(p.reward_mean), None),
    ("std", |p| Some(p.reward_std), None),
    ("s.e.", |p| Some(p.reward_se), None),
    ("P&L", |p| Some(p.pnl_mean), Some(2)),
    ("P&L std", |p| Some(p.pnl_std), Some(2)),
    ("P&L worst 5%", |p| Some(p.pnl_cvar95), Some(2)),
    ("Sharpe", |p| p.sharpe, Some(2)),
    ("inventory", |p| Some(p.inventory_mean), Some(2)),
    ("|inventory|", |p| Some(p.inventory_abs_mean), Some(2)),
];

/// A page with everything about an evaluation in the model, complete in itself. The body is well-formed XML.
pub fn model_html(page: &ModelPage<'_>) -> String {
    let palette = Palette::new(page.policies.iter().map(|policy| policy.name.as_str()));
    let errors = decimals(page.policies.iter().map(|policy| policy.reward_se));
    let winner = best(page.policies.iter().map(|policy| policy.reward_mean));
    let episodes = page.policies.first().map_or(0, |policy| policy.episodes);
    let ridges: Vec<Ridge<'_>> = (page.policies.iter())
        .map(|policy| Ridge {
            name: &policy.name,
            label: policy.name.clone(),
            values: &policy.rewards,
            mean: policy.reward_mean,
        })
        .collect();
    let paired: Vec<Paired> = (page.paired.iter())
        .map(|pair| Paired {
            name: pair.name.clone(),
            against: pair.against.clone(),
            difference: pair.difference,
            ci95: pair.ci95,
        })
        .collect();
    let entry = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| MISSING.to_owned(), |value| fixed(value, decimals))
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head("Market making in a model evaluated"))
            body {
                header {
                    h1 { "Market making in a model evaluated" }
                    p { (page.policies.len()) " policies, " (grouped(episodes as u64)) " sessions, the same for all." }
                    p.guide { "Money is ticks \u{d7} lots, inventory lots. Trust the paired differences before the means." }
                }
                @if page.interrupted {
                    p.warning { strong { "Interrupted." } " This is what was finished; sessions are missing." }
                }
                main {
                    section #policies {
                        h2 { "Policies" }
                        div.wide { table {
                            thead { tr {
                                th.text scope="col" { "policy" }
                                @for (name, _, _) in &COLUMNS { th scope="col" { (name) } }
                            } }
                            tbody { @for (index, policy) in page.policies.iter().enumerate() { tr {
                                th.text scope="row" title=(policy.description) { (policy.name) }
                                @for (name, of, digits) in &COLUMNS {
                                    td class=[(*name == "reward" && winner == Some(index)).then_some("best")] {
                                        (entry(of(policy), digits.unwrap_or(errors)))
                                    }
                                }
                            } } }
                        } }
                        div.figures {
                            @if let Some(first) = paired.first() {
                                figure {
                                    figcaption {
                                        strong { "Paired differences to " (first.against) "." }
                                        " Mean reward on the same sessions, with 95% confidence intervals; right of zero is better."
                                    }
                                    (figure::forest(&paired, &palette, errors, "difference in mean reward", &[]))
                                }
                            }
                            figure {
                                figcaption {
                                    strong { "Distribution of the reward." }
                                    " Line: mean; darker: the worst 5%. Each to its own height."
                                }
                                (figure::ridge(&ridges, &palette, "reward of an episode"))
                            }
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
    page.into_string()
}
