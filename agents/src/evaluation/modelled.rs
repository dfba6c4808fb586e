//! Market making in the model without a book, evaluated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gym::envs::{ModelMarketMaking, ModelMarketMakingConfig};
use gym::{Action, Env};
use lob::ParameterError;
use lob::sim::derive_seed;
use serde::Serialize;
use serde_json::{Value, json};

use super::entrant::Entrant;
use super::player::{Candidate, Player};
use super::request::{EvaluateError, Record, Request, place_of};
use super::rules::{Reach, Rule, RuleKind};
use super::stage::RULE_REACH;
use super::{PairedPolicies, session_seed};
use crate::market_making::{FillModel, QuotingError, Situation};
use crate::report::{Paired, SessionsPage, SessionsRow, plain_table, sessions_html};
use crate::sharing::share_out;
use crate::statistics::{mean_and_deviation, paired_difference, worst_twentieth};

/// What an evaluation of market making in the model found.
#[derive(Debug)]
pub struct ModelFinding {
    /// A policy each.
    pub policies: Vec<ModelSummary>,
    /// Each other policy against one.
    pub paired: Vec<PairedPolicies>,
    pub(super) record: Record,
}

/// What a policy did in the model. Money is ticks x lots; docs/market_making.md defines the figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Its name.
    pub name: String,
    /// What it is, in full.
    pub description: String,
    /// Sessions behind the figures.
    pub episodes: usize,
    /// Sum of the rewards of an episode: mean,
    pub reward_mean: f64,
    /// standard deviation (n - 1),
    pub reward_std: f64,
    /// and standard error of the mean.
    pub reward_se: f64,
    /// Profit of an episode, what is held at the end at the mid.
    pub pnl_mean: f64,
    /// Its standard deviation.
    pub pnl_std: f64,
    /// Standard error of its mean.
    pub pnl_se: f64,
    /// Mean of the worst 5% of profits.
    pub pnl_cvar95: f64,
    /// `pnl_mean / pnl_std`; none if the profit is always the same.
    pub sharpe: Option<f64>,
    /// Mean inventory at the decisions, lots.
    pub inventory_mean: f64,
    /// Mean of its size.
    pub inventory_abs_mean: f64,
    /// The reward of each session.
    #[serde(skip)]
    pub rewards: Vec<f64>,
    /// The profit of each.
    #[serde(skip)]
    pub profits: Vec<f64>,
}

impl ModelSummary {
    fn row(&self) -> SessionsRow<'_> {
        SessionsRow {
            name: &self.name,
            description: &self.description,
            figures: COLUMNS.iter().map(|(_, of)| of(self)).collect(),
            standard_error: self.reward_se,
            sessions: self.rewards.clone(),
        }
    }
}

type Column = ((&'static str, Option<usize>), fn(&ModelSummary) -> Option<f64>);

/// The page's columns: names and decimals, and where they come from.
const COLUMNS: [Column; 9] = [
    (("reward", None), |p| Some(p.reward_mean)),
    (("std", None), |p| Some(p.reward_std)),
    (("s.e.", None), |p| Some(p.reward_se)),
    (("P&L", Some(2)), |p| Some(p.pnl_mean)),
    (("P&L std", Some(2)), |p| Some(p.pnl_std)),
    (("P&L worst 5%", Some(2)), |p| Some(p.pnl_cvar95)),
    (("Sharpe", Some(2)), |p| p.sharpe),
    (("inventory", Some(2)), |p| Some(p.inventory_mean)),
    (("|inventory|", Some(2)), |p| Some(p.inventory_abs_mean)),
];

/// One policy's episodes.
#[derive(Clone, Debug, Default)]
struct Sums {
    rewards: Vec<f64>,
    profits: Vec<f64>,
    decisions: u64,
    inventory: f64,
    inventory_abs: f64,
}

/// The environments of one thread: for rules, with offsets beyond the mid, and for policies, as configured.
struct Stage {
    rules: ModelMarketMaking,
    actors: ModelMarketMaking,
    steps: u64,
    observation: Vec<f32>,
}

impl Stage {
    fn new(task: &ModelMarketMakingConfig, most: Option<u64>) -> Result<Self, ParameterError> {
        let [min_offset_ticks, max_offset_ticks] = [-RULE_REACH, RULE_REACH];
        let wide = ModelMarketMakingConfig { min_offset_ticks, max_offset_ticks, ..task.clone() };
        let actors = ModelMarketMaking::new(task)?;
        Ok(Self {
            rules: ModelMarketMaking::new(&wide)?,
            steps: most.map_or(task.steps(), |most| task.steps().min(most)),
            observation: vec![0.0; actors.observation_space().len()],
            actors,
        })
    }

    fn play(&mut self, session: u64, player: &mut Player, sums: &mut Sums) -> Result<(), EvaluateError> {
        let Self { rules, actors, steps, observation } = self;
        // A stream of its own: a policy that draws must not draw the market's numbers.
        let seed = derive_seed(session, u64::MAX);
        let env = match player {
            Player::Rule(quoter) => {
                quoter.start(seed);
                rules
            }
            Player::Actor(actor) => {
                actor.start(seed);
                actors
            }
        };
        env.reset(session, observation).map_err(QuotingError::from)?;
        let mut reward = 0.0;
        for _ in 0..*steps {
            sums.decisions += 1;
            sums.inventory += env.inventory();
            sums.inventory_abs += env.inventory().abs();
            let step = match player {
                Player::Rule(quoter) => {
                    let situation = Situation {
                        // Offsets count from the mid, wherever it is.
                        mid: 0.0,
                        spread: None,
                        inventory: env.inventory(),
                        time_left: env.time_left(),
                    };
                    let action = env.action().action(&quoter.quotes(&situation));
                    env.step(Action::Continuous(&action), observation)
                }
                Player::Actor(actor) => {
                    let action = actor.act(observation);
                    env.action_space().check(action).map_err(QuotingError::from)?;
                    env.step(action, observation)
                }
            };
            reward += step.reward;
        }
        sums.rewards.push(reward);
        sums.profits.push(env.profit());
        Ok(())
    }
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.rewards.extend(other.rewards);
        self.profits.extend(other.profits);
        self.decisions += other.decisions;
        self.inventory += other.inventory;
        self.inventory_abs += other.inventory_abs;
    }

    fn summarise(self, candidate: &Candidate) -> ModelSummary {
        let root = (self.rewards.len().max(1) as f64).sqrt();
        let decisions = self.decisions.max(1) as f64;
        let (reward_mean, reward_std) = mean_and_deviation(&self.rewards);
        let (pnl_mean, pnl_std) = mean_and_deviation(&self.profits);
        ModelSummary {
            name: candidate.name.clone(),
            description: candidate.description.clone(),
            episodes: self.rewards.len(),
            reward_mean,
            reward_std,
            reward_se: reward_std / root,
            pnl_mean,
            pnl_std,
            pnl_se: pnl_std / root,
            pnl_cvar95: worst_twentieth(&self.profits),
            sharpe: (pnl_std > 0.0).then(|| pnl_mean / pnl_std),
            inventory_mean: self.inventory / decisions,
            inventory_abs_mean: self.inventory_abs / decisions,
            rewards: self.rewards,
            profits: self.profits,
        }
    }
}

impl ModelFinding {
    pub(super) fn find(
        request: &Request,
        task: &ModelMarketMakingConfig,
        stop: &AtomicBool,
        progress: &(dyn Fn(&str, usize) + Sync),
    ) -> Result<Self, EvaluateError> {
        let candidates = candidates(request, task)?;
        let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        let against = match &request.against {
            Some(text) => {
                let name =
                    text.parse::<Entrant>().map_or_else(|_| text.clone(), |entrant| entrant.to_string());
                place_of(&name, &names)?
            }
            None => 0,
        };
        let started = Instant::now();
        let most = request.env.max_episode_steps();
        let worker = || -> Result<_, EvaluateError> {
            let mut stage = Stage::new(task, most)?;
            let mut players: Vec<Player> = candidates.iter().map(Candidate::make).collect();
            Ok(move |episode: usize, chunk: &mut Vec<Sums>| -> Result<(), EvaluateError> {
                chunk.resize(players.len(), Sums::default());
                let session = session_seed(request.seed, episode as u64);
                players.iter_mut().zip(chunk).try_for_each(|(player, sums)| stage.play(session, player, sums))
            })
        };
        let doing = format!("sessions x {} policies", candidates.len());
        let chunks =
            share_out(request.episodes, request.threads, stop, &|done| progress(&doing, done), worker)?;
        let mut all = vec![Sums::default(); candidates.len()];
        for chunk in chunks {
            all.iter_mut().zip(chunk).for_each(|(all, sums)| all.merge(sums));
        }
        let policies: Vec<ModelSummary> =
            all.into_iter().zip(&candidates).map(|(sums, candidate)| sums.summarise(candidate)).collect();
        let base = &policies[against];
        let others = policies.iter().enumerate().filter(|(index, _)| *index != against);
        let pair = |(_, policy): (usize, &ModelSummary)| {
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
        let paired = others.map(pair).collect();
        let record = Record::new(request, started.elapsed().as_secs_f64(), stop.load(Ordering::Relaxed));
        Ok(Self { policies, paired, record })
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        let policies = serde_json::to_value(&self.policies)?;
        let paired = serde_json::to_value(&self.paired)?;
        Ok(json!({"policies": policies, "paired": paired, "settings": serde_json::to_value(&self.record)?}))
    }

    pub(super) fn html(&self) -> String {
        let pair = |pair: &PairedPolicies| Paired {
            name: pair.name.clone(),
            against: pair.against.clone(),
            difference: pair.difference,
            ci95: pair.ci95,
        };
        sessions_html(&SessionsPage {
            title: "Market making in a model evaluated",
            guide: "Money is ticks \u{d7} lots, inventory lots.",
            policies: self.policies.iter().map(ModelSummary::row).collect(),
            columns: &COLUMNS.map(|(column, _)| column),
            of_a_session: "reward of an episode",
            paired: self.paired.iter().map(pair).collect(),
            settings: self.record.rows(),
            interrupted: self.record.interrupted,
        })
    }

    pub(super) fn table(&self) -> String {
        let rows = self.policies.iter().map(|policy| {
            let pair = self.paired.iter().find(|pair| pair.name == policy.name);
            vec![
                policy.name.clone(),
                format!("{:.3}", policy.reward_mean),
                format!("{:.3}", policy.reward_std),
                format!("{:.3}", policy.reward_se),
                pair.map_or("-".to_owned(), |pair| {
                    format!("{:+.3} [{:+.3}, {:+.3}]", pair.difference, pair.ci95[0], pair.ci95[1])
                }),
                format!("{:.2} / {:.2}", policy.pnl_mean, policy.pnl_std),
                policy.sharpe.map_or("-".to_owned(), |sharpe| format!("{sharpe:.2}")),
                format!("{:.2}", policy.inventory_abs_mean),
            ]
        });
        let header =
            ["policy", "reward", "std", "s.e.", "difference, 95%", "P&L mean / std", "Sharpe", "mean |inv|"];
        let against = self.paired.first();
        let against =
            against.map_or(String::new(), |pair| format!("; differences in reward are to {}", pair.against));
        let episodes = self.policies.first().map_or(0, |policy| policy.episodes);
        let seconds = self.record.seconds;
        let table = plain_table(&header, 1, rows.collect());
        format!("model_market_making, {episodes} sessions, {seconds:.1} s{against}\n{table}")
    }
}

/// Who plays, each once.
fn candidates(request: &Request, task: &ModelMarketMakingConfig) -> Result<Vec<Candidate>, EvaluateError> {
    let env = ModelMarketMaking::new(task)?;
    let reach = Reach {
        max_lots: task.max_quote_lots,
        limit: task.inventory_limit,
        offsets: [task.min_offset_ticks, task.max_offset_ticks],
    };
    // The world is known here: nothing is to be fitted.
    let model = FillModel {
        arrival_rate: task.arrival_rate,
        decay: task.decay,
        volatility: task.volatility,
        rates: Vec::new(),
    };
    let mut entrants: Vec<Entrant> = Vec::new();
    let mut candidates = Vec::new();
    for text in &request.policies {
        let entrant: Entrant = text.parse()?;
        if entrants.contains(&entrant) {
            continue;
        }
        candidates.push(match &entrant {
            Entrant::Rule(Rule { kind: RuleKind::Join, .. }) => {
                let legal = "mid, as, glft, random or policy:PATH: there is no book to join";
                return Err(ParameterError::new("policy", format_args!("{text:?}"), legal).into());
            }
            Entrant::Rule(rule) => rule.candidate_within(&reach, Some(&model))?,
            Entrant::Policy(reference) => Entrant::trained(reference, &env, "model_market_making")?,
        });
        entrants.push(entrant);
    }
    Ok(candidates)
}
