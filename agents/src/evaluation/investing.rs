//! Portfolios, evaluated over many sessions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gym::config::Task;
use gym::envs::{PortfolioRebalancing, PortfolioRebalancingConfig};
use gym::{Env, EnvConfig};
use lob::ParameterError;
use lob::sim::derive_seed;
use serde::Serialize;
use serde_json::{Value, json};

use super::growth::{Grown, PairedGrowth};
use super::request::{EvaluateError, Record, Request, place_of};
use super::session_seed;
use crate::backtest::entrant::Prepared;
use crate::backtest::{Alternative, Entrant};
use crate::portfolio::Rule;
use crate::report::{SessionsPage, SessionsRow, plain_table, sessions_html};
use crate::sharing::share_out;
use crate::statistics::{mean_and_deviation, worst_twentieth};

/// What an evaluation of portfolios found.
#[derive(Debug)]
pub struct PortfolioFinding {
    /// A policy each.
    pub policies: Vec<PortfolioSummary>,
    /// Each other policy against one.
    pub paired: Vec<PairedGrowth>,
    pub(super) record: Record,
}

/// What a policy did with the portfolio. Growth is of a session: `ln(net asset value at its end / at its start)`, after costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PortfolioSummary {
    /// Its name.
    pub name: String,
    /// Sessions behind the figures.
    pub episodes: usize,
    /// Growth: mean,
    pub growth_mean: f64,
    /// standard deviation (n - 1)
    pub growth_std: f64,
    /// and standard error of the mean.
    pub growth_se: f64,
    /// Mean of the worst 5% of growth.
    pub growth_cvar95: f64,
    /// Mean over the sessions of the largest loss since a maximum before, a share of that.
    pub max_drawdown_mean: f64,
    /// Mean turnover of a session: sum of the absolute changes of the assets' weights.
    pub turnover_mean: f64,
    /// Mean fees of a session, as a share of the capital.
    pub fees_mean: f64,
    /// Mean impact of a session, as a share of the capital.
    pub impact_mean: f64,
    /// Sum of the rewards of a session: mean,
    pub reward_mean: f64,
    /// and standard error of the mean.
    pub reward_se: f64,
    /// Share of the sessions that ended in ruin.
    pub ruined: f64,
    /// The growth of each session.
    #[serde(skip)]
    pub growths: Vec<f64>,
    /// The reward of each.
    #[serde(skip)]
    pub rewards: Vec<f64>,
}

/// One policy's sessions.
#[derive(Clone, Debug, Default)]
struct Sums {
    growths: Vec<f64>,
    rewards: Vec<f64>,
    drawdown: f64,
    turnover: f64,
    fees: f64,
    impact: f64,
    ruined: usize,
}

/// The environment of one thread.
struct Stage {
    env: PortfolioRebalancing,
    cost: f64,
    steps: u64,
    observation: Vec<f32>,
    info: Vec<f64>,
    targets: Vec<f64>,
    past: Vec<f64>,
}

impl Stage {
    fn new(config: &EnvConfig, task: &PortfolioRebalancingConfig) -> Result<Self, EvaluateError> {
        let env = PortfolioRebalancing::new(task, &config.directory)?;
        Ok(Self {
            cost: task.transaction_cost,
            steps: config.max_episode_steps.unwrap_or(u64::MAX),
            observation: vec![0.0; env.observation_space().len()],
            info: vec![0.0; env.info_names().len()],
            targets: vec![0.0; env.weights().len()],
            past: Vec::new(),
            env,
        })
    }

    fn play(&mut self, session: u64, prepared: &Prepared, sums: &mut Sums) -> Result<(), EvaluateError> {
        // A stream of its own: a policy that draws must not draw the market's numbers.
        let mut decider = prepared.make(derive_seed(session, u64::MAX));
        self.env.reset(session, &mut self.observation)?;
        let assets = self.env.assets();
        self.past.clear();
        self.past.extend(self.env.past().into_iter().flatten());
        let capital = self.env.nav();
        let (mut peak, mut drawdown, mut reward) = (capital, 0.0_f64, 0.0);
        for step in 1.. {
            let found = decider.step(
                &mut self.env,
                &self.past,
                self.cost,
                &mut self.targets,
                &mut self.observation,
            )?;
            reward += found.reward;
            peak = peak.max(self.env.nav());
            drawdown = drawdown.max(1.0 - self.env.nav() / peak);
            if found.terminated || found.truncated || step >= self.steps {
                sums.ruined += usize::from(found.terminated);
                break;
            }
            let [older, newer] = self.env.past();
            let last = if newer.is_empty() { older } else { newer };
            self.past.extend_from_slice(&last[last.len() - assets..]);
        }
        self.env.write_info(&mut self.info);
        let info = |name: &str| {
            let place = PortfolioRebalancing::INFO.iter().position(|known| *known == name);
            self.info[place.expect("a name of the environment's own")]
        };
        sums.growths.push(libm::log(self.env.nav().max(f64::MIN_POSITIVE) / capital));
        sums.rewards.push(reward);
        sums.drawdown += drawdown;
        sums.turnover += info("total_turnover");
        sums.fees += info("fees") / capital;
        sums.impact += info("impact") / capital;
        Ok(())
    }
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.growths.extend(other.growths);
        self.rewards.extend(other.rewards);
        self.drawdown += other.drawdown;
        self.turnover += other.turnover;
        self.fees += other.fees;
        self.impact += other.impact;
        self.ruined += other.ruined;
    }

    fn summarise(self, name: String) -> PortfolioSummary {
        let n = self.growths.len().max(1) as f64;
        let (growth_mean, growth_std) = mean_and_deviation(&self.growths);
        let (reward_mean, reward_std) = mean_and_deviation(&self.rewards);
        PortfolioSummary {
            name,
            episodes: self.growths.len(),
            growth_mean,
            growth_std,
            growth_se: growth_std / n.sqrt(),
            growth_cvar95: worst_twentieth(&self.growths),
            max_drawdown_mean: self.drawdown / n,
            turnover_mean: self.turnover / n,
            fees_mean: self.fees / n,
            impact_mean: self.impact / n,
            reward_mean,
            reward_se: reward_std / n.sqrt(),
            ruined: self.ruined as f64 / n,
            growths: self.growths,
            rewards: self.rewards,
        }
    }
}

/// Policies to be evaluated where nothing is said.
pub(super) fn usual(task: &PortfolioRebalancingConfig) -> Vec<String> {
    let mut names = vec![
        "equal_weight",
        "equal_weight:band=0.05",
        "buy_and_hold",
        "minimum_variance",
        "mean_variance",
        "cost_aware",
        "risk_parity",
    ];
    if task.observe_expected {
        names.push("no_trade_band");
    }
    names.into_iter().map(str::to_owned).collect()
}

/// All rules with a net of parameters, as they are asked for with their alternatives.
fn grid(task: &PortfolioRebalancingConfig) -> Vec<&'static str> {
    let mut entrants = vec![
        "buy_and_hold",
        "equal_weight:band=0|0.01|0.02|0.05|0.1",
        "minimum_variance:window=60|120|250",
        "mean_variance:window=60|120|250:risk_aversion=1|2|5|20",
        "cost_aware:window=60|120|250:risk_aversion=1|2|5|20:horizon=20|60",
        "risk_parity:window=60|120|250",
    ];
    if task.observe_expected {
        entrants.push("no_trade_band:aim=5|10|20|40|80|160|320:band=0|0.25|0.5|1|1.5|2|3|4|6|8|12|16|24|32");
    }
    entrants
}

/// Who plays, each once.
fn alternatives(
    request: &Request,
    task: &PortfolioRebalancingConfig,
) -> Result<Vec<Alternative>, ParameterError> {
    let mut found: Vec<Alternative> = Vec::new();
    let named = request.policies.iter().map(String::as_str);
    let searched = if request.grid { grid(task) } else { Vec::new() };
    for text in named.chain(searched) {
        for alternative in text.parse::<Entrant>()?.alternatives {
            if alternative.needs_expected() && !task.observe_expected {
                let legal = "another policy where env.observe_expected is false: it must know what growth is expected";
                return Err(ParameterError::new("policy", format_args!("{text:?}"), legal));
            }
            if !found.contains(&alternative) {
                found.push(alternative);
            }
        }
    }
    Ok(found)
}

impl PortfolioFinding {
    pub(super) fn find(
        request: &Request,
        stop: &AtomicBool,
        progress: &(dyn Fn(&str, usize) + Sync),
    ) -> Result<Self, EvaluateError> {
        let Task::PortfolioRebalancing(task) = &request.env.task else {
            return Err(ParameterError::new("name", request.env.name(), "portfolio_rebalancing").into());
        };
        let alternatives = alternatives(request, task)?;
        // The past of whoever looks back the farthest: sessions are the same for all.
        let longest = alternatives.iter().map(Alternative::window).max().unwrap_or(0);
        let task = PortfolioRebalancingConfig { history: task.history.max(longest), ..task.clone() };
        let env = PortfolioRebalancing::new(&task, &request.env.directory)?;
        let prepared =
            alternatives.iter().map(|one| one.prepare(&env)).collect::<Result<Vec<Prepared>, _>>()?;
        let names: Vec<String> = alternatives.iter().map(Alternative::name).collect();
        let against = request.against.as_deref().map(|text| place(text, &names)).transpose()?;
        let started = Instant::now();
        let worker = || -> Result<_, EvaluateError> {
            let mut stage = Stage::new(&request.env, &task)?;
            let prepared = &prepared;
            Ok(move |episode: usize, chunk: &mut Vec<Sums>| -> Result<(), EvaluateError> {
                chunk.resize(prepared.len(), Sums::default());
                let session = session_seed(request.seed, episode as u64);
                prepared.iter().zip(chunk).try_for_each(|(one, sums)| stage.play(session, one, sums))
            })
        };
        let doing = format!("sessions x {} policies", prepared.len());
        let tell = |finished: usize| progress(&doing, finished);
        let chunks = share_out(request.episodes, request.threads, stop, &tell, worker)?;
        let mut all = vec![Sums::default(); prepared.len()];
        for chunk in chunks {
            all.iter_mut().zip(chunk).for_each(|(all, sums)| all.merge(sums));
        }
        let mut policies: Vec<PortfolioSummary> =
            all.into_iter().zip(names).map(|(sums, name)| sums.summarise(name)).collect();
        let base = against.map(|against| policies[against].name.clone());
        if request.grid {
            policies.sort_by(|one, other| other.growth_mean.total_cmp(&one.growth_mean));
        }
        let base = base.and_then(|name| policies.iter().position(|policy| policy.name == name)).unwrap_or(0);
        let paired = PairedGrowth::against(&policies, base);
        let record = Record::new(request, started.elapsed().as_secs_f64(), stop.load(Ordering::Relaxed));
        Ok(Self { policies, paired, record })
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        let policies = serde_json::to_value(&self.policies)?;
        let paired = serde_json::to_value(&self.paired)?;
        Ok(json!({"policies": policies, "paired": paired, "settings": serde_json::to_value(&self.record)?}))
    }

    pub(super) fn html(&self) -> String {
        sessions_html(&SessionsPage {
            title: "Portfolios evaluated",
            guide: "Growth is the logarithm of the net asset value's growth in a session after costs, in per cent; costs are per cent of \
                    the capital; turnover is the sum of the absolute changes of weights, in units of the net asset value.",
            policies: self.policies.iter().map(PortfolioSummary::row).collect(),
            columns: &COLUMNS.map(|(column, _)| column),
            of_a_session: "growth in a session, %",
            paired: self.paired.iter().map(PairedGrowth::percent).collect(),
            settings: self.record.rows(),
            interrupted: self.record.interrupted,
        })
    }

    pub(super) fn table(&self) -> String {
        let rows = self.policies.iter().map(|policy| {
            let pair = self.paired.iter().find(|pair| pair.name == policy.name);
            vec![
                policy.name.clone(),
                format!("{:.3}", 100.0 * policy.growth_mean),
                format!("{:.3}", 100.0 * policy.growth_se),
                pair.map_or("-".to_owned(), |pair| {
                    let [low, high] = pair.growth_ci95.map(|end| 100.0 * end);
                    format!("{:+.3} [{low:+.3}, {high:+.3}]", 100.0 * pair.growth_difference)
                }),
                format!("{:.1}", 100.0 * policy.growth_std),
                format!("{:.1}", 100.0 * policy.max_drawdown_mean),
                format!("{:.2}", policy.turnover_mean),
                format!("{:.3} / {:.3}", 100.0 * policy.fees_mean, 100.0 * policy.impact_mean),
            ]
        });
        let header = [
            "policy",
            "growth, %",
            "s.e.",
            "difference, 95%",
            "std",
            "drawdown",
            "turnover",
            "fees / impact, %",
        ];
        let against = self.paired.first();
        let against =
            against.map_or(String::new(), |pair| format!("; differences in growth are to {}", pair.against));
        let episodes = self.policies.first().map_or(0, |policy| policy.episodes);
        let seconds = self.record.seconds;
        let table = plain_table(&header, 1, rows.collect());
        format!("portfolio_rebalancing, {episodes} sessions, {seconds:.1} s{against}\n{table}")
    }
}

impl Grown for PortfolioSummary {
    fn grown(&self) -> (&str, &[f64], &[f64]) {
        (&self.name, &self.growths, &self.rewards)
    }
}

impl PortfolioSummary {
    fn row(&self) -> SessionsRow<'_> {
        SessionsRow {
            name: &self.name,
            description: "",
            figures: COLUMNS.iter().map(|(_, of)| Some(of(self))).collect(),
            standard_error: 100.0 * self.growth_se,
            sessions: self.growths.iter().map(|growth| 100.0 * growth).collect(),
        }
    }
}

type Column = ((&'static str, Option<usize>), fn(&PortfolioSummary) -> f64);

/// The page's columns: names and decimals, and where they come from. Per cent, turnover apart.
const COLUMNS: [Column; 9] = [
    (("growth", None), |p| 100.0 * p.growth_mean),
    (("s.e.", None), |p| 100.0 * p.growth_se),
    (("std", Some(2)), |p| 100.0 * p.growth_std),
    (("worst 5%", Some(2)), |p| 100.0 * p.growth_cvar95),
    (("drawdown", Some(2)), |p| 100.0 * p.max_drawdown_mean),
    (("turnover", Some(2)), |p| p.turnover_mean),
    (("fees", Some(3)), |p| 100.0 * p.fees_mean),
    (("impact", Some(3)), |p| 100.0 * p.impact_mean),
    (("ruined", Some(2)), |p| 100.0 * p.ruined),
];

/// The place of whom the others are compared with, however its parameters are written.
fn place(text: &str, names: &[String]) -> Result<usize, ParameterError> {
    let name = text.parse::<Rule>().map_or_else(|_| text.to_owned(), |rule| rule.to_string());
    place_of(&name, &names.iter().map(String::as_str).collect::<Vec<_>>())
}
