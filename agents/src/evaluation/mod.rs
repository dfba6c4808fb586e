//! Policies evaluated over the same sessions: what they earned, how, and at what risk.
//!
//! [`perform`] answers a [`Request`] about any environment; the [`Finding`] prints as a table, as JSON and as a page. Behind it, for market making
//! in a book:
//!
//! - A [`Candidate`] is a policy: a rule ([`Rule`], [`grid`]) or anything that maps observations to actions ([`Actor`]), such as a trained policy;
//!   [`Entrant`] is what it is called.
//! - [`evaluate`] plays every candidate through the same sessions, on any number of threads with the same results.
//! - [`Evaluation`] is what `lobgym evaluate` prints, writes as JSON and shows as a page.
//!
//! The execution task is evaluated by [`compare`](crate::compare), the model without a book by [`ModelFinding`]. Every figure is defined in
//! `docs/market_making.md` and `docs/execution.md`.

mod entrant;
mod executing;
mod growth;
mod investing;
mod making;
mod metrics;
mod modelled;
mod player;
mod request;
mod rules;
mod shown;
mod stage;
mod tape;
mod trading;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use entrant::{Entrant, EntrantError};
pub use executing::ExecutionFinding;
pub use growth::PairedGrowth;
pub use investing::{PortfolioFinding, PortfolioSummary};
pub use making::MakingFinding;
pub use metrics::{HORIZONS, InventoryShare, Summary, Sums, TRADING_SECONDS_PER_YEAR};
pub use modelled::{ModelFinding, ModelSummary};
pub use player::{Actor, Candidate, Player};
pub use request::{EvaluateError, Finding, Request, can_evaluate, perform, usual_policies};
pub use rules::{DEFAULT_GAMMA, Reach, Rule, RuleKind, grid};
pub use shown::show;
pub use stage::{Setting, Stage};
pub use tape::{Attribution, Tape, TapeFill};
pub use trading::{TradingFinding, TradingSummary};

use lob::ParameterError;
use lob::parameter::integer;
use lob::sim::derive_seed;
use serde::Serialize;

use crate::market_making::QuotingError;
use crate::sharing::share_out;
use crate::statistics::paired_difference;

/// Where the evaluation's sessions are among those of a seed. An environment of a batch draws its sessions from a small number (its seed plus
/// its row), the evaluation from a hash of the seed and this: no session that anything was trained on with the same seed comes again.
const EVALUATION_STREAM: u64 = u64::from_be_bytes(*b"evaluate");

/// What the sessions of an evaluation with this seed are derived from.
pub fn evaluation_seed(seed: u64) -> u64 {
    derive_seed(seed, EVALUATION_STREAM)
}

/// The seed of session `episode` of an evaluation.
pub fn session_seed(seed: u64, episode: u64) -> u64 {
    derive_seed(evaluation_seed(seed), episode)
}

/// How much is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Sessions; every candidate plays all of them.
    pub episodes: usize,
    /// See [`session_seed`].
    pub seed: u64,
    /// Worker threads; the results do not depend on it.
    pub threads: usize,
}

/// A difference between two policies on the same sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedPolicies {
    /// The policy.
    pub name: String,
    /// What it is compared with.
    pub against: String,
    /// Mean of (reward of `name` - reward of `against`) over the sessions.
    pub difference: f64,
    /// Its 95% confidence interval: low, high.
    pub ci95: [f64; 2],
    /// The same of the profits, money.
    pub pnl_difference: f64,
    /// Its 95% confidence interval.
    pub pnl_ci95: [f64; 2],
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// A policy each, in the order of the candidates.
    pub policies: Vec<Summary>,
    /// Each other policy against one.
    pub paired: Vec<PairedPolicies>,
    /// How long it took, s.
    pub seconds: f64,
    /// True if it was stopped early: episodes are missing.
    pub interrupted: bool,
}

/// Plays every candidate through the same sessions. `progress` is told how many sessions have been finished since it was last told. After
/// `stop` is set, what is finished without a gap from the first session is summarised, and marked as interrupted.
///
/// # Errors
/// A number that is not legal, or the first session that could not be played.
pub fn evaluate(
    setting: &Setting,
    candidates: &[Candidate],
    plan: &Plan,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Evaluation, QuotingError> {
    integer("episodes", plan.episodes as u64, 1..=10_000_000)?;
    integer("threads", plan.threads as u64, 1..=1024)?;
    if candidates.is_empty() {
        return Err(ParameterError::new("policies", "empty", "at least one policy").into());
    }
    let started = Instant::now();
    let worker = || -> Result<_, QuotingError> {
        let mut stage = Stage::new(setting)?;
        let mut players: Vec<Player> = candidates.iter().map(Candidate::make).collect();
        let mut tape = Tape { step_seconds: setting.step_seconds(), ..Tape::default() };
        Ok(move |episode: usize, chunk: &mut Vec<Sums>| -> Result<(), QuotingError> {
            chunk.resize(players.len(), Sums::default());
            let session = session_seed(plan.seed, episode as u64);
            for (player, sums) in players.iter_mut().zip(chunk) {
                stage.play(session, player, &mut tape)?;
                sums.add(&tape);
            }
            Ok(())
        })
    };
    let chunks = share_out(plan.episodes, plan.threads, stop, progress, worker)?;
    let mut all = vec![Sums::default(); candidates.len()];
    for sums in chunks {
        for (all, sums) in all.iter_mut().zip(sums) {
            all.merge(sums);
        }
    }
    let (step, tick) = (setting.step_seconds(), setting.tick_value());
    let summarise = |(candidate, sums): (&Candidate, Sums)| {
        sums.summarise(&candidate.name, &candidate.description, step, tick)
    };
    Ok(Evaluation {
        policies: candidates.iter().zip(all).map(summarise).collect(),
        paired: Vec::new(),
        seconds: started.elapsed().as_secs_f64(),
        interrupted: stop.load(Ordering::Relaxed),
    })
}

impl Evaluation {
    /// Sorts the policies by mean reward, the best first.
    pub fn sort(&mut self) {
        self.policies.sort_by(|one, other| other.reward_mean.total_cmp(&one.reward_mean));
    }

    /// Compares all policies with the one at `against`.
    pub fn compare_with(&mut self, against: usize) {
        let base = &self.policies[against];
        let others = self.policies.iter().enumerate().filter(|(index, _)| *index != against);
        let pair = |(_, policy): (usize, &Summary)| {
            let reward = paired_difference(&policy.rewards, &base.rewards);
            let profit = paired_difference(&policy.profits, &base.profits);
            PairedPolicies {
                name: policy.name.clone(),
                against: base.name.clone(),
                difference: reward.mean,
                ci95: reward.ci95,
                pnl_difference: profit.mean,
                pnl_ci95: profit.ci95,
            }
        };
        self.paired = others.map(pair).collect();
    }
}

/// One session under one candidate, to be drawn.
///
/// # Errors
/// A session that cannot be played.
pub fn example(setting: &Setting, candidate: &Candidate, session: u64) -> Result<Tape, QuotingError> {
    let mut tape = Tape { step_seconds: setting.step_seconds(), ..Tape::default() };
    Stage::new(setting)?.play(session, &mut candidate.make(), &mut tape)?;
    Ok(tape)
}
