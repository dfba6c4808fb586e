//! Seeded comparison of strategies: the same sessions for all of them, and what that says about their differences.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lob::ParameterError;
use lob::flow::MarketConfig;
use lob::sim::{Latency, derive_seed};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::baselines::{StrategyFactory, StrategyName};
use crate::execution::{Arena, EpisodeError, Outcome, Task};
use crate::report::{Cell, Paired, StrategySummary};

/// The strategy that the others are compared with.
pub const AGAINST: StrategyName = StrategyName::Twap;

/// Episodes that a worker takes at a time: enough to make handing them out cheap, few enough to end together.
const CHUNK: usize = 16;

/// One market's part of a comparison: each task with each strategy, over the same sessions.
pub struct Comparison<'a> {
    /// Its name in the results.
    pub name: &'a str,
    /// The market.
    pub market: &'a MarketConfig,
    /// Its latency, compiled.
    pub latency: &'a Latency,
    /// What is to be traded: one cell each.
    pub tasks: &'a [Task],
    /// By what.
    pub strategies: &'a [StrategyName],
    /// What makes them.
    pub factory: &'a StrategyFactory,
    /// Sessions.
    pub episodes: usize,
    /// Session `i` has the seed `derive_seed(seed, i)`.
    pub seed: u64,
    /// Worker threads, at least 1. The results do not depend on it.
    pub threads: usize,
}

/// Outcomes of one market: episode by episode, task by task, strategy by strategy.
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
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let finished: Mutex<Vec<(usize, Vec<Vec<Outcome>>)>> = Mutex::new(Vec::new());
        let failure: Mutex<Option<(usize, EpisodeError)>> = Mutex::new(None);
        let work = || -> Result<(), (usize, EpisodeError)> {
            let at = |error| (0, EpisodeError::Market(error));
            let mut arena =
                Arena::new(&self.market.flow, self.market.fees, self.latency.clone()).map_err(at)?;
            let made: Result<Vec<_>, ParameterError> =
                self.strategies.iter().map(|&name| self.factory.make(name)).collect();
            let mut strategies = made.map_err(at)?;
            while !stop.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
                let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                if first >= self.episodes {
                    break;
                }
                let last = (first + CHUNK).min(self.episodes);
                let mut rows = Vec::with_capacity(last - first);
                for episode in first..last {
                    if stop.load(Ordering::Relaxed) {
                        // The rest of the chunk would be a gap.
                        return Ok(());
                    }
                    let mut row = Vec::with_capacity(self.tasks.len() * strategies.len());
                    let seed = derive_seed(self.seed, episode as u64);
                    arena
                        .run_all(self.tasks, &mut strategies, seed, &mut row)
                        .map_err(|error| (episode, error))?;
                    rows.push(row);
                }
                progress(last - first);
                finished.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((first, rows));
            }
            Ok(())
        };
        let threads = self.threads.clamp(1, self.episodes.div_ceil(CHUNK).max(1));
        crossbeam::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|_| {
                    if let Err((episode, error)) = work() {
                        failed.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        // The same failure is reported for any number of threads, as far as they got to it.
                        if failure.as_ref().is_none_or(|(first, _)| episode < *first) {
                            *failure = Some((episode, error));
                        }
                    }
                });
            }
        })
        .expect("a worker returns its errors and does not panic");
        if let Some((_, error)) = failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            return Err(error);
        }
        let mut chunks = finished.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        chunks.sort_unstable_by_key(|&(first, _)| first);
        let mut rows = Vec::with_capacity(self.episodes);
        for (first, chunk) in chunks {
            if first != rows.len() {
                break;
            }
            rows.extend(chunk);
        }
        Ok(Outcomes { rows })
    }

    /// The cells of the comparison.
    pub fn summarise(&self, outcomes: &Outcomes) -> Vec<Cell> {
        let strategies = self.strategies.len();
        let cell = |(index, task): (usize, &Task)| {
            let column = |strategy: usize| -> Vec<Outcome> {
                outcomes.rows.iter().map(|row| row[index * strategies + strategy]).collect()
            };
            let columns: Vec<_> = (0..strategies).map(column).collect();
            let summaries =
                self.strategies.iter().zip(&columns).map(|(name, column)| summarise(name.name(), column));
            let against = self.strategies.iter().position(|&name| name == AGAINST);
            let paired = against.into_iter().flat_map(|against| {
                let others = (0..strategies).filter(move |&other| other != against);
                others
                    .map(|other| {
                        pair(
                            self.strategies[other].name(),
                            &columns[other],
                            AGAINST.name(),
                            &columns[against],
                        )
                    })
                    .collect::<Vec<_>>()
            });
            Cell {
                market: self.name.to_owned(),
                lots: task.lots,
                strategies: summaries.collect(),
                paired: paired.collect(),
            }
        };
        self.tasks.iter().enumerate().map(cell).collect()
    }
}

impl Outcomes {
    /// The outcomes of an episode: task by task, strategy by strategy.
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

/// Mean and standard deviation (of the sample, n - 1); 0 where there are too few.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// Mean of the worst 5% (at least one value): conditional value at risk of a reward (Rockafellar & Uryasev 2000).
fn worst_twentieth(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len().div_ceil(20);
    if count == 0 { 0.0 } else { sorted[..count].iter().sum::<f64>() / count as f64 }
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

/// Difference of mean rewards over the same sessions, with Student's 95% confidence interval of paired differences.
fn pair(name: &str, outcomes: &[Outcome], against: &str, others: &[Outcome]) -> Paired {
    let differences: Vec<f64> =
        outcomes.iter().zip(others).map(|(one, other)| one.reward - other.reward).collect();
    let (difference, deviation) = mean_and_deviation(&differences);
    let n = differences.len() as f64;
    let half_width = if differences.len() > 1 {
        let quantile = StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.96, |t| t.inverse_cdf(0.975));
        quantile * deviation / n.sqrt()
    } else {
        // One pair says nothing about its spread.
        f64::INFINITY
    };
    Paired {
        name: name.to_owned(),
        against: against.to_owned(),
        difference,
        ci95: [difference - half_width, difference + half_width],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(rewards: &[f64]) -> Vec<Outcome> {
        rewards.iter().map(|&reward| Outcome { reward, ..Outcome::default() }).collect()
    }

    #[test]
    fn paired_interval_is_students() {
        let paired = pair("a", &outcomes(&[1.0, 2.0, 3.0, 6.0]), "b", &outcomes(&[0.0; 4]));
        // Mean 3, deviation 2.1602, t(3) = 3.1824: half width 3.4374.
        assert!((paired.difference - 3.0).abs() < 1e-12);
        assert!((paired.ci95[0] - (3.0 - 3.437_39)).abs() < 1e-4, "{:?}", paired.ci95);
        assert!((paired.ci95[1] - (3.0 + 3.437_39)).abs() < 1e-4);
    }

    #[test]
    fn worst_twentieth_is_the_mean_of_the_lowest_values() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(worst_twentieth(&values), 2.0);
        assert_eq!(worst_twentieth(&[7.0]), 7.0);
    }
}
