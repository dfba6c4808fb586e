//! Sessions on a file of bars.

use std::path::Path;
use std::sync::Arc;

use lob::ParameterError;
use lob::models::FeeConfig;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::config::{BarsSource, FeatureScaling, Part, TraderConfig};
use super::paper::Paper;
use super::session::{Observed, Rows, Session, Wish};
use crate::config::ConfigError;
use crate::features::Normalisation;
use crate::prices::{Completion, TickBar, below, usual_interval_seconds};

/// Bars with their rows of features.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) bars: Vec<TickBar>,
    /// `f32[bars, width]`.
    rows: Vec<f32>,
    width: usize,
    /// What was known after each bar.
    observed: Vec<Observed>,
    /// The first bar after which a decision can be made in the part that is played, and its last bar.
    first: usize,
    last: usize,
    /// Usual time between bars, s.
    pub(super) interval_seconds: f64,
    pub(super) normalisation: Option<Normalisation>,
}

/// Bars of a file in full, with what there is of extra columns.
type Complete = (Vec<TickBar>, Vec<Vec<f64>>);

impl Data {
    /// Reads a file, relative paths from `directory`, and makes its rows.
    ///
    /// # Errors
    /// A file or a setting that is not legal.
    pub(super) fn read(
        config: &TraderConfig,
        source: &BarsSource,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let file = directory.join(&source.file);
        let in_file = |problem: ParameterError| ConfigError::InFile { path: file.clone(), problem };
        let (bars, extra) = complete(config, source, directory)?;
        let features = config.feature_set(directory)?;
        let mut rows = Rows::new(&features, None, source.extra.clone())?;
        // NaN is not above 0 either.
        if config.meets_volume() && !bars.iter().any(|bar| bar.tick.volume > 0.0) {
            let legal = "volumes above 0, or conditions.volume, which the impact model needs";
            return Err(in_file(ParameterError::new("the file", "without volume", legal)));
        }
        // The first bars may lack what comes with the first quote; they are of no use.
        let needed = features.needed();
        if let Some(field) = needed.iter().find(|field| bars.iter().all(|bar| field.of(&bar.tick).is_nan())) {
            let legal =
                format!("columns for all that the feature set {} needs: {}", config.features, names(&needed));
            return Err(in_file(ParameterError::new("the file", format!("without {}", field.name()), legal)));
        }
        let begin = bars.iter().position(|bar| needed.iter().all(|field| !field.of(&bar.tick).is_nan()));
        let begin = begin.unwrap_or(bars.len());
        let (bars, extra) = (bars[begin..].to_vec(), &extra[begin..]);
        let kept = config.kept(&features)?;
        let split = (kept.as_ref().and_then(|kept| trained_on(&bars, kept)))
            .unwrap_or((bars.len() as f64 * source.train_share) as usize);
        let mut raw = Vec::with_capacity(bars.len() * rows.width());
        for bar in &bars {
            let row = rows.raw(&bar.tick).map_err(|error| in_file(at(bar, error)))?;
            raw.extend_from_slice(row);
        }
        let warm = rows.warm_up();
        let reach = warm + config.window - 1;
        let normalisation = match &config.normalisation {
            None => None,
            Some(FeatureScaling::Fitted(_)) => kept,
            Some(FeatureScaling::Method(method)) => {
                let times: Vec<i64> = bars.iter().map(|bar| bar.time_ns).collect();
                Some(
                    Normalisation::fit(*method, &features, &raw, 0..split, Some(&times))
                        .map_err(|error| in_file(short(&bars, reach, error)))?,
                )
            }
        };
        rows = Rows::new(&features, normalisation.clone(), source.extra.clone())?;
        let width = rows.width();
        let mut written = vec![0.0; bars.len() * width];
        for ((bar, extra), out) in bars.iter().zip(extra).zip(written.chunks_exact_mut(width)) {
            rows.write(&bar.tick, extra, out).map_err(|error| in_file(at(bar, error)))?;
        }
        let (first, last) = match source.part {
            Part::All => (reach, bars.len().saturating_sub(1)),
            Part::Train => (reach, split.saturating_sub(1)),
            Part::Test => (split.max(reach), bars.len().saturating_sub(1)),
        };
        if first >= last {
            let found = format!("{} usable bars, {} of them for training", bars.len(), split);
            let legal = format!(
                "more: the first decision comes after {} of them (features: {warm}, window: {}), and one follows it",
                reach + 1,
                config.window
            );
            return Err(in_file(ParameterError::new("the file", found, legal)));
        }
        let interval_seconds = usual_interval_seconds(bars.iter().map(|bar| bar.time_ns)).unwrap_or(1.0);
        let mut so_far = Observed::default();
        let observe = |bar: &TickBar| {
            so_far.update(&bar.tick);
            so_far
        };
        let observed = bars.iter().map(observe).collect();
        Ok(Self { bars, rows: written, width, observed, first, last, interval_seconds, normalisation })
    }

    pub(super) fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.width..][..self.width]
    }

    /// Decisions that the part has room for.
    pub(super) fn most_steps(&self) -> u64 {
        (self.last - self.first) as u64
    }
}

fn complete(config: &TraderConfig, source: &BarsSource, directory: &Path) -> Result<Complete, ConfigError> {
    let mut completion = Completion::new(config.spread);
    let (mut bars, mut extra) = (Vec::new(), Vec::new());
    for (index, raw) in source.bars().read(directory)?.into_iter().enumerate() {
        let bar = completion.complete(&raw).map_err(|error| ConfigError::InFile {
            path: directory.join(&source.file),
            problem: ParameterError { key: format!("bar {}, {}", index + 1, error.key), ..error },
        })?;
        if let Some(bar) = bar {
            bars.push(bar);
            extra.push(raw.extra);
        }
    }
    Ok((bars, extra))
}

/// How many of the bars, the first ones, a training may have seen that a normalisation was fitted in: all up to the end of its span; none if
/// they are of another time. Unknown if it does not say when its span was.
fn trained_on(bars: &[TickBar], kept: &Normalisation) -> Option<usize> {
    let (first, last) = (kept.span.first_ns?, kept.span.last_ns?);
    let is_later = bars.last().is_some_and(|bar| bar.time_ns >= first);
    Some(if is_later { bars.partition_point(|bar| bar.time_ns <= last) } else { 0 })
}

fn names(fields: &[crate::features::Field]) -> String {
    fields.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ")
}

fn at(bar: &TickBar, error: ParameterError) -> ParameterError {
    ParameterError { key: format!("the bar at {} ns, {}", bar.time_ns, error.key), ..error }
}

fn short(bars: &[TickBar], reach: usize, error: ParameterError) -> ParameterError {
    let legal =
        format!("{} ({} bars are there, {reach} come before the first decision)", error.legal, bars.len());
    ParameterError { legal, ..error }
}

/// A session's place in a file.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    data: Arc<Data>,
    paper: Paper,
    random_start: bool,
    steps: u64,
    at: usize,
}

impl Recorded {
    /// The file's sessions.
    ///
    /// # Errors
    /// A file or a setting that is not legal.
    pub(super) fn new(
        config: &TraderConfig,
        source: &BarsSource,
        fees: FeeConfig,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let data = Data::read(config, source, directory)?;
        let steps = config.steps.unwrap_or(data.most_steps());
        if steps > data.most_steps() {
            let legal = format!(
                "at most {}, what the part of the bars has room for, or null for all",
                data.most_steps()
            );
            return Err(ParameterError::new("steps", steps, legal).into());
        }
        let paper = Paper::new(config, fees, data.interval_seconds, directory)?;
        let at = data.first;
        Ok(Self { data: Arc::new(data), paper, random_start: config.random_start, steps, at })
    }

    pub(super) fn data(&self) -> &Data {
        &self.data
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// The bar that was last.
    pub(super) fn index(&self) -> usize {
        self.at
    }

    /// Puts the session at its first decision.
    pub(super) fn begin(&mut self, seed: u64, session: &mut Session, window: usize) {
        let spare = (self.data.most_steps() - self.steps) as usize;
        let offset = if self.random_start { below(&mut SimRng::seed_from_u64(seed), spare + 1) } else { 0 };
        self.at = self.data.first + offset;
        self.paper.reset();
        let from = self.at + 1 - window;
        if from > 0 {
            session.recall(self.data.observed[from - 1]);
        }
        for index in from..=self.at {
            session.close_bar(&self.data.bars[index], self.data.row(index));
        }
    }

    /// Plays a wish in the next bar.
    pub(super) fn step(&mut self, session: &mut Session, wish: Wish) {
        self.at += 1;
        let bar = &self.data.bars[self.at];
        self.paper.play(session, wish, bar);
        session.close_bar(bar, self.data.row(self.at));
    }
}
