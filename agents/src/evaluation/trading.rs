//! Traders of one asset, evaluated over many sessions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gym::config::Task;
use gym::envs::trader::{FeatureScaling, Part, Wish};
use gym::envs::{Trader, TraderConfig};
use gym::{Env, EnvConfig};
use lob::flow::{self, FlowConfig};
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

/// Where less than this share of the equity (or less than a lot) can still be bought, there is nothing left to speak of.
const SPENT: f64 = 0.01;

/// Equity below this share of the capital is ruin.
const RUIN: f64 = 0.5;

/// What an evaluation of traders found.
#[derive(Debug)]
pub struct TradingFinding {
    /// A trader each.
    pub policies: Vec<TradingSummary>,
    /// Each other one against one.
    pub paired: Vec<PairedGrowth>,
    /// Whether each learned policy is better than the rules it should be measured by, where these were played too.
    pub verdicts: Vec<Verdict>,
    /// Sessions that the bars hold without a common bar, or a recording starts of sessions; none in a simulated book, where each session is
    /// another one.
    pub distinct_sessions: Option<u64>,
    /// What was played of bars or of a recording, and which of them it was.
    part: Option<Part>,
    is_of_bars: bool,
    /// Where normalisation is not what a policy was trained with.
    notes: Vec<String>,
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
    /// of those with one at a loss and hardly anything left to buy with,
    pub stuck: f64,
    /// of those with a liquidation,
    pub liquidated: f64,
    /// and of those whose equity was below half of the capital at the end of a step.
    pub ruined: f64,
    /// Sessions in which something was wished for and nothing was filled.
    pub unheard: usize,
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
    ruined: u64,
    unheard: u64,
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
        let (mut reward, mut wishes, mut least) = (0.0, 0u64, f64::INFINITY);
        for _ in 0..most {
            let wish = mind.decide(env.session(), observation).wish;
            wishes += u64::from(wish != Wish::Hold);
            let step = env.play(wish, observation);
            reward += step.reward;
            least = least.min(env.session().equity());
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
        let enough = session.smallest().max(SPENT * session.equity());
        self.stuck += u64::from(wallet.is_open() && session.unrealised() < 0.0 && session.spare() < enough);
        self.ruined += u64::from(least < RUIN * capital);
        self.unheard += u64::from(wishes > 0 && wallet.fills == 0);
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
            (&mut self.ruined, other.ruined),
            (&mut self.unheard, other.unheard),
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
            ruined: self.ruined as f64 / n,
            unheard: self.unheard as usize,
            growths: self.growths,
            rewards: self.rewards,
        }
    }
}

/// Traders to be evaluated where nothing is said.
pub(super) const USUAL: [&str; 4] = ["buy_and_hold", "lowrider", "random", "cash"];

/// The environment of an evaluation: bars, or a recording's part, that no training sees, where there are such. With it which part it is, and how
/// many sessions there are that differ.
fn unseen(env: &EnvConfig, task: &TraderConfig) -> Result<Unseen, EvaluateError> {
    let mut task = task.clone();
    let Some(source) = task.bars.as_mut() else { return unseen_recording(env, task) };
    if source.part == Part::Train && source.train_share < 1.0 {
        source.part = Part::Test;
        // The test part may be shorter than an episode of training.
        let whole = TraderConfig { steps: None, ..task.clone() };
        let room = Trader::new(&whole, &env.market, &env.directory)?.steps();
        task.steps = task.steps.map(|steps| steps.min(room));
    }
    let part = task.bars.as_ref().map(|source| source.part);
    let trader = Trader::new(&task, &env.market, &env.directory)?;
    // Where no start is drawn, all sessions are one.
    let distinct = if task.random_start { trader.room() / trader.steps() } else { 1 };
    Ok(Unseen { task, trader, part, distinct: Some(distinct) })
}

/// The same in a book.
fn unseen_recording(env: &EnvConfig, task: TraderConfig) -> Result<Unseen, EvaluateError> {
    let mut market = env.market.resolve(&env.directory)?;
    let FlowConfig::Replay(params) = &mut market.flow else {
        let trader = Trader::in_market(&task, &market, &env.directory)?;
        return Ok(Unseen { task, trader, part: None, distinct: None });
    };
    if params.part == flow::Part::Train {
        let mut test = params.clone();
        test.part = flow::Part::Test;
        // A recording whose rest is too short for a session is played where it was trained on, and a warning says so.
        if let Some(history) = params.history().cloned()
            && test.play(history).is_ok()
        {
            *params = test;
        }
    }
    let part = match params.part {
        flow::Part::All => Part::All,
        flow::Part::Train => Part::Train,
        flow::Part::Test => Part::Test,
    };
    let distinct = params.episodes() as u64;
    let trader = Trader::in_market(&task, &market, &env.directory)?;
    Ok(Unseen { task, trader, part: Some(part), distinct: Some(distinct) })
}

/// Where traders are evaluated.
struct Unseen {
    task: TraderConfig,
    trader: Trader,
    part: Option<Part>,
    distinct: Option<u64>,
}

/// The rules that a learned policy is measured by.
fn is_yardstick(entrant: &TraderEntrant) -> bool {
    matches!(
        entrant,
        TraderEntrant::BuyAndHold
            | TraderEntrant::Random { .. }
            | TraderEntrant::Lowrider { policy: None, .. }
    )
}

fn is_learned(entrant: &TraderEntrant) -> bool {
    matches!(entrant, TraderEntrant::Policy(_) | TraderEntrant::Lowrider { policy: Some(_), .. })
}

/// What the evaluation says of a learned policy beside a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The policy.
    pub name: String,
    /// The rule.
    pub against: String,
    /// `beats` or `loses to` if the interval of the difference in growth is above or below 0, else `cannot be told from`.
    pub verdict: &'static str,
    /// Mean of (growth of `name` - growth of `against`) over the sessions,
    pub growth_difference: f64,
    /// and its 95% confidence interval: low, high.
    pub growth_ci95: [f64; 2],
}

impl Verdict {
    /// Of a difference; `is_one` where all sessions are the same one, which tells nothing of others.
    fn of(pair: &PairedGrowth, is_one: bool) -> Self {
        let [low, high] = pair.growth_ci95;
        let verdict = match () {
            () if is_one => "cannot be told from",
            () if low > 0.0 => "beats",
            () if high < 0.0 => "loses to",
            () => "cannot be told from",
        };
        Self {
            name: pair.name.clone(),
            against: pair.against.clone(),
            verdict,
            growth_difference: pair.growth_difference,
            growth_ci95: pair.growth_ci95,
        }
    }

    /// All learned policies beside all rules that they are measured by.
    fn all(entrants: &[TraderEntrant], policies: &[TradingSummary], is_one: bool) -> Vec<Self> {
        let rules = || entrants.iter().enumerate().filter(|(_, entrant)| is_yardstick(entrant));
        let paired = rules().map(|(base, _)| PairedGrowth::against(policies, base)).collect::<Vec<_>>();
        let learned = entrants.iter().zip(policies).filter(|(entrant, _)| is_learned(entrant));
        let one = |name: &str| -> Vec<Self> {
            let pairs = paired.iter().flatten().filter(|pair| pair.name == name);
            pairs.map(|pair| Self::of(pair, is_one)).collect()
        };
        learned.flat_map(|(_, policy)| one(&policy.name)).collect()
    }

    fn text(&self) -> String {
        let [low, high] = self.growth_ci95.map(|end| 100.0 * end);
        format!(
            "{} {} {} (growth {:+.3}% [{low:+.3}, {high:+.3}])",
            self.name,
            self.verdict,
            self.against,
            100.0 * self.growth_difference
        )
    }
}

/// The normalisation that the policies were trained with, in place of one to be fitted; and what is to be known where that cannot be.
fn normalised_as_trained(
    task: &TraderConfig,
    entrants: &[TraderEntrant],
) -> Result<(TraderConfig, Vec<String>), EvaluateError> {
    let (mut task, mut notes) = (task.clone(), Vec::new());
    for entrant in entrants {
        let Some(trained) = entrant.normalisation()? else { continue };
        if matches!(&task.normalisation, Some(FeatureScaling::Method(_))) && trained.fitted().is_some() {
            task.normalisation = Some(trained.clone());
        }
        match (&trained, &task.normalisation) {
            (FeatureScaling::Method(_), Some(_)) if task.bars.is_some() => notes.push(format!(
                "{entrant} has not kept what it was normalised by; that is fitted on the file as it is now, which must be the one of its training"
            )),
            (FeatureScaling::Fitted(_), played) if played.as_ref() != Some(&trained) => notes.push(format!(
                "{entrant} was trained with another normalisation than the one that is played: it sees other numbers than it learned from"
            )),
            _ => {}
        }
    }
    Ok((task, notes))
}

impl TradingFinding {
    pub(super) fn find(
        request: &Request,
        task: &TraderConfig,
        stop: &AtomicBool,
        progress: &(dyn Fn(&str, usize) + Sync),
    ) -> Result<Self, EvaluateError> {
        let mut entrants: Vec<TraderEntrant> = Vec::new();
        for text in &request.policies {
            let entrant = text.parse()?;
            if !entrants.contains(&entrant) {
                entrants.push(entrant);
            }
        }
        let (task, notes) = normalised_as_trained(task, &entrants)?;
        let Unseen { task, trader: env, part, distinct } = unseen(&request.env, &task)?;
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
        let verdicts = Verdict::all(&entrants, &policies, distinct == Some(1));
        Ok(Self {
            policies,
            paired,
            verdicts,
            distinct_sessions: distinct,
            part,
            is_of_bars: task.bars.is_some(),
            notes,
            record,
        })
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        Ok(json!({
            "policies": serde_json::to_value(&self.policies)?,
            "paired": serde_json::to_value(&self.paired)?,
            "verdicts": serde_json::to_value(&self.verdicts)?,
            "distinct_sessions": self.distinct_sessions,
            "part": serde_json::to_value(self.part)?,
            "settings": serde_json::to_value(&self.record)?,
        }))
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes.clone();
        let episodes = self.policies.first().map_or(0, |policy| policy.episodes);
        let of_bars = self.is_of_bars;
        if let Some(distinct) = self.distinct_sessions.filter(|distinct| (*distinct as usize) < episodes) {
            let held = if of_bars {
                format!("the bars hold {distinct} sessions without a common bar")
            } else {
                format!("the recording has {distinct} starts of sessions")
            };
            warnings.push(format!(
                "{held}, {episodes} were drawn: intervals say how exactly this history was measured, not what another one would bring"
            ));
        }
        if self.part.is_some_and(|part| part != Part::Test) {
            let what = if of_bars { "bars" } else { "sessions" };
            warnings
                .push(format!("{what} of the training part were played: what is seen here was learned from"));
        }
        for policy in &self.policies {
            if policy.unheard > 0 && policy.fills_mean == 0.0 {
                warnings.push(format!(
                    "{} wished to trade in {} of {} sessions and nothing was ever filled: what it orders is less than a lot or cannot be paid; \
                     more capital, smaller lots (env.lot_size)",
                    policy.name, policy.unheard, policy.episodes
                ));
            }
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
             its losses in what is open. Stuck: open at a loss at the end with hardly anything left to buy with. Ruined: below half of the \
             capital at some time."
                .to_owned(),
        ];
        let mut guide = guide.into_iter().chain(self.warnings()).collect::<Vec<_>>().join(" Note: ");
        for verdict in &self.verdicts {
            guide += &format!(" Verdict: {}.", verdict.text());
        }
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
                format!("{:.1} / {:.1}", 100.0 * policy.liquidated, 100.0 * policy.ruined),
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
            "liquidated / ruined",
        ];
        let against = self.paired.first();
        let against =
            against.map_or(String::new(), |pair| format!("; differences in growth are to {}", pair.against));
        let part = match self.part {
            None => "",
            Some(Part::All) => ", all of it",
            Some(Part::Train) => ", training part",
            Some(Part::Test) => ", test part",
        };
        let episodes = self.policies.first().map_or(0, |policy| policy.episodes);
        let seconds = self.record.seconds;
        let mut table = plain_table(&header, 1, rows.collect());
        for verdict in &self.verdicts {
            table += &format!("{}\n", verdict.text());
        }
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
const COLUMNS: [Column; 15] = [
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
    (("ruined, %", Some(1)), |p| Some(100.0 * p.ruined)),
];
