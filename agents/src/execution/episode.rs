//! Runs one strategy through one session.

use std::collections::HashMap;

use gym::envs::execution::{WINDOW_LEVELS, liquidate};
use lob::models::{FeeConfig, FeeModel, Liquidity, OrderFees};
use lob::sim::{DeskId, Latency, Simulator};
use lob::{BookConfig, Owner, ParameterError, Side};
use thiserror::Error;

use super::shortfall::{Outcome, Shadow, Trace};
use super::{Task, Trader};
use crate::baselines::Strategy;

/// A session that cannot be run.
#[derive(Debug, Error)]
pub enum EpisodeError {
    /// The market's parameters are not legal.
    #[error(transparent)]
    Market(#[from] ParameterError),
    /// The book was one-sided when the parent order arrived, so that nothing can be measured against it.
    #[error(
        "session with seed {seed}: the book has an empty side at t = 0; implementation shortfall needs an arrival mid"
    )]
    NoArrivalMid {
        /// The session.
        seed: u64,
    },
}

/// A fill of the parent order. Prices in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillRecord {
    /// When, in seconds.
    pub time: f64,
    /// At which price.
    pub price: f64,
    /// Lots.
    pub lots: u64,
    /// True if it was passive.
    pub maker: bool,
    /// The mid just before.
    pub mid: f64,
    /// The other side's best price just before.
    pub touch: f64,
    /// What it cost in fees, in ticks x lots; negative for a rebate.
    pub fee: f64,
}

/// A moment of an example episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExampleStep {
    /// Time in seconds.
    pub time: f64,
    /// Best bid in ticks.
    pub bid: f64,
    /// Best ask in ticks.
    pub ask: f64,
    /// Lots not filled yet.
    pub remaining: u64,
}

/// An episode drawn out, for a picture.
#[derive(Clone, Debug, Default)]
pub struct Episode {
    /// The market and the parent order, over time.
    pub steps: Vec<ExampleStep>,
    /// The fills.
    pub fills: Vec<FillRecord>,
}

/// A market with one agent in it, to be used for one episode after the other.
pub struct Arena {
    sim: Simulator,
    desk: DeskId,
    fees: FeeConfig,
    /// The same market without the agent.
    shadow: Simulator,
}

impl Arena {
    /// An arena for sessions of a market.
    ///
    /// # Errors
    /// What is not legal in the market's parameters.
    pub fn new(
        market: &lob::flow::FlowConfig,
        fees: FeeConfig,
        latency: Latency,
    ) -> Result<Self, ParameterError> {
        let book = BookConfig { window_levels: WINDOW_LEVELS, ..BookConfig::default() };
        let mut sim = Simulator::new(market, book)?;
        let desk = sim.add_desk(latency);
        Ok(Self { sim, desk, fees, shadow: Simulator::new(market, book)? })
    }

    /// Runs each strategy of each task through the session with this seed and assesses them. The outcomes come task by task,
    /// strategy by strategy.
    ///
    /// # Errors
    /// [`EpisodeError::NoArrivalMid`].
    pub fn run_all(
        &mut self,
        tasks: &[Task],
        strategies: &mut [Box<dyn Strategy>],
        seed: u64,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), EpisodeError> {
        let mut traces = Vec::with_capacity(tasks.len() * strategies.len());
        for task in tasks {
            for strategy in &mut *strategies {
                traces.push(self.play(task, strategy.as_mut(), seed, None)?);
            }
        }
        let shadow = self.shadow(seed, traces.iter().flat_map(Trace::times));
        for (index, trace) in traces.iter().enumerate() {
            outcomes.push(trace.assess(&tasks[index / strategies.len()], &shadow));
        }
        Ok(())
    }

    /// Runs one strategy through one session and draws it out, a step every `every` seconds.
    ///
    /// # Errors
    /// [`EpisodeError::NoArrivalMid`].
    pub fn example(
        &mut self,
        task: &Task,
        strategy: &mut dyn Strategy,
        seed: u64,
        every: f64,
    ) -> Result<Episode, EpisodeError> {
        let mut episode = Episode::default();
        let trace = self.play(task, strategy, seed, Some((every, &mut episode.steps)))?;
        episode.fills = trace.fills;
        Ok(episode)
    }

    /// Mids of the session without the agent, at the given times.
    fn shadow(&mut self, seed: u64, times: impl Iterator<Item = f64>) -> Shadow {
        let mut times: Vec<f64> = times.collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        self.shadow.reset(seed);
        let mut last = 0.0;
        let mids = times.into_iter().map(|time| {
            self.shadow.run_until(time);
            last = self.shadow.market().book().mid().unwrap_or(last);
            (time, last)
        });
        Shadow { mids: mids.collect() }
    }

    fn play(
        &mut self,
        task: &Task,
        strategy: &mut dyn Strategy,
        seed: u64,
        mut picture: Option<(f64, &mut Vec<ExampleStep>)>,
    ) -> Result<Trace, EpisodeError> {
        let Self { sim, desk, .. } = self;
        let desk = *desk;
        sim.reset(seed);
        sim.run_until(0.0);
        let book = sim.market().book();
        let (Some(arrival_mid), Some(touch)) = (book.mid(), book.best(task.side.opposite())) else {
            return Err(EpisodeError::NoArrivalMid { seed });
        };
        let mut trace = Trace { arrival_mid, arrival_touch: touch.0 as f64, ..Trace::default() };
        let traded_before = sim.market().traded();
        strategy.start(task);
        let mut next = Some(0.0);
        let mut next_step = 0.0;
        let is_done = |sim: &Simulator| sim.desk(desk).filled() >= task.lots;
        while let Some(time) = next.filter(|&time| time < task.horizon_seconds) {
            if let Some((every, steps)) = &mut picture {
                while next_step < time {
                    sim.run_until(next_step);
                    steps.extend(step(sim, task, desk));
                    next_step += *every;
                }
            }
            sim.run_until(time);
            if is_done(sim) {
                break;
            }
            let filled = sim.desk(desk).filled();
            let volume_of_others = (sim.market().traded() - traded_before).saturating_sub(filled);
            next =
                strategy.act(&mut Trader { sim, desk, task, volume_of_others }).filter(|&next| next > time);
            // The desk has counted what was reported; nobody reads the letters themselves.
            sim.desk_mut(desk).take_reports();
        }
        // Orders may still rest: the episode ends when everything is traded, or at the horizon.
        while !is_done(sim) && sim.market().now() < task.horizon_seconds {
            let pause = picture.as_ref().map_or(task.step_seconds, |(every, _)| *every);
            let time = (sim.market().now() + pause).min(task.horizon_seconds);
            sim.run_until(time);
            if let Some((_, steps)) = &mut picture {
                steps.extend(step(sim, task, desk));
            }
        }
        liquidate(sim, desk, task, 0);
        if let Some((_, steps)) = &mut picture {
            steps.extend(step(sim, task, desk));
        }
        trace.end_seconds = sim.market().now();
        trace.final_mid = sim.market().book().mid().unwrap_or(arrival_mid);
        trace.traded = sim.market().traded() - traded_before;
        let mid_or = |touch: [Option<lob::Price>; 2]| match touch {
            [Some(bid), Some(ask)] => (bid.0 + ask.0) as f64 / 2.0,
            [Some(one), None] | [None, Some(one)] => one.0 as f64,
            [None, None] => arrival_mid,
        };
        let far = task.side.opposite().index();
        let mut charged: HashMap<u64, OrderFees> = HashMap::new();
        for record in sim.market_mut().drain_fills() {
            let fill = record.fill;
            let order = charged.entry(record.handle.to_bits()).or_default();
            trace.fills.push(FillRecord {
                time: record.time,
                price: fill.price.0 as f64,
                lots: fill.quantity.0,
                maker: fill.liquidity == Liquidity::Maker,
                mid: mid_or(record.touch),
                touch: record.touch[far].map_or(fill.price.0 as f64, |touch| touch.0 as f64),
                fee: self.fees.fee(&fill, order),
            });
        }
        Ok(trace)
    }
}

fn step(sim: &Simulator, task: &Task, desk: DeskId) -> Option<ExampleStep> {
    let book = sim.market().book();
    let owner: Owner = sim.desk(desk).owner();
    let filled: u64 =
        sim.market().fills().iter().filter(|fill| fill.owner == owner).map(|fill| fill.fill.quantity.0).sum();
    Some(ExampleStep {
        time: sim.market().now(),
        bid: book.best(Side::Buy)?.0 as f64,
        ask: book.best(Side::Sell)?.0 as f64,
        remaining: task.lots.saturating_sub(filled),
    })
}
