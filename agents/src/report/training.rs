//! How runs were trained: their learning curves, as a page or a part of one.

use std::io;
use std::path::Path;

use maud::{DOCTYPE, Markup, html};

use super::figure::{self, Curve};
use super::page::head;
use super::palette::Palette;
use crate::rl::RunConfig;

/// The metrics of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunLog {
    /// The run's name in figures.
    pub name: String,
    columns: Vec<String>,
    rows: Vec<Vec<f64>>,
}

/// What is drawn of a log: the column, the axis' title and what it is. Columns that a log lacks are left out.
const PANELS: [(&str, &str, &str); 12] = [
    ("return_mean", "mean return", "Mean total reward of the last 100 episodes, exploration included."),
    ("value_loss", "value loss", "Half the squared error of the value, in the scaled reward's unit."),
    (
        "explained_variance",
        "explained variance",
        "Share of the returns' variance that the value foresaw; 1 is all.",
    ),
    ("loss", "loss", "Of the action values."),
    ("value_mean", "mean value", "Mean action value of the batches learned from."),
    ("epsilon", "epsilon", "Share of random actions."),
    ("entropy", "entropy, nats", "Of the action distribution."),
    ("deviation", "deviation", "Mean standard deviation of the actions' normal numbers."),
    ("kl", "KL, nats", "How far each update moved the policy."),
    ("clip_share", "share clipped", "Share of probability ratios beyond the clip."),
    ("gradient_norm", "gradient norm", "Before it is scaled down."),
    ("steps_per_second", "steps / s", "Environment steps a second, playing and learning together."),
];

impl RunLog {
    /// Reads the `metrics.csv` of a run's directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(directory: &Path, name: impl Into<String>) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(directory.join("metrics.csv"))?, name))
    }

    /// Reads numbers under a header; a cell without a number is none.
    fn parse(text: &str, name: impl Into<String>) -> Self {
        let mut lines = text.lines();
        let columns = lines.next().unwrap_or_default().split(',').map(str::to_owned).collect();
        let number = |cell: &str| cell.parse().unwrap_or(f64::NAN);
        let rows = lines.map(|line| line.split(',').map(number).collect()).collect();
        Self { name: name.into(), columns, rows }
    }

    /// A column over the environment steps; empty if there is none.
    pub fn series(&self, column: &str) -> Vec<(f64, f64)> {
        let place = |name: &str| self.columns.iter().position(|known| known == name);
        let (Some(steps), Some(column)) = (place("steps"), place(column)) else { return Vec::new() };
        self.rows.iter().filter_map(|row| Some((*row.get(steps)?, *row.get(column)?))).collect()
    }
}

/// A page of learning curves, complete in itself. `settings` are names and values for its end. The body is well-formed XML.
pub fn training_html(runs: &[RunLog], title: &str, settings: &[(String, String)]) -> String {
    let palette = Palette::new(runs.iter().map(|run| run.name.as_str()));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                header { h1 { (title) } }
                main {
                    section #training { (learning_curves(runs, &palette)) }
                    section #provenance {
                        h2 { "How it was made" }
                        dl { @for (name, value) in settings { dt { (name) } dd { (value) } } }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The same of runs of one training, under its name and with all of its settings.
pub fn run_html(run: &RunConfig, logs: &[RunLog]) -> String {
    let mut settings = Vec::new();
    for (section, map) in run.to_map() {
        for (key, value) in map.as_object().into_iter().flatten() {
            settings.push((format!("{section}.{key}"), value.to_string()));
        }
    }
    training_html(logs, &format!("Training of {}", run.env.name()), &settings)
}

/// The figures, with a legend if there are several runs.
pub(super) fn learning_curves(runs: &[RunLog], palette: &Palette) -> Markup {
    let panel = |column: &str| -> Vec<Curve<'_>> {
        let curves = runs.iter().map(|run| Curve { name: &run.name, points: run.series(column) });
        curves.filter(|curve| curve.points.iter().any(|point| point.1.is_finite())).collect()
    };
    html! {
        @if runs.len() > 1 {
            p { @for run in runs { span class={ "swatch " (palette.class(&run.name)) } {} (run.name) "\u{2003}" } }
        }
        div.figures {
            @for (column, title, definition) in PANELS {
                @let curves = panel(column);
                @if !curves.is_empty() {
                    figure {
                        figcaption { strong { (title) ". " } (definition) }
                        (figure::curves(&curves, palette, title, &figure::Across::STEPS))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "update,steps,return_mean,kl\n1,100,,0.01\n2,200,-3.5,0.02\n";

    #[test]
    fn columns_are_read_over_the_steps() {
        let log = RunLog::parse(TEXT, "a");
        let returns = log.series("return_mean");
        assert!(returns[0].1.is_nan());
        assert_eq!(returns[1], (200.0, -3.5));
        assert_eq!(log.series("kl"), [(100.0, 0.01), (200.0, 0.02)]);
        assert!(log.series("epsilon").is_empty() && RunLog::parse("", "b").series("kl").is_empty());
    }

    #[test]
    fn a_page_shows_what_was_logged() {
        let runs = [RunLog::parse(TEXT, "a & b"), RunLog::parse(TEXT, "c")];
        let page = training_html(&runs, "Trained", &[("seed".into(), "0".into())]);
        let body = &page[page.find("<body>").unwrap()..page.rfind("</html>").unwrap()];
        let document = roxmltree::Document::parse(body).unwrap();
        assert_eq!(document.descendants().filter(|node| node.has_tag_name("figure")).count(), 2);
        assert!(body.contains("mean return") && body.contains("KL, nats") && !body.contains("epsilon"));
        assert!(body.contains("a &amp; b"));
    }
}
