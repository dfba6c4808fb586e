//! The page of an evaluation that is a table of figures, one policy a row, and their distribution over sessions.

use maud::{DOCTYPE, html};

use super::Paired;
use super::figure::{self, Ridge};
use super::number::{MISSING, best, decimals, fixed, grouped};
use super::page::head;
use super::palette::Palette;

/// What the page is about.
#[derive(Clone, Debug)]
pub struct SessionsPage<'a> {
    /// Heading.
    pub title: &'a str,
    /// A sentence or two on units and on how to read it.
    pub guide: &'a str,
    /// A policy each.
    pub policies: Vec<SessionsRow<'a>>,
    /// Names of the figures with their decimals; `None`: as many as the standard errors allow. The first one is what policies are judged by.
    pub columns: &'a [(&'a str, Option<usize>)],
    /// What `sessions` are, as on an axis.
    pub of_a_session: &'a str,
    /// Differences of the first figure on the same sessions.
    pub paired: Vec<Paired>,
    /// What it was made with: names and values.
    pub settings: Vec<(String, String)>,
    /// Sessions are missing.
    pub interrupted: bool,
}

/// A policy on the page.
#[derive(Clone, Debug)]
pub struct SessionsRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is, in full.
    pub description: &'a str,
    /// As many as there are columns.
    pub figures: Vec<Option<f64>>,
    /// Standard error of the first.
    pub standard_error: f64,
    /// What the first is the mean of, a number a session.
    pub sessions: Vec<f64>,
}

/// A page with everything about an evaluation, complete in itself. The body is well-formed XML.
pub fn sessions_html(page: &SessionsPage<'_>) -> String {
    let palette = Palette::new(page.policies.iter().map(|policy| policy.name));
    let errors = decimals(page.policies.iter().map(|policy| policy.standard_error));
    let mean = |policy: &SessionsRow<'_>| policy.figures.first().copied().flatten().unwrap_or(f64::NAN);
    let winner = best(page.policies.iter().map(mean));
    let episodes = page.policies.first().map_or(0, |policy| policy.sessions.len());
    let ridges: Vec<Ridge<'_>> = (page.policies.iter())
        .map(|policy| Ridge {
            name: policy.name,
            label: policy.name.to_owned(),
            values: &policy.sessions,
            mean: mean(policy),
        })
        .collect();
    let entry = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| MISSING.to_owned(), |value| fixed(value, decimals))
    };
    let first = page.columns.first().map_or("", |(name, _)| name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(page.title))
            body {
                header {
                    h1 { (page.title) }
                    p { (page.policies.len()) " policies, " (grouped(episodes as u64)) " sessions, the same for all." }
                    p.guide { (page.guide) " Trust the paired differences before the means." }
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
                                @for (name, _) in page.columns { th scope="col" { (name) } }
                            } }
                            tbody { @for (index, policy) in page.policies.iter().enumerate() { tr {
                                th.text scope="row" title=(policy.description) { (policy.name) }
                                @for (column, (value, (_, digits))) in policy.figures.iter().zip(page.columns).enumerate() {
                                    td class=[(column == 0 && winner == Some(index)).then_some("best")] {
                                        (entry(*value, digits.unwrap_or(errors)))
                                    }
                                }
                            } } }
                        } }
                        div.figures {
                            @if let Some(pair) = page.paired.first() {
                                figure {
                                    figcaption {
                                        strong { "Paired differences to " (pair.against) "." }
                                        " Mean " (first) " on the same sessions, with 95% confidence intervals; right of zero is better."
                                    }
                                    (figure::forest(&page.paired, &palette, errors, &format!("difference in mean {first}"), &[]))
                                }
                            }
                            figure {
                                figcaption {
                                    strong { "Distribution over sessions." }
                                    " Line: mean; darker: the worst 5%. Each to its own height."
                                }
                                (figure::ridge(&ridges, &palette, page.of_a_session))
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
