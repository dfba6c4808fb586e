//! Seeded comparison of strategies: the same sessions for all of them, and what that says about their differences.

use std::sync::atomic::AtomicBool;

use gym::ResolvedMarket;
use lob::flow::MarketConfig;
use lob::sim::{Latency, derive_seed};

use crate::baselines::StrategyFactory;
use crate::execution::{Arena, Candidate, EpisodeError, Outcome, Play, Player, Task};
use crate::report::{Cell, Paired, StrategySummary};
use crate::sharing::share_out;
use crate::statistics::{mean_and_deviation, paired_difference, worst_twentieth};

/// A parent order and who trades it: a cell of a comparison.
#[derive(Clone, Debug)]
pub struct Lineup {
    /// What is to be traded.
    pub task: Task,
    /// By whom. A policy takes part where the task is its own.
    pub candidates: Vec<Candidate>,
}

/// One market's part of a comparison: each task with each strategy, over the same sessions.
pub struct Comparison<'a> {
    /// Its name in the results.
    pub name: &'a str,
    /// The market.
    pub market: &'a MarketConfig,
    /// Its latency, compiled.
    pub latency: &'a Latency,
    /// What is to be traded, and by whom: one cell each.
    pub lineups: &'a [Lineup],
    /// The name of the one that the others are compared with, in the cells that it takes part in.
    pub against: &'a str,
    /// What makes the strategies.
    pub factory: &'a StrategyFactory,
    /// Sessions.
    pub episodes: usize,
    /// Session `i` has the seed `derive_seed(seed, i)`.
    pub seed: u64,
    /// Worker threads, at least 1. The results do not depend on it.
    pub threads: usize,
}

/// Outcomes of one market: episode by episode, cell by cell, candidate by candidate.
pub struct Outcomes {
    rows: Vec<Vec<Outcome>>,
}

impl Comparison<'_> {
    /// Runs it. `progress` is told how many episodes have been finished since it was last told. After `stop` is set, the episodes that
    /// are finished without a gap from the first one are returned.
    ///
    /// # Errors
    /// The first session that could not be run.
    pub fn run(
        &self,
        stop: &AtomicBool,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Outcomes, EpisodeError> {
        let worker = || -> Result<_, EpisodeError> {
            let mut arena = Arena::new(&self.market.flow, self.market.fees, self.latency.clone())?;
            let mut plays = Vec::new();
            for lineup in self.lineups {
                for candidate in &lineup.candidates {
                    plays.push(self.play(&lineup.task, candidate)?);
                }
            }
            Ok(move |episode: usize, rows: &mut Vec<Vec<Outcome>>| -> Result<(), EpisodeError> {
                let mut row = Vec::with_capacity(plays.len());
                arena.run_all(&mut plays, derive_seed(self.seed, episode as u64), &mut row)?;
                rows.push(row);
                Ok(())
            })
        };
        let chunks = share_out(self.episodes, self.threads, stop, progress, worker)?;
        let rows = chunks.into_iter().flatten().collect();
        Ok(Outcomes { rows })
    }

    /// A candidate with a task, ready for its first session in this market.
    ///
    /// # Errors
    /// A policy that does not fit; what is not legal in the market.
    pub fn play(&self, task: &Task, candidate: &Candidate) -> Result<Play, EpisodeError> {
        let player = match candidate {
            Candidate::Strategy(name) => Player::Strategy(self.factory.make(*name)?),
            Candidate::Policy(policy) => {
                policy.check(task)?;
                let (flow, latency) = (self.market.flow.clone(), self.latency.clone());
                let market = ResolvedMarket { flow, fees: self.market.fees, latency };
                Player::Policy(Box::new(policy.trader(&market)?))
            }
        };
        Ok(Play { task: *task, player })
    }

    /// The cells of the comparison.
    pub fn summarise(&self, outcomes: &Outcomes) -> Vec<Cell> {
        let mut first = 0;
        let cell = |lineup: &Lineup| {
            let names: Vec<&str> = lineup.candidates.iter().map(Candidate::name).collect();
            let column = |place: usize| -> Vec<Outcome> {
                outcomes.rows.iter().map(|row| row[first + place]).collect()
            };
            let columns: Vec<_> = (0..names.len()).map(column).collect();
            first += names.len();
            let against = names.iter().position(|name| *name == self.against);
            let paired = against.map_or_else(Vec::new, |against| {
                let others = (0..names.len()).filter(|&other| other != against);
                let pair =
                    |other: usize| pair(names[other], &columns[other], self.against, &columns[against]);
                others.map(pair).collect()
            });
            Cell {
                market: self.name.to_owned(),
                lots: lineup.task.lots,
                strategies: names
                    .iter()
                    .zip(&columns)
                    .map(|(name, column)| summarise(name, column))
                    .collect(),
                paired,
            }
        };
        self.lineups.iter().map(cell).collect()
    }
}

impl Outcomes {
    /// The outcomes of an episode: cell by cell, candidate by candidate.
    ///
    /// # Panics
    /// If the episode was not finished.
    pub fn row(&self, episode: usize) -> &[Outcome] {
        &self.rows[episode]
    }

    /// Episodes that were finished.
    pub fn episodes(&self) -> usize {
        self.rows.len()
    }
}

fn summarise(name: &str, outcomes: &[Outcome]) -> StrategySummary {
    let of = |field: fn(&Outcome) -> f64| -> Vec<f64> { outcomes.iter().map(field).collect() };
    let mean = |field: fn(&Outcome) -> f64| mean_and_deviation(&of(field)).0;
    let rewards = of(|outcome| outcome.reward);
    let (reward_mean, reward_std) = mean_and_deviation(&rewards);
    let (shortfall_ticks, shortfall_std) = mean_and_deviation(&of(|outcome| outcome.shortfall));
    let root = (outcomes.len().max(1) as f64).sqrt();
    StrategySummary {
        name: name.to_owned(),
        episodes: outcomes.len(),
        reward_mean,
        reward_std,
        reward_se: reward_std / root,
        shortfall_ticks,
        shortfall_bps: mean(|outcome| outcome.shortfall_bps),
        spread_ticks: mean(|outcome| outcome.spread),
        impact_ticks: mean(|outcome| outcome.impact),
        timing_ticks: mean(|outcome| outcome.timing),
        fees_ticks: mean(|outcome| outcome.fees),
        fill_rate_passive: mean(|outcome| outcome.passive),
        fill_rate_aggressive: mean(|outcome| outcome.aggressive),
        completion_seconds: mean(|outcome| outcome.completion_seconds),
        participation: mean(|outcome| outcome.participation),
        shortfall_se: shortfall_std / root,
        risk_adjusted: if reward_std > 0.0 { reward_mean / reward_std } else { 0.0 },
        cvar95: worst_twentieth(&rewards),
        rewards,
    }
}

/// Difference of mean rewards over the same sessions.
fn pair(name: &str, outcomes: &[Outcome], against: &str, others: &[Outcome]) -> Paired {
    let rewards = |outcomes: &[Outcome]| outcomes.iter().map(|outcome| outcome.reward).collect::<Vec<_>>();
    let difference = paired_difference(&rewards(outcomes), &rewards(others));
    Paired {
        name: name.to_owned(),
        against: against.to_owned(),
        difference: difference.mean,
        ci95: difference.ci95,
    }
}
