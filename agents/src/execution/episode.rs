//! Runs one strategy through one session.

use gym::envs::execution::{WINDOW_LEVELS, liquidate};
use lob::models::FeeConfig;
use lob::sim::{DeskId, Latency, Simulator};
use lob::{BookConfig, Owner, ParameterError, Side};
use thiserror::Error;

use super::shortfall::{Outcome, Shadow, Trace};
use super::{PolicyTrader, Task, Trader};
use crate::baselines::Strategy;
use crate::policy::PolicyError;

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
    /// A policy that cannot be read or does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An action that the environment does not take.
    #[error(transparent)]
    Env(#[from] gym::EnvError),
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

/// Who trades a parent order.
pub enum Player {
    /// By rule, in the arena's market.
    Strategy(Box<dyn Strategy>),
    /// A trained policy, in an environment of its own with the same sessions.
    Policy(Box<PolicyTrader>),
}

/// A parent order and who trades it.
pub struct Play {
    /// What is to be done; a policy's own, where one plays.
    pub task: Task,
    /// By whom.
    pub player: Player,
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

    /// Runs all plays through the session with this seed and assesses them, in their order.
    ///
    /// # Errors
    /// [`EpisodeError::NoArrivalMid`]; [`EpisodeError::Env`] of a policy whose action is none.
    pub fn run_all(
        &mut self,
        plays: &mut [Play],
        seed: u64,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), EpisodeError> {
        let mut traces = Vec::with_capacity(plays.len());
        for play in &mut *plays {
            traces.push(self.play(play, seed, None)?);
        }
        let shadow = self.shadow(seed, traces.iter().flat_map(Trace::times));
        outcomes.extend(traces.iter().zip(plays).map(|(trace, play)| trace.assess(&play.task, &shadow)));
        Ok(())
    }

    /// Runs one play through one session and draws it out, a step every `every` seconds.
    ///
    /// # Errors
    /// As [`run_all`](Self::run_all).
    pub fn example(&mut self, play: &mut Play, seed: u64, every: f64) -> Result<Episode, EpisodeError> {
        let mut episode = Episode::default();
        let trace = self.play(play, seed, Some((every, &mut episode.steps)))?;
        episode.fills = trace.fills;
        Ok(episode)
    }

    fn play(
        &mut self,
        play: &mut Play,
        seed: u64,
        picture: Option<(f64, &mut Vec<ExampleStep>)>,
    ) -> Result<Trace, EpisodeError> {
        match &mut play.player {
            Player::Strategy(strategy) => self.play_strategy(&play.task, strategy.as_mut(), seed, picture),
            Player::Policy(trader) => trader.play(seed, picture),
        }
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

    fn play_strategy(
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
        let mut trace = Trace::new(arrival_mid, touch.0 as f64);
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
        trace.close(sim.market(), traded_before);
        trace.record(sim.market_mut().drain_fills(), task, &self.fees);
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
