//! A comparison of execution strategies over markets and sizes of the parent order: what `lobgym compare` and the Python package show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lob::flow::MarketConfig;
use lob::sim::{Latency, derive_seed};
use lob::{ParameterError, Side};

use crate::baselines::{StrategyFactory, StrategyName, StrategyParams};
use crate::evaluate::{self, Lineup, Outcomes};
use crate::evaluation::evaluation_seed;
use crate::execution::{Arena, Candidate, Entrant, Episode, EpisodeError, ExecutionPolicy, Task};
use crate::policy::PolicyError;
use crate::report::{self, EpisodePicture, Example};

/// The markets of the published table.
pub const REFERENCE_MARKETS: [&str; 3] = ["noise", "flow", "strategic"];
/// The sizes of the published table, in lots.
pub const REFERENCE_LOTS: [u64; 2] = [20, 60];
/// What is compared where nothing else is said.
pub const DEFAULT_STRATEGIES: [StrategyName; 7] = [
    StrategyName::Sl,
    StrategyName::Twap,
    StrategyName::TwapSchedule,
    StrategyName::Vwap,
    StrategyName::Pov,
    StrategyName::Ac,
    StrategyName::Market,
];

/// What the others are compared with where nothing else is said.
pub const AGAINST: Entrant = Entrant::Strategy(StrategyName::Twap);

/// The most decisions an episode may ask for.
const MOST_STEPS: f64 = 1e5;
/// Time between two points of the example episode's picture, in seconds.
const PICTURE_STEP: f64 = 0.5;

/// A market with its name in the results.
#[derive(Clone, Debug)]
pub struct NamedMarket {
    /// The name.
    pub name: String,
    /// The market.
    pub config: MarketConfig,
    /// Its latency, compiled.
    pub latency: Latency,
}

/// What is compared, in every market.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sizes of the parent order, in lots: one cell each, in ascending order.
    pub lots: Vec<u64>,
    /// Sell or buy.
    pub side: Side,
    /// Sessions a market; every strategy plays all of them.
    pub episodes: usize,
    /// Who is compared. One that is named twice takes part once; a policy takes part in the cell of the size that it was trained for.
    pub strategies: Vec<Entrant>,
    /// What the others are compared with, where it takes part.
    pub against: Entrant,
    /// Their knobs.
    pub params: StrategyParams,
    /// Time to trade in, in seconds.
    pub horizon_seconds: f64,
    /// Time between decisions, in seconds.
    pub step_seconds: f64,
    /// Session `i` has the seed `derive_seed(seed, i)`.
    pub seed: u64,
    /// Instead, that of `lobgym evaluate`: [`session_seed`](crate::evaluation::session_seed), which no training plays.
    pub held_out: bool,
    /// Worker threads; the results do not depend on it.
    pub threads: usize,
    /// True if episodes of each cell are to be drawn.
    pub examples: bool,
}

/// Where a comparison's settings came from, for its record.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The `.npz` file of the order flow, if it is not the project's own.
    pub flow_file: Option<String>,
    /// What would make the comparison again.
    pub command: String,
}

/// One market's outcomes, episode by episode.
pub struct MarketOutcomes {
    /// Name of the market.
    pub market: String,
    /// Who traded what, in the order of the outcomes.
    pub lineups: Vec<Lineup>,
    /// Outcome of each episode, cell and candidate.
    pub outcomes: Outcomes,
}

/// What a comparison has found.
pub struct Compared {
    /// The figures.
    pub comparison: report::Comparison,
    /// One episode a cell, where they were asked for.
    pub examples: Vec<Example>,
    /// What the figures were taken over.
    pub outcomes: Vec<MarketOutcomes>,
    /// What should be known of the policies: cells that they did not take part in, sessions that they may have been trained on.
    pub notes: Vec<String>,
}

impl Plan {
    /// Checks every field, and puts sizes in order.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn tidy(mut self) -> Result<Self, ParameterError> {
        let (horizon, step) = (self.horizon_seconds, self.step_seconds);
        for (key, seconds) in [("horizon_seconds", horizon), ("step_seconds", step)] {
            if !(seconds > 0.0 && seconds <= 1e6) {
                return Err(ParameterError::new(key, seconds, "above 0 and at most 1000000 seconds"));
            }
        }
        if step > horizon {
            return Err(ParameterError::new("step_seconds", step, "at most the horizon"));
        }
        if horizon / step > MOST_STEPS {
            let legal = "at least a hundred-thousandth of the horizon";
            return Err(ParameterError::new("step_seconds", step, legal));
        }
        if let Some(&lots) = self.lots.iter().find(|&lots| !(1..=1_000_000).contains(lots)) {
            let legal = "whole numbers from 1 to 1000000, or all";
            return Err(ParameterError::new("lots", lots, legal));
        }
        if self.lots.is_empty() {
            return Err(ParameterError::new("lots", "empty", "at least one size"));
        }
        if self.strategies.is_empty() {
            return Err(ParameterError::new("strategies", "empty", "at least one strategy"));
        }
        for (key, value, most) in
            [("episodes", self.episodes as u64, 10_000_000), ("threads", self.threads as u64, 1024)]
        {
            if !(1..=most).contains(&value) {
                return Err(ParameterError::new(key, value, format!("a whole number from 1 to {most}")));
            }
        }
        self.params.validate()?;
        self.lots.sort_unstable();
        self.lots.dedup();
        let mut seen = Vec::new();
        for entrant in self.strategies {
            if !seen.contains(&entrant) {
                seen.push(entrant);
            }
        }
        self.strategies = seen;
        Ok(self)
    }

    fn tasks(&self) -> Vec<Task> {
        let task = |&lots: &u64| Task {
            side: self.side,
            lots,
            horizon_seconds: self.horizon_seconds,
            step_seconds: self.step_seconds,
        };
        self.lots.iter().map(task).collect()
    }
}

/// The cells, each with who takes part, and what is to be said about it.
fn lineups(plan: &Plan) -> Result<(Vec<Lineup>, Vec<String>), PolicyError> {
    let mut lineups: Vec<Lineup> =
        plan.tasks().into_iter().map(|task| Lineup { task, candidates: Vec::new() }).collect();
    let mut notes = Vec::new();
    for entrant in &plan.strategies {
        let candidate = entrant.candidate()?;
        let Candidate::Policy(policy) = &candidate else {
            lineups.iter_mut().for_each(|lineup| lineup.candidates.push(candidate.clone()));
            continue;
        };
        let lots = policy.task().lots;
        // Where the size fits, all else must; where none does, the first cell is as good as any to say why.
        let own = lineups.iter().position(|lineup| lineup.task.lots == lots);
        let lineup = &mut lineups[own.unwrap_or(0)];
        policy.check(&lineup.task)?;
        lineup.candidates.push(candidate.clone());
        let others: Vec<String> =
            plan.lots.iter().filter(|&&other| other != lots).map(u64::to_string).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            notes.push(format!("{} trades {lots} lots and was left out with {others} lots", policy.name()));
        }
        if !plan.held_out && trained_on(policy, plan.seed) {
            notes.push(format!(
                "{} was trained with seed {}: some of these sessions may be among those it was trained on; another --seed has others",
                policy.name(),
                plan.seed
            ));
        }
    }
    Ok((lineups, notes))
}

/// Whether a row of the policy's training environments had this seed: row r of a training with seed s plays sessions `derive_seed(s + r, i)`.
fn trained_on(policy: &ExecutionPolicy, seed: u64) -> bool {
    let number = |key: &str| policy.header().training.get(key).and_then(serde_json::Value::as_u64);
    let (Some(first), Some(rows)) = (number("seed"), number("environments")) else { return false };
    seed.wrapping_sub(first) < rows
}

/// Compares. `progress` is told the market and how many of its episodes have been finished since it was last told. After `stop` is set, what
/// is finished without a gap is returned, and marked as interrupted.
///
/// # Errors
/// A setting that is not legal, or the first session that could not be run.
pub fn run(
    plan: Plan,
    markets: &[NamedMarket],
    origin: Origin,
    stop: &AtomicBool,
    progress: &(dyn Fn(&str, usize) + Sync),
) -> Result<Compared, EpisodeError> {
    let plan = plan.tidy()?;
    let (lineups, notes) = lineups(&plan)?;
    let against = plan.against.to_string();
    let seed = if plan.held_out { evaluation_seed(plan.seed) } else { plan.seed };
    let started = Instant::now();
    let (mut cells, mut examples, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for market in markets {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress(&market.name, 0);
        let wants_almgren_chriss = plan.strategies.contains(&StrategyName::Ac.into());
        let factory =
            StrategyFactory::new(&market.config.flow, plan.params, plan.step_seconds, wants_almgren_chriss)?;
        let run = evaluate::Comparison {
            name: &market.name,
            market: &market.config,
            latency: &market.latency,
            lineups: &lineups,
            against: &against,
            factory: &factory,
            episodes: plan.episodes,
            seed,
            threads: plan.threads,
        };
        let outcomes = run.run(stop, &|done| progress(&market.name, done))?;
        if outcomes.episodes() == 0 {
            break;
        }
        cells.extend(run.summarise(&outcomes));
        if plan.examples {
            examples.extend(draw(&run)?);
        }
        all.push(MarketOutcomes { market: market.name.clone(), lineups: lineups.clone(), outcomes });
    }
    let comparison = report::Comparison {
        cells,
        seconds: started.elapsed().as_secs_f64(),
        settings: settings(&plan, markets, origin, stop.load(Ordering::Relaxed)),
    };
    Ok(Compared { comparison, examples, outcomes: all, notes })
}

/// One sentence for each strategy whose parent order the market could not take: its costs look small, as the rest counts at the final
/// mid.
pub fn warnings(comparison: &report::Comparison) -> Vec<String> {
    let mut warnings = Vec::new();
    for cell in &comparison.cells {
        for strategy in &cell.strategies {
            let filled = strategy.fill_rate_passive + strategy.fill_rate_aggressive;
            if filled < 0.999 {
                warnings.push(format!(
                    "{}, {} lots, {}: only {:.1}% of the parent order found a counterparty; the rest counts at the final mid",
                    cell.market,
                    cell.lots,
                    strategy.name,
                    100.0 * filled
                ));
            }
        }
    }
    warnings
}

/// Example episodes of each cell: the first session, under twap if it takes part, else under the first strategy, and under each policy.
fn draw(run: &evaluate::Comparison<'_>) -> Result<Vec<Example>, EpisodeError> {
    let seed = derive_seed(run.seed, 0);
    let mut arena = Arena::new(&run.market.flow, run.market.fees, run.latency.clone())?;
    let mut examples = Vec::new();
    for Lineup { task, candidates } in run.lineups {
        let usual = candidates.iter().position(|candidate| candidate.is(StrategyName::Twap)).unwrap_or(0);
        for (index, candidate) in candidates.iter().enumerate() {
            if index != usual && !matches!(candidate, Candidate::Policy(_)) {
                continue;
            }
            let episode = arena.example(&mut run.play(task, candidate)?, seed, PICTURE_STEP)?;
            examples.push(Example {
                market: run.name.to_owned(),
                lots: task.lots,
                strategy: candidate.name().to_owned(),
                seed,
                episode: picture(&episode),
            });
        }
    }
    Ok(examples)
}

fn picture(episode: &Episode) -> EpisodePicture {
    EpisodePicture {
        steps: episode.steps.iter().map(|step| (step.time, step.bid, step.ask, step.remaining)).collect(),
        fills: episode.fills.iter().map(|fill| (fill.time, fill.price, fill.lots, fill.maker)).collect(),
    }
}

fn settings(plan: &Plan, markets: &[NamedMarket], origin: Origin, interrupted: bool) -> report::Settings {
    let each = |of: &dyn Fn(&MarketConfig) -> String| {
        let mut texts: Vec<String> = markets.iter().map(|market| of(&market.config)).collect();
        texts.dedup();
        texts.join("; ")
    };
    report::Settings {
        seed: plan.seed,
        episodes: plan.episodes,
        threads: plan.threads,
        side: plan.side.to_string(),
        horizon_seconds: plan.horizon_seconds,
        step_seconds: plan.step_seconds,
        flow_file: origin.flow_file,
        fees: each(&|market| serde_json::to_string(&market.fees).unwrap_or_default()),
        latency: each(&|market| serde_json::to_string(&market.latency).unwrap_or_default()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        strategies: plan.strategies.iter().map(Entrant::to_string).collect(),
        command: origin.command,
        interrupted,
    }
}
