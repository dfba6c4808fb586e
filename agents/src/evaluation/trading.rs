//! Traders of one asset, evaluated over many sessions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gym::config::Task;
use gym::envs::trader::Part;
use gym::envs::{Trader, TraderConfig};
use gym::{Env, EnvConfig};
use lob::sim::derive_seed;
use serde::Serialize;
use serde_json::{Value, json};

use super::growth::{Grown, PairedGrowth};
use super::request::{EvaluateError, Record, Request, place_of};
use super::session_seed;
use crate::report::{SessionsPage, SessionsRow, plain_table, sessions_html};
use crate::sharing::share_out;
use crate::statistics::{mean_and_deviation, worst_twentieth};
use crate::trader::{TraderEntrant, TraderMind};

/// Less cash than this share of the equity is none to speak of.
const SPENT: f64 = 0.01;

/// What an evaluation of traders found.
#[derive(Debug)]
pub struct TradingFinding {
    /// A trader each.
    pub policies: Vec<TradingSummary>,
    /// Each other one against one.
    pub paired: Vec<PairedGrowth>,
    /// Sessions that the bars hold without a common bar; none in a book, where each session is another one.
    pub distinct_sessions: Option<u64>,
    /// Which bars were played.
    part: Option<Part>,
    pub(super) record: Record,
}

/// What a trader did. Growth is of a session, `ln(equity at its end / at its start)` with the open position at the last price, after all costs;
/// shares are of the capital.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TradingSummary {
    /// Its name.
    pub name: String,
    /// What it is, in full.
    pub description: String,
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
    /// Sum of the rewards of a session: mean,
    pub reward_mean: f64,
    /// and standard error of the mean.
    pub reward_se: f64,
    /// Mean profit, open position at the last price.
    pub profit_mean: f64,
    /// Mean of the profit that was realised,
    pub realised_mean: f64,
    /// and of what is open at the end.
    pub unrealised_mean: f64,
    /// Mean fees, liquidation fees included.
    pub fees_mean: f64,
    /// Mean of what spread and impact cost.
    pub slippage_mean: f64,
    /// Mean of what holding cost.
    pub funding_mean: f64,
    /// Mean over the sessions of the largest loss since a maximum before, a share of that.
    pub max_drawdown_mean: f64,
    /// Share of the steps at whose end the equity was below its highest.
    pub under_water: f64,
    /// Mean number of fills.
    pub fills_mean: f64,
    /// Mean number of positions opened.
    pub cycles_mean: f64,
    /// Share of the positions closed that brought a profit; none if none was closed.
    pub won: Option<f64>,
    /// Share of the sessions with a position open at the end,
    pub open_at_end: f64,
    /// of those with one at a loss and hardly any cash left,
    pub stuck: f64,
    /// and of those with a liquidation.
    pub liquidated: f64,
    /// The growth of each session.
    #[serde(skip)]
    pub growths: Vec<f64>,
    /// The reward of each.
    #[serde(skip)]
    pub rewards: Vec<f64>,
}

/// One trader's sessions. All but growths and rewards are sums over the sessions.
#[derive(Clone, Debug, Default)]
struct Sums {
    growths: Vec<f64>,
    rewards: Vec<f64>,
    profit: f64,
    realised: f64,
    unrealised: f64,
    fees: f64,
    slippage: f64,
    funding: f64,
    drawdown: f64,
    under_water: u64,
    steps: u64,
    fills: u64,
    cycles: u64,
    won: u64,
    open: u64,
    stuck: u64,
    liquidated: u64,
}

impl Sums {
    /// Plays a session.
    fn play(
        &mut self,
        env: &mut Trader,
        mind: &mut TraderMind,
        session: u64,
        most: u64,
        observation: &mut [f32],
    ) -> Result<(), EvaluateError> {
        env.reset(session, observation)?;
        // A stream of its own: a policy that draws must not draw the market's numbers.
        mind.start(derive_seed(session, u64::MAX));
        let mut reward = 0.0;
        for _ in 0..most {
            let wish = mind.decide(env.session(), observation).wish;
            let step = env.play(wish, observation);
            reward += step.reward;
            if step.is_last() {
                break;
            }
        }
        let (session, wallet) = (env.session(), env.session().wallet());
        let capital = session.capital();
        self.growths.push(libm::log(session.equity().max(capital * 1e-4) / capital));
        self.rewards.push(reward);
        self.profit += session.equity() / capital - 1.0;
        self.realised += wallet.realised / capital;
        self.unrealised += session.unrealised() / capital;
        self.fees += wallet.fees / capital;
        self.slippage += wallet.slippage / capital;
        self.funding += wallet.funding / capital;
        self.drawdown += session.max_drawdown();
        self.under_water += session.steps_under_water();
        self.steps += session.steps();
        self.fills += wallet.fills;
        self.cycles += wallet.cycles;
        self.won += wallet.won;
        self.open += u64::from(wallet.is_open());
        self.stuck += u64::from(
            wallet.is_open() && session.unrealised() < 0.0 && wallet.cash < SPENT * session.equity(),
        );
        self.liquidated += u64::from(session.moment().liquidated);
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.growths.extend(other.growths);
        self.rewards.extend(other.rewards);
        for (sum, more) in [
            (&mut self.profit, other.profit),
            (&mut self.realised, other.realised),
            (&mut self.unrealised, other.unrealised),
            (&mut self.fees, other.fees),
            (&mut self.slippage, other.slippage),
            (&mut self.funding, other.funding),
            (&mut self.drawdown, other.drawdown),
        ] {
            *sum += more;
        }
        for (sum, more) in [
            (&mut self.under_water, other.under_water),
            (&mut self.steps, other.steps),
            (&mut self.fills, other.fills),
            (&mut self.cycles, other.cycles),
            (&mut self.won, other.won),
            (&mut self.open, other.open),
            (&mut self.stuck, other.stuck),
            (&mut self.liquidated, other.liquidated),
        ] {
            *sum += more;
        }
    }

    fn summarise(self, name: String, description: String) -> TradingSummary {
        let n = self.growths.len().max(1) as f64;
        let (growth_mean, growth_std) = mean_and_deviation(&self.growths);
        let (reward_mean, reward_std) = mean_and_deviation(&self.rewards);
        let closed = self.cycles - self.open;
        TradingSummary {
            name,
            description,
            episodes: self.growths.len(),
            growth_mean,
            growth_std,
            growth_se: growth_std / n.sqrt(),
            growth_cvar95: worst_twentieth(&self.growths),
            reward_mean,
            reward_se: reward_std / n.sqrt(),
            profit_mean: self.profit / n,
            realised_mean: self.realised / n,
            unrealised_mean: self.unrealised / n,
            fees_mean: self.fees / n,
            slippage_mean: self.slippage / n,
            funding_mean: self.funding / n,
            max_drawdown_mean: self.drawdown / n,
            under_water: self.under_water as f64 / self.steps.max(1) as f64,
            fills_mean: self.fills as f64 / n,
            cycles_mean: self.cycles as f64 / n,
            won: (closed > 0).then(|| self.won as f64 / closed as f64),
            open_at_end: self.open as f64 / n,
            stuck: self.stuck as f64 / n,
            liquidated: self.liquidated as f64 / n,
            growths: self.growths,
            rewards: self.rewards,
        }
    }
}

/// Traders to be evaluated where nothing is said.
pub(super) const USUAL: [&str; 4] = ["buy_and_hold", "lowrider", "random", "cash"];

/// The environment of an evaluation: bars that no training sees, where there are such.
fn unseen(env: &EnvConfig, task: &TraderConfig) -> Result<(TraderConfig, Trader), EvaluateError> {
    let mut task = task.clone();
    if let Some(source) =
        task.bars.as_mut().filter(|source| source.part == Part::Train && source.train_share < 1.0)
    {
        source.part = Part::Test;
        // The test part may be shorter than an episode of training.
        let whole = TraderConfig { steps: None, ..task.clone() };
        let room = Trader::new(&whole, &env.market, &env.directory)?.steps();
        task.steps = task.steps.map(|steps| steps.min(room));
    }
    let trader = Trader::new(&task, &env.market, &env.directory)?;
    Ok((task, trader))
}

impl TradingFinding {
    pub(super) fn find(
        request: &Request,
        task: &TraderConfig,
        stop: &AtomicBool,
        progress: &(dyn Fn(&str, usize) + Sync),
    ) -> Result<Self, EvaluateError> {
        let (task, env) = unseen(&request.env, task)?;
        let mut entrants: Vec<TraderEntrant> = Vec::new();
        for text in &request.policies {
            let entrant = text.parse()?;
            if !entrants.contains(&entrant) {
                entrants.push(entrant);
            }
        }
        let minds = (entrants.iter())
            .map(|entrant| entrant.mind(env.observation_space(), env.action_space()))
            .collect::<Result<Vec<TraderMind>, _>>()?;
        let names: Vec<String> = entrants.iter().map(ToString::to_string).collect();
        let against = match &request.against {
            None => 0,
            Some(text) => {
                let name = text.parse::<TraderEntrant>().map_or_else(|_| text.clone(), |one| one.to_string());
                place_of(&name, &names.iter().map(String::as_str).collect::<Vec<_>>())?
            }
        };
        let started = Instant::now();
        let most = request.env.max_episode_steps.unwrap_or(u64::MAX);
        let worker = || -> Result<_, EvaluateError> {
            let (mut env, mut minds) = (env.clone(), minds.clone());
            let mut observation = vec![0.0; env.observation_space().len()];
            Ok(move |episode: usize, chunk: &mut Vec<Sums>| -> Result<(), EvaluateError> {
                chunk.resize(minds.len(), Sums::default());
                let session = session_seed(request.seed, episode as u64);
                let mut all = minds.iter_mut().zip(chunk);
                all.try_for_each(|(mind, sums)| sums.play(&mut env, mind, session, most, &mut observation))
            })
        };
        let doing = format!("sessions x {} policies", minds.len());
        let tell = |finished: usize| progress(&doing, finished);
        let chunks = share_out(request.episodes, request.threads, stop, &tell, worker)?;
        let mut all = vec![Sums::default(); minds.len()];
        for chunk in chunks {
            all.iter_mut().zip(chunk).for_each(|(all, sums)| all.merge(sums));
        }
        let policies: Vec<TradingSummary> = (all.into_iter().zip(names).zip(&entrants))
            .map(|((sums, name), entrant)| sums.summarise(name, entrant.description()))
            .collect();
        let paired = PairedGrowth::against(&policies, against);
        let seen = Request {
            env: EnvConfig { task: Task::Trader(task.clone()), ..request.env.clone() },
            ..request.clone()
        };
        let record = Record::new(&seen, started.elapsed().as_secs_f64(), stop.load(Ordering::Relaxed));
        let distinct_sessions = env.bars().is_some().then(|| env.room() / env.steps());
        Ok(Self { policies, paired, distinct_sessions, part: task.bars.map(|source| source.part), record })
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        Ok(json!({
            "policies": serde_json::to_value(&self.policies)?,
            "paired": serde_json::to_value(&self.paired)?,
            "distinct_sessions": self.distinct_sessions,
            "settings": serde_json::to_value(&self.record)?,
        }))
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let episodes = self.policies.first().map_or(0, |policy| policy.episodes);
        if let Some(distinct) = self.distinct_sessions.filter(|distinct| (*distinct as usize) < episodes) {
            warnings.push(format!(
                "the bars hold {distinct} sessions without a common bar, {episodes} were drawn: intervals say how exactly this history was \
                 measured, not what another one would bring"
            ));
        }
        if self.part.is_some_and(|part| part != Part::Test) {
            warnings
                .push("bars of the training part were played: what is seen here was learned from".to_owned());
        }
        for policy in &self.policies {
            // Less than half a hundredth of a per cent is nothing to warn of.
            if policy.realised_mean > 5e-5 && policy.profit_mean < -5e-5 {
                warnings.push(format!(
                    "{} realised {:+.2}% but is at {:+.2}%: the losses are in its open positions",
                    policy.name,
                    100.0 * policy.realised_mean,
                    100.0 * policy.profit_mean
                ));
            }
        }
        warnings
    }

    pub(super) fn html(&self) -> String {
        let guide = [
            "Growth is the logarithm of the equity's growth in a session after all costs, with the open position at the last price, in per cent; \
             other money is per cent of the capital. Realised profit is what closed positions brought: a rule that closes only at a profit has \
             its losses in what is open. Stuck: open at a loss at the end with hardly any cash left."
                .to_owned(),
        ];
        let guide = guide.into_iter().chain(self.warnings()).collect::<Vec<_>>().join(" Note: ");
        sessions_html(&SessionsPage {
            title: "Traders evaluated",
            guide: &guide,
            policies: self.policies.iter().map(TradingSummary::row).collect(),
            columns: &COLUMNS.map(|(column, _)| column),
            of_a_session: "growth in a session, %",
            paired: self.paired.iter().map(PairedGrowth::percent).collect(),
            settings: self.record.rows(),
            interrupted: self.record.interrupted,
        })
    }

    pub(super) fn table(&self) -> String {
        let percent = |value: f64| format!("{:.2}", 100.0 * value);
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
                format!("{} / {}", percent(policy.realised_mean), percent(policy.unrealised_mean)),
                percent(policy.fees_mean + policy.slippage_mean + policy.funding_mean),
                percent(policy.max_drawdown_mean),
                format!("{:.0}", 100.0 * policy.under_water),
                format!("{:.1}", policy.cycles_mean),
                policy.won.map_or("-".to_owned(), |won| format!("{:.0}", 100.0 * won)),
                format!("{:.0} / {:.0}", 100.0 * policy.open_at_end, 100.0 * policy.stuck),
                format!("{:.1}", 100.0 * policy.liquidated),
            ]
        });
        let header = [
            "policy",
            "growth, %",
            "s.e.",
            "difference, 95%",
            "realised / open",
            "costs",
            "drawdown",
            "under water",
            "cycles",
            "won",
            "open / stuck",
            "liquidated",
        ];
        let against = self.paired.first();
        let against =
            against.map_or(String::new(), |pair| format!("; differences in growth are to {}", pair.against));
        let part = match self.part {
            None => "",
            Some(Part::All) => ", all bars",
            Some(Part::Train) => ", training part",
            Some(Part::Test) => ", test part",
        };
        let episodes = self.policies.first().map_or(0, |policy| policy.episodes);
        let seconds = self.record.seconds;
        let table = plain_table(&header, 1, rows.collect());
        format!(
            "trader{part}, {episodes} sessions, {seconds:.1} s; all in per cent, but for cycles{against}\n{table}"
        )
    }
}

impl Grown for TradingSummary {
    fn grown(&self) -> (&str, &[f64], &[f64]) {
        (&self.name, &self.growths, &self.rewards)
    }
}

impl TradingSummary {
    fn row(&self) -> SessionsRow<'_> {
        SessionsRow {
            name: &self.name,
            description: &self.description,
            figures: COLUMNS.iter().map(|(_, of)| of(self)).collect(),
            standard_error: 100.0 * self.growth_se,
            sessions: self.growths.iter().map(|growth| 100.0 * growth).collect(),
        }
    }
}

type Column = ((&'static str, Option<usize>), fn(&TradingSummary) -> Option<f64>);

/// The page's columns: names and decimals, and where they come from.
const COLUMNS: [Column; 14] = [
    (("growth, %", None), |p| Some(100.0 * p.growth_mean)),
    (("s.e.", None), |p| Some(100.0 * p.growth_se)),
    (("std", Some(2)), |p| Some(100.0 * p.growth_std)),
    (("worst 5%", Some(2)), |p| Some(100.0 * p.growth_cvar95)),
    (("realised, %", Some(2)), |p| Some(100.0 * p.realised_mean)),
    (("open, %", Some(2)), |p| Some(100.0 * p.unrealised_mean)),
    (("costs, %", Some(2)), |p| Some(100.0 * (p.fees_mean + p.slippage_mean + p.funding_mean))),
    (("drawdown, %", Some(2)), |p| Some(100.0 * p.max_drawdown_mean)),
    (("under water, %", Some(0)), |p| Some(100.0 * p.under_water)),
    (("cycles", Some(1)), |p| Some(p.cycles_mean)),
    (("won, %", Some(0)), |p| p.won.map(|won| 100.0 * won)),
    (("open at end, %", Some(0)), |p| Some(100.0 * p.open_at_end)),
    (("stuck, %", Some(0)), |p| Some(100.0 * p.stuck)),
    (("liquidated, %", Some(1)), |p| Some(100.0 * p.liquidated)),
];
