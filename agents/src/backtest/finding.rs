//! What a backtest found, as a table, as JSON and as a page.

use std::ops::Range;

use gym::prices::Stamp;
use lob::ParameterError;
use serde::Serialize;
use serde_json::{Value, json};

use super::{BacktestConfig, Outcome, Parts, Track};
use crate::report::{BacktestPage, backtest_html, plain_table};
use crate::statistics::paired_difference;

/// A difference in growth between two strategies over the same periods.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedGrowth {
    /// The strategy.
    pub name: String,
    /// What it is compared with.
    pub against: String,
    /// Growth of `name` - growth of `against`, 1 / year.
    pub difference: f64,
    /// Its 95% confidence interval, low and high, of blocks taken to be independent; infinite (`null` in JSON) with fewer than 2 blocks.
    pub ci95: [f64; 2],
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Finding {
    /// A strategy each, in the order they were asked for.
    pub outcomes: Vec<Outcome>,
    /// Each other strategy against one.
    pub paired: Vec<PairedGrowth>,
    /// The parts of the time.
    pub parts: Parts,
    /// How many assets.
    pub assets: usize,
    /// When each row of the prices is, where they come from a file: period `k` is decided on at row `k`.
    pub stamps: Option<Vec<Stamp>>,
    settings: Value,
    command: String,
    periods_per_year: f64,
}

/// Difference in growth, with the interval of its blocks.
fn compare(one: &Outcome, base: &Outcome, block: usize, periods_per_year: f64) -> PairedGrowth {
    let blocks = |track: &Track| -> Vec<f64> {
        let rows = track.log_returns.chunks_exact(block);
        rows.map(|part| part.iter().sum::<f64>() / block as f64 * periods_per_year).collect()
    };
    let found = paired_difference(&blocks(&one.track), &blocks(&base.track));
    // Periods after the last whole block count in the difference, not in its spread.
    let half_width =
        if found.ci95[1].is_finite() { (found.ci95[1] - found.ci95[0]) / 2.0 } else { f64::INFINITY };
    let difference = one.metrics.growth - base.metrics.growth;
    PairedGrowth {
        name: one.name.clone(),
        against: base.name.clone(),
        difference,
        ci95: [difference - half_width, difference + half_width],
    }
}

impl Finding {
    pub(super) fn new(
        config: &BacktestConfig,
        parts: Parts,
        assets: usize,
        stamps: Option<Vec<Stamp>>,
        outcomes: Vec<Outcome>,
        against: usize,
    ) -> Self {
        let plan = &config.plan;
        let others = outcomes.iter().enumerate().filter(|(index, _)| *index != against);
        let paired = others
            .map(|(_, one)| compare(one, &outcomes[against], plan.block, plan.periods_per_year()))
            .collect();
        Self {
            paired,
            parts,
            assets,
            stamps,
            settings: json!({
                "env": config.env.to_map(),
                "backtest": gym::config::to_map(plan),
                "version": env!("CARGO_PKG_VERSION"),
            }),
            command: String::new(),
            periods_per_year: plan.periods_per_year(),
            outcomes,
        }
    }

    /// The same, with the command that asked for it.
    #[must_use]
    pub fn asked_by(mut self, command: String) -> Self {
        self.command = command;
        self
    }

    /// For people: tables of plain characters.
    pub fn table(&self) -> String {
        let percent = |value: f64| format!("{:.2}%", 100.0 * value);
        let ratio = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let rows = self.outcomes.iter().map(|outcome| {
            let found = &outcome.metrics;
            let pair = self.paired.iter().find(|pair| pair.name == outcome.name);
            vec![
                outcome.name.clone(),
                percent(found.growth),
                pair.map_or("-".to_owned(), |pair| {
                    let [low, high] = pair.ci95.map(|end| 100.0 * end);
                    format!("{:+.2} [{low:+.2}, {high:+.2}]", 100.0 * pair.difference)
                }),
                percent(found.volatility),
                ratio(found.sharpe),
                ratio(found.sortino),
                percent(found.max_drawdown),
                format!("{:.2}", found.turnover),
                format!("{:.3}%", 100.0 * found.fees),
                format!("{:.3}%", 100.0 * found.impact),
            ]
        });
        let header = [
            "strategy",
            "growth",
            "difference, 95%",
            "volatility",
            "Sharpe",
            "Sortino",
            "drawdown",
            "turnover",
            "fees",
            "impact",
        ];
        let against = self.paired.first().map_or(String::new(), |pair| {
            format!("; differences in growth, % a year, are to {}", pair.against)
        });
        let Parts { train, validation, test } = &self.parts;
        let mut text = format!(
            "{} assets; {} periods of history, {} of validation, {} of test{}, {} a year; growth to costs: of a year{against}\n{}",
            self.assets,
            train.len(),
            validation.len(),
            test.len(),
            self.span(test).map_or(String::new(), |[from, to]| format!(" ({from} to {to})")),
            self.periods_per_year,
            plain_table(&header, 1, rows.collect()),
        );
        let chosen = self.outcomes.iter().flat_map(|outcome| {
            let choices = outcome.choices.iter().filter(|choice| choice.growth.is_some());
            choices.map(|choice| {
                vec![
                    self.when(choice.period).map_or(choice.period.to_string(), |at| at.to_string()),
                    choice.strategy.clone(),
                    choice.growth.map_or("-".into(), percent),
                ]
            })
        });
        let chosen: Vec<Vec<String>> = chosen.collect();
        if !chosen.is_empty() {
            let header = [
                if self.stamps.is_some() { "from" } else { "from period" },
                "chosen",
                "growth it was chosen by",
            ];
            text += &format!("\n{}", plain_table(&header, 2, chosen));
        }
        text
    }

    /// When a period's decision is.
    fn when(&self, period: usize) -> Option<Stamp> {
        self.stamps.as_ref().and_then(|stamps| stamps.get(period)).copied()
    }

    /// When some periods begin and end.
    fn span(&self, periods: &Range<usize>) -> Option<[Stamp; 2]> {
        Some([self.when(periods.start)?, self.when(periods.end)?])
    }

    /// `{"schema_version", "strategies": [...], "paired": [...], "parts": {...}, "settings": {...}}`; docs/backtest.md has the keys.
    ///
    /// # Errors
    /// What serde_json says.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        let columns = self.outcomes.first().map_or(self.assets, |outcome| {
            outcome.track.weights.len() / outcome.track.log_returns.len().max(1)
        });
        let strategy = |outcome: &Outcome| {
            let track = &outcome.track;
            let weights: Vec<&[f64]> = track.weights.chunks_exact(columns.max(1)).collect();
            Ok(json!({
                "name": outcome.name,
                "choices": serde_json::to_value(&outcome.choices)?,
                "metrics": serde_json::to_value(outcome.metrics)?,
                "ruined": track.ruined,
                "nav": track.nav,
                "weights": weights,
                "turnover": track.turnover,
                "fees": track.fees,
                "impact": track.impact,
            }))
        };
        let part = |periods: &Range<usize>| {
            let span = self.span(periods).map(|span| span.map(|stamp| stamp.to_string()));
            let [from, to] = span.map_or([None, None], |span| span.map(Some));
            json!({"start": periods.start, "end": periods.end, "from": from, "to": to})
        };
        let stamps = self.stamps.as_ref();
        let stamps: Option<Vec<String>> = stamps.map(|stamps| stamps.iter().map(Stamp::to_string).collect());
        let strategies = self.outcomes.iter().map(strategy).collect::<Result<Vec<_>, serde_json::Error>>()?;
        Ok(json!({
            "schema_version": 1,
            "strategies": strategies,
            "paired": serde_json::to_value(&self.paired)?,
            "parts": {
                "train": part(&self.parts.train),
                "validation": part(&self.parts.validation),
                "test": part(&self.parts.test),
            },
            "stamps": stamps,
            "settings": self.settings,
            "command": self.command,
        }))
    }

    /// A page, complete in itself.
    pub fn html(&self) -> String {
        let mut settings = vec![("command".to_owned(), self.command.clone())];
        for section in ["backtest", "env"] {
            for (key, value) in self.settings[section].as_object().into_iter().flatten() {
                settings.push((format!("{section}.{key}"), shortened(value)));
            }
        }
        settings.push(("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
        backtest_html(&BacktestPage {
            outcomes: &self.outcomes,
            paired: &self.paired,
            parts: &self.parts,
            assets: self.assets,
            stamps: self.stamps.as_deref(),
            settings,
        })
    }

    /// The outcome of the strategy of this name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn outcome(&self, name: &str) -> Result<&Outcome, ParameterError> {
        let found = self.outcomes.iter().find(|outcome| outcome.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
            ParameterError::new("strategy", format_args!("{name:?}"), names.join(", "))
        })
    }
}

/// A setting as text; tables of prices are not spelled out.
fn shortened(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= 400 { text } else { text.chars().take(400).chain(['\u{2026}']).collect() }
}
