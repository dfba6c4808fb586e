//! Meta-orders sent through a market.

use std::sync::atomic::AtomicBool;

use gym::envs::execution::WINDOW_LEVELS;
use lob::flow::FlowConfig;
use lob::models::Conditions;
use lob::models::impact::DepthLevel;
use lob::parameter::length;
use lob::sim::{DeskId, Latency, Simulator, derive_seed};
use lob::{BookConfig, NewOrder, ParameterError, Quantity, Side};

use super::CalibrationError;
use crate::sharing::share_out;

/// Levels of the mean depth profile.
const LEVELS: usize = 30;

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Sizes of the meta-orders, in lots, ascending.
    pub sizes: Vec<u64>,
    /// Their rates, in lots a second, ascending.
    pub rates: Vec<f64>,
    /// When the mid is looked at after a meta-order, in seconds, ascending from 0.
    pub relaxation_seconds: Vec<f64>,
    /// When meta-orders begin, in seconds.
    pub warm_up_seconds: f64,
    /// Over which time the volatility is measured, in seconds.
    pub volatility_lag_seconds: f64,
    /// Sessions of each meta-order; it buys in even ones and sells in odd ones.
    pub sessions: usize,
    /// Seed of the sessions.
    pub seed: u64,
    /// Worker threads; the result does not depend on them.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sizes: vec![5, 10, 20, 40, 80],
            rates: vec![0.25, 0.5, 1.0, 2.0],
            relaxation_seconds: vec![0.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0],
            warm_up_seconds: 60.0,
            volatility_lag_seconds: 10.0,
            sessions: 1_000,
            seed: 0,
            threads: 1,
        }
    }
}

impl Settings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        length("sizes", self.sizes.len(), 1..=20)?;
        length("rates", self.rates.len(), 1..=20)?;
        for &lots in &self.sizes {
            if !(1..=100_000).contains(&lots) {
                return Err(ParameterError::new("sizes", lots, "whole numbers of lots from 1 to 100000"));
            }
        }
        for &rate in &self.rates {
            if !(1e-4..=1e4).contains(&rate) {
                return Err(ParameterError::new("rates", rate, "lots a second from 0.0001 to 10000"));
            }
        }
        let ascending = |key: &str, is: bool| {
            let legal = "different values in ascending order";
            if is { Ok(()) } else { Err(ParameterError::new(key, "not ascending", legal)) }
        };
        ascending("sizes", self.sizes.windows(2).all(|pair| pair[0] < pair[1]))?;
        ascending("rates", self.rates.windows(2).all(|pair| pair[0] < pair[1]))?;
        if !(0.0..=1e6).contains(&self.warm_up_seconds) {
            return Err(ParameterError::new("warm_up", self.warm_up_seconds, "0 to 1000000 seconds"));
        }
        let lag = self.volatility_lag_seconds;
        if !(0.1..=self.window_seconds()).contains(&lag) {
            let legal = format!(
                "0.1 to {} seconds, the longest meta-order and its relaxation",
                self.window_seconds()
            );
            return Err(ParameterError::new("volatility_lag", lag, legal));
        }
        if !(2..=1_000_000).contains(&self.sessions) {
            return Err(ParameterError::new("sessions", self.sessions, "a whole number from 2 to 1000000"));
        }
        Ok(())
    }

    /// Checks every field, and that there are sizes enough to fit models to.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate_for_fit(&self) -> Result<(), ParameterError> {
        length("sizes", self.sizes.len(), 2..=20)?;
        self.validate()
    }

    /// All pairs of a size and a rate: rate by rate, sizes ascending.
    pub fn cells(&self) -> Vec<Cell> {
        let of_rate = |&rate: &f64| self.sizes.iter().map(move |&lots| Cell { lots, rate });
        self.rates.iter().flat_map(of_rate).collect()
    }

    /// The same market between the fitted sizes and rates, with other sessions: geometric means of neighbours.
    #[must_use]
    pub fn fresh(&self) -> Self {
        let mean = |pair: &[f64]| (pair[0] * pair[1]).sqrt();
        let sizes: Vec<f64> = self.sizes.iter().map(|&lots| lots as f64).collect();
        let mut lots: Vec<u64> = sizes.windows(2).map(|pair| mean(pair).round() as u64).collect();
        lots.dedup();
        let rates = match self.rates.as_slice() {
            [only] => vec![*only],
            rates => rates.windows(2).map(mean).collect(),
        };
        Self { sizes: lots, rates, seed: derive_seed(self.seed, u64::MAX), ..self.clone() }
    }

    /// From the beginning of a meta-order to the last look, at most.
    fn window_seconds(&self) -> f64 {
        let longest = self.cells().iter().map(Cell::seconds).fold(0.0, f64::max);
        longest + self.relaxation_seconds.last().copied().unwrap_or(0.0)
    }
}

/// A kind of meta-order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Size in lots.
    pub lots: u64,
    /// Rate in lots a second.
    pub rate: f64,
}

impl Cell {
    /// How long it takes.
    pub fn seconds(&self) -> f64 {
        self.lots as f64 / self.rate
    }
}

/// One session: for each cell the cost of its meta-order in ticks a lot, and the displacement of the mid in the order's direction at each look
/// afterwards, in ticks; one after the other.
pub type Observation = Vec<f64>;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The meta-orders.
    pub cells: Vec<Cell>,
    /// When the mid was looked at afterwards, in seconds.
    pub relaxation_seconds: Vec<f64>,
    /// The sessions, in their order.
    pub observations: Vec<Observation>,
    /// The market without meta-orders: its mean mid in ticks, volatility and volume.
    pub conditions: Conditions,
    /// Its mean depth when meta-orders begin: bids and asks together, distances as fractions of the mean mid.
    pub depth: Vec<DepthLevel>,
}

impl Measured {
    /// Values of an observation that belong to a cell.
    pub fn stride(&self) -> usize {
        1 + self.relaxation_seconds.len()
    }
}

/// What a session shows without meta-orders.
#[derive(Clone, Debug, Default)]
struct Background {
    mid: f64,
    traded: u64,
    /// Squared relative changes, and how many.
    squares: f64,
    changes: u64,
    /// Lots by distance from the mid in ticks, rounded up, both sides.
    depth: Vec<f64>,
}

#[derive(Default)]
struct Chunk(Vec<(Observation, Background)>);

/// A run of a meta-order: when it traded at which price, and the mids at its looks (ticks).
#[derive(Default)]
struct Run {
    fills: Vec<(f64, f64, u64)>,
    looks: Vec<(f64, f64)>,
}

struct Laboratory<'a> {
    settings: &'a Settings,
    cells: &'a [Cell],
    sim: Simulator,
    desk: DeskId,
    shadow: Simulator,
    runs: Vec<Run>,
}

impl Laboratory<'_> {
    fn mid(sim: &Simulator) -> Result<f64, CalibrationError> {
        let market = sim.market();
        let seconds = market.now();
        market.book().mid().ok_or(CalibrationError::NoMid { seed: sim.seed(), seconds })
    }

    fn order(&mut self, index: usize, seed: u64, side: Side) -> Result<(), CalibrationError> {
        let Self { settings, cells, sim, desk, runs, .. } = self;
        let (cell, run) = (&cells[index], &mut runs[index]);
        run.fills.clear();
        run.looks.clear();
        sim.reset(seed);
        let begin = settings.warm_up_seconds;
        for child in 0..cell.lots {
            sim.run_until(begin + child as f64 / cell.rate);
            let owner = sim.desk(*desk).owner();
            sim.submit(*desk, NewOrder::market(owner, side, Quantity(1)));
            sim.desk_mut(*desk).take_reports();
        }
        for after in &settings.relaxation_seconds {
            let time = begin + cell.seconds() + after;
            sim.run_until(time);
            // A side that is empty has a reason, which is said first.
            run.looks.push((time, sim.market().book().mid().unwrap_or(f64::NAN)));
        }
        let fills = sim.market_mut().drain_fills();
        run.fills.extend(fills.map(|fill| (fill.time, fill.fill.price.0 as f64, fill.fill.quantity.0)));
        let filled = run.fills.iter().map(|fill| fill.2).sum();
        if filled < cell.lots {
            return Err(CalibrationError::Dry { seed, lots: cell.lots, rate: cell.rate, filled });
        }
        if let Some(&(seconds, _)) = run.looks.iter().find(|look| look.1.is_nan()) {
            return Err(CalibrationError::NoMid { seed, seconds });
        }
        Ok(())
    }

    /// The session without meta-orders: its mids at the times asked for (ascending), and what it shows by itself.
    fn background(&mut self, seed: u64, times: &[f64]) -> Result<(Vec<f64>, Background), CalibrationError> {
        let Self { settings, shadow, .. } = self;
        let (begin, lag) = (settings.warm_up_seconds, settings.volatility_lag_seconds);
        let end = begin + settings.window_seconds();
        shadow.reset(seed);
        shadow.run_until(begin);
        let mid = Self::mid(shadow)?;
        let mut background = Background { mid, depth: vec![0.0; LEVELS], ..Background::default() };
        let book = shadow.market().book();
        for side in Side::BOTH {
            for (price, lots, _) in book.levels(side) {
                let distance = (price.0 as f64 - mid).abs().ceil().max(1.0) as usize;
                if distance > LEVELS {
                    break;
                }
                background.depth[distance - 1] += lots.0 as f64 / 2.0;
            }
        }
        let traded_before = shadow.market().traded();
        let samples = ((end - begin) / lag + 1e-9).floor() as u64;
        let mut samples = (1..=samples).map(|k| begin + k as f64 * lag).peekable();
        let mut mids = Vec::with_capacity(times.len());
        let mut last = mid;
        let mut times = times.iter().copied().peekable();
        loop {
            let sample = samples.peek().copied();
            let (time, is_sample) = match (times.peek().copied(), sample) {
                (Some(time), Some(sample)) if sample < time => (sample, true),
                (Some(time), _) => (time, false),
                (None, Some(sample)) => (sample, true),
                (None, None) => break,
            };
            shadow.run_until(time);
            let mid = Self::mid(shadow)?;
            if is_sample {
                samples.next();
                let change = (mid - last) / last;
                background.squares += change * change;
                background.changes += 1;
                last = mid;
            } else {
                times.next();
                mids.push(mid);
            }
        }
        shadow.run_until(end);
        background.traded = shadow.market().traded() - traded_before;
        Ok((mids, background))
    }

    fn session(&mut self, index: usize) -> Result<(Observation, Background), CalibrationError> {
        let seed = derive_seed(self.settings.seed, index as u64);
        let (side, sign) = if index.is_multiple_of(2) { (Side::Buy, 1.0) } else { (Side::Sell, -1.0) };
        for cell in 0..self.cells.len() {
            self.order(cell, seed, side)?;
        }
        let of_run = |run: &Run| -> Vec<f64> {
            run.fills.iter().map(|fill| fill.0).chain(run.looks.iter().map(|look| look.0)).collect()
        };
        let mut times: Vec<f64> = self.runs.iter().flat_map(of_run).collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        let (mids, background) = self.background(seed, &times)?;
        let shadow = |time: f64| mids[times.partition_point(|&at| at < time).min(mids.len() - 1)];
        let mut observation = Vec::with_capacity(self.runs.iter().map(|run| 1 + run.looks.len()).sum());
        for (run, cell) in self.runs.iter().zip(self.cells) {
            let paid: f64 =
                run.fills.iter().map(|&(time, price, lots)| (price - shadow(time)) * lots as f64).sum();
            observation.push(sign * paid / cell.lots as f64);
            observation.extend(run.looks.iter().map(|&(time, mid)| sign * (mid - shadow(time))));
        }
        Ok((observation, background))
    }
}

/// Sends the meta-orders through a market's sessions. `progress` is told how many sessions have been finished since it was last told.
///
/// # Errors
/// Settings or market parameters that are not legal; a book that ran dry; [`CalibrationError::Stopped`] once `stop` is true.
pub fn measure(
    market: &FlowConfig,
    latency: &Latency,
    settings: &Settings,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Measured, CalibrationError> {
    settings.validate()?;
    let cells = settings.cells();
    let worker = || {
        let book = BookConfig { window_levels: WINDOW_LEVELS, ..BookConfig::default() };
        let shadow = Simulator::new(market, book)?;
        let mut sim = shadow.clone();
        let desk = sim.add_desk(latency.clone());
        let runs = cells.iter().map(|_| Run::default()).collect();
        let mut laboratory = Laboratory { settings, cells: &cells, sim, desk, shadow, runs };
        Ok::<_, CalibrationError>(move |index: usize, chunk: &mut Chunk| {
            chunk.0.push(laboratory.session(index)?);
            Ok(())
        })
    };
    let chunks = share_out(settings.sessions, settings.threads, stop, progress, worker)?;
    let sessions: Vec<_> = chunks.into_iter().flat_map(|chunk| chunk.0).collect();
    if sessions.len() < settings.sessions {
        return Err(CalibrationError::Stopped);
    }
    let count = sessions.len() as f64;
    let total = |value: &dyn Fn(&Background) -> f64| sessions.iter().map(|(_, of)| value(of)).sum::<f64>();
    let price = total(&|of| of.mid) / count;
    let squares = total(&|of| of.squares) / total(&|of| of.changes as f64);
    let volatility = (squares / settings.volatility_lag_seconds).sqrt();
    let volume = total(&|of| of.traded as f64) / (count * settings.window_seconds());
    for (name, value) in [("volatility", volatility), ("volume", volume)] {
        if value == 0.0 {
            return Err(CalibrationError::Still(name));
        }
    }
    let depth = (0..LEVELS).map(|level| DepthLevel {
        distance: (level as f64 + 0.5) / price,
        quantity: total(&|of| of.depth[level]) / count,
    });
    let depth = depth.filter(|level| level.quantity > 0.0).collect();
    let conditions = Conditions::new(price, volatility, volume)?;
    let observations = sessions.into_iter().map(|(observation, _)| observation).collect();
    let relaxation_seconds = settings.relaxation_seconds.clone();
    Ok(Measured { cells, relaxation_seconds, observations, conditions, depth })
}
