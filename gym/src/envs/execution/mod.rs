//! A parent order, to be traded within a time.

mod action;
mod config;
mod observation;
mod reward;
mod scene;
mod task;

use std::sync::Arc;

use lob::models::FeeConfig;
use lob::sim::{AgentFill, DelaySampler, DeskId, DeskOrder, Latency, Simulator};
use lob::{BookConfig, ParameterError, Price, Quantity, Side};

pub use action::CHOICES;
pub use config::{ActionKind, ExecutionConfig, RewardTiming};
pub use task::{Task, WINDOW_LEVELS, liquidate};

use crate::env::{Action, Env, EnvError, Step};
use crate::market::ResolvedMarket;
use crate::scene::Scene;
use crate::space::{BoxSpace, Space};
use action::{Targets, View};
use observation::{Frame, Observer, Window, add};
use reward::Ledger;

/// What all copies of an environment share.
#[derive(Debug)]
struct Rules {
    config: ExecutionConfig,
    task: Task,
    steps: u64,
    observation_space: BoxSpace,
    action_space: Space,
    observer: Observer,
    fees: FeeConfig,
    /// Orders and reports arrive at once.
    is_instant: bool,
    /// How long before t = 0 the market opens, s.
    lead_in_seconds: f64,
    market: &'static str,
}

/// A moment of a session that is watched ([`Execution::watch`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Time in s.
    pub time: f64,
    /// Best bid, ticks; the last one there was if the side is empty.
    pub bid: Price,
    /// Best ask, likewise.
    pub ask: Price,
    /// Lots that have not traded.
    pub remaining: u64,
}

/// The execution task of Cheridito & Weiss, *Reinforcement Learning for Trade Execution with Market Impact* (arXiv 2507.06345): sell `V` lots
/// between t = 0 and T, with decisions every `step_seconds`. At T all orders of the agent are cancelled and the rest is sold at market; the
/// episode ends then, or once everything is sold. `b0` is the best bid at t = 0, before anybody acts at that time.
///
/// Everything is told for a sale. **A purchase is its mirror image**: bids and asks change places and prices their sign, so that the same
/// numbers mean the same situation, and one policy serves both.
///
/// Reward, in ticks per lot of the parent order: `(cash - lots x b0) / V` for each fill, less fees / V, less the risk penalty
/// `risk_aversion x (x / V)^2 x (seconds of the step / T)`, where `x` are the lots still unsold at the end of the step, before the final sale:
/// Almgren & Chriss (2000), equation (5), with `risk_aversion = lambda sigma^2 T V`. Paid at each step, or in one sum at the last.
///
/// Observation with L levels: `11 + 3L + 2V` numbers, `26 + 2V` with the default of 5; a ratio 0/0 is 0. The window is `[t - step, t]`, both
/// ends included.
///
/// | index (L = 5) | observation | unit | bounds |
/// |---|---|---|---|
/// | 0 | time | t / T | 0 to 1 |
/// | 1 | lots remaining | lots / V | 0 to 1 |
/// | 2 | best bid - b0 | ticks / 10 | |
/// | 3 | mid - mid at t = 0 | ticks / 10 | |
/// | 4 | spread | ticks / 10 | 0 or more |
/// | 5 | volume imbalance: (bid - ask) / (bid + ask) at distances 1 to L from the opposite best | - | -1 to 1 |
/// | 6 | market orders in the window: (buys - sells) / (buys + sells), in lots asked for, everybody's | - | -1 to 1 |
/// | 7 | limit orders in the window, likewise | - | -1 to 1 |
/// | 8 | mid - mid after the first event in the window | ticks / 10 | |
/// | 9-13 | own lots at best ask + 0, ..., + (L - 1) | share of the remaining | 0 to 1 |
/// | 14 | own lots elsewhere in the book, or on their way | share of the remaining | 0 to 1 |
/// | 15 | inactive lots | share of the remaining | 0 to 1 |
/// | 16-20 | bid volume at distance 1, ..., L from the best ask | lots / mean lots there | 0 or more |
/// | 21-25 | ask volume at distance 1, ..., L from the best bid | lots / mean lots there | 0 or more |
/// | 26 to 25 + V | level of each lot: 1 ... L at best ask + 0 ... L - 1; elsewhere or inactive: L + 1; filled: -L | 1 / (L + 1) | -L / (L + 1) to 1 |
/// | 26 + V to 25 + 2V | its place in the queue: lots ahead of it at its price, anyone's; elsewhere or inactive: 40; filled: -40 | lots / 40 | -1 or more |
///
/// Action, by `action`:
///
/// | `action` | space | meaning |
/// |---|---|---|
/// | `simplex` | `Box(0, 1, L + 2)` | parts of the remaining lots: market order, limit orders at best bid + 1, ..., + L, inactive |
/// | `discrete` | `Discrete(7)` | for all remaining lots: 0 hold, 1 withdraw, 2 market, 3 market slice, 4 inside, 5 at best, 6 one behind ([`CHOICES`]) |
/// | `rate` | `Box(0, 1, 1)` | the share of the remaining lots to be sent at market now |
///
/// The page docs/environments/execution.md has the rules in full.
#[derive(Clone, Debug)]
pub struct Execution {
    rules: Arc<Rules>,
    sim: Simulator,
    desk: DeskId,
    /// Decisions made.
    step: u64,
    /// Best price of the other side, and the mid, at t = 0.
    reference: f64,
    arrival_mid: f64,
    /// Best bid and best ask; the last ones there were if a side is empty.
    touch: [Price; 2],
    window: Window,
    ledger: Ledger,
    /// Of the last step.
    fills: Vec<AgentFill>,
    /// Time between moments that are noted, s, and the next of them.
    watch: Option<(f64, f64)>,
    watched: Vec<Moment>,
    targets: Targets,
    depth: [Vec<Quantity>; 2],
}

impl Execution {
    /// Names of [`Env::write_info`]'s numbers: time in s; lots; prices in ticks; cash in ticks x lots; fees, shortfall (against the arrival
    /// mid, of what has been traded, fees included; positive = paid), penalty and total reward in ticks per lot of the parent order.
    pub const INFO: [&'static str; 15] = [
        "time",
        "remaining",
        "filled",
        "working",
        "best_bid",
        "best_ask",
        "reference_price",
        "arrival_mid",
        "cash",
        "fees",
        "shortfall",
        "risk_penalty",
        "total_reward",
        "passive_lots",
        "aggressive_lots",
    ];

    /// An environment.
    ///
    /// # Errors
    /// The first setting that is not legal.
    pub fn new(config: &ExecutionConfig, market: &ResolvedMarket) -> Result<Self, ParameterError> {
        config.validate()?;
        let task = config.task();
        market.flow.check_length(task.horizon_seconds)?;
        let opening = market.flow.opening();
        let mean_shape = opening.mean_shape();
        let Some(mean_shape) = mean_shape.get(..config.levels) else {
            let legal = format!("at most the levels of the market's opening book, {}", mean_shape.len());
            return Err(ParameterError::new("levels", config.levels, legal));
        };
        let observer = Observer::new(task, mean_shape);
        let book = BookConfig { window_levels: WINDOW_LEVELS, order_capacity: 512, ..BookConfig::default() };
        let mut sim = Simulator::new(&market.flow, book)?;
        let desk = sim.add_desk(market.latency.clone());
        let rules = Rules {
            observation_space: observer.space(),
            action_space: action::space(config.action, config.levels, &task),
            observer,
            steps: task.steps() as u64,
            task,
            fees: market.fees,
            is_instant: is_instant(&market.latency),
            lead_in_seconds: opening.lead_in_seconds,
            market: market.flow.name(),
            config: config.clone(),
        };
        Ok(Self {
            targets: Targets { limits: Vec::with_capacity(config.levels), ..Targets::default() },
            depth: [vec![Quantity::ZERO; config.levels], vec![Quantity::ZERO; config.levels]],
            rules: Arc::new(rules),
            sim,
            desk,
            step: 0,
            reference: 0.0,
            arrival_mid: 0.0,
            touch: [Price(0); 2],
            window: Window::default(),
            ledger: Ledger::default(),
            fills: Vec::new(),
            watch: None,
            watched: Vec::new(),
        })
    }

    /// What is to be done.
    pub fn task(&self) -> &Task {
        &self.rules.task
    }

    /// The settings.
    pub fn config(&self) -> &ExecutionConfig {
        &self.rules.config
    }

    /// Time in s; 0 at the first decision.
    pub fn time(&self) -> f64 {
        self.sim.market().now()
    }

    /// Decisions made, from 0.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Lots not filled yet, as far as the agent has been told.
    pub fn remaining(&self) -> u64 {
        self.rules.task.lots.saturating_sub(self.sim.desk(self.desk).filled())
    }

    /// The agent's orders that may still trade, as far as it has been told, oldest first.
    pub fn orders(&self) -> &[DeskOrder] {
        self.sim.desk(self.desk).orders()
    }

    /// Best price of a side, ticks; the last one there was if the side is empty.
    pub fn best(&self, side: Side) -> Price {
        self.touch[side.index()]
    }

    /// Best price of the own side: for a sale the best ask.
    pub fn near_touch(&self) -> Price {
        self.best(self.rules.task.side)
    }

    /// Best price of the other side: for a sale the best bid.
    pub fn far_touch(&self) -> Price {
        self.best(self.rules.task.side.opposite())
    }

    /// The mid, ticks.
    pub fn mid(&self) -> f64 {
        mid(self.touch)
    }

    /// The price that rewards refer to: for a sale the best bid at t = 0, ticks.
    pub fn reference_price(&self) -> f64 {
        self.reference
    }

    /// The mid at t = 0, ticks.
    pub fn arrival_mid(&self) -> f64 {
        self.arrival_mid
    }

    /// The reward of the episode so far, whenever it is paid.
    pub fn total_reward(&self) -> f64 {
        self.ledger.total()
    }

    /// The agent's fills of the last step, oldest first.
    pub fn fills(&self) -> &[AgentFill] {
        &self.fills
    }

    /// Notes a moment every so many seconds from the next reset on, also between decisions, or none any more: for pictures. What happens in
    /// the session does not depend on it.
    pub fn watch(&mut self, every_seconds: Option<f64>) {
        self.watch = every_seconds.filter(|every| *every > 0.0).map(|every| (every, 0.0));
    }

    /// The moments noted since the reset, and the last one of an episode that has ended.
    pub fn watched(&self) -> &[Moment] {
        &self.watched
    }

    /// The market session, for its views.
    pub fn simulator(&self) -> &Simulator {
        &self.sim
    }

    /// The market session, to switch its log on. Nothing should be played in it.
    pub fn simulator_mut(&mut self) -> &mut Simulator {
        &mut self.sim
    }

    /// Reads the best prices; a side that is empty keeps its last one.
    fn look(&mut self) {
        self.touch = self.seen([Side::Buy, Side::Sell].map(|side| self.sim.market().book().best(side)));
    }

    fn seen(&self, touch: [Option<Price>; 2]) -> [Price; 2] {
        [touch[0].unwrap_or(self.touch[0]), touch[1].unwrap_or(self.touch[1])]
    }

    /// The mid after the first event since the market was marked.
    fn marked_mid(&self) -> Option<f64> {
        self.sim.market().touch_after_mark().map(|touch| mid(self.seen(touch)))
    }

    /// Plays on to `time`, with a rest wherever a moment is to be noted.
    fn play_until(&mut self, time: f64) {
        while let Some((every, next)) = self.watch.filter(|(_, next)| *next < time) {
            self.sim.run_until(next);
            self.note();
            self.watch = Some((every, next + every));
        }
        self.sim.run_until(time);
    }

    fn note(&mut self) {
        let market = self.sim.market();
        let owner = self.sim.desk(self.desk).owner();
        let fresh = market.fills().iter().filter(|fill| fill.owner == owner);
        let filled = self.ledger.filled() + fresh.map(|fill| fill.fill.quantity.0).sum::<u64>();
        let [bid, ask] = self.seen([Side::Buy, Side::Sell].map(|side| market.book().best(side)));
        let remaining = self.rules.task.lots.saturating_sub(filled);
        self.watched.push(Moment { time: market.now(), bid, ask, remaining });
    }

    /// Plays on to `time`, and closes the window there.
    fn advance(&mut self, time: f64) {
        let mut orders = self.window.edge;
        let mut edge = Default::default();
        let mut first_mid = self.window.next_first_mid.take();
        if self.rules.is_instant {
            self.play_until(time);
            first_mid = first_mid.or(self.marked_mid());
            add(&mut orders, self.sim.market_mut().take_tally());
            self.sim.market_mut().mark();
        } else {
            // The agent's letters may arrive at this very time, before it acts: they belong to both windows.
            self.play_until(time.next_down());
            first_mid = first_mid.or(self.marked_mid());
            add(&mut orders, self.sim.market_mut().take_tally());
            self.sim.market_mut().mark();
            self.play_until(time);
            first_mid = first_mid.or(self.marked_mid());
            edge = self.sim.market_mut().take_tally();
            add(&mut orders, edge);
        }
        self.window = Window { orders, edge, first_mid, next_first_mid: None };
    }

    /// Orders of the agent at the end of the last window belong to it.
    fn extend_window(&mut self) {
        let orders = self.sim.market_mut().take_tally();
        add(&mut self.window.orders, orders);
        self.window.first_mid = self.window.first_mid.or(self.marked_mid());
    }

    /// Books the fills since the last call.
    fn book_fills(&mut self) {
        let Self { sim, fills, ledger, rules, reference, .. } = self;
        for fill in sim.market_mut().drain_fills() {
            ledger.fill(&rules.task, *reference, &rules.fees, &fill);
            fills.push(fill);
        }
    }

    fn observe(&mut self, observation: &mut [f32]) {
        let frame = Frame {
            time: self.time(),
            reference: self.reference,
            arrival_mid: self.arrival_mid,
            far: self.far_touch().0 as f64,
            near: self.near_touch().0 as f64,
        };
        let Self { rules, sim, desk, window, depth, .. } = self;
        rules.observer.write((sim, *desk), window, &frame, depth, observation);
    }

    /// Sends the orders that an action means.
    fn act(&mut self, action: Action<'_>) {
        let view = View {
            remaining: self.remaining(),
            far: self.far_touch(),
            near: self.near_touch(),
            steps_left: self.rules.steps - self.step,
        };
        let Self { rules, sim, desk, targets, .. } = self;
        targets.read(rules.config.action, action, &rules.task, &view);
        targets.pursue(sim, *desk, &rules.task);
    }
}

fn mid(touch: [Price; 2]) -> f64 {
    // Prices are limited to 2^62, so that the sum fits.
    (touch[0].0 + touch[1].0) as f64 / 2.0
}

fn is_instant(latency: &Latency) -> bool {
    [&latency.order, &latency.report].into_iter().all(|delay| *delay == DelaySampler::Constant(0.0))
}

impl Env for Execution {
    fn observation_space(&self) -> &BoxSpace {
        &self.rules.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.rules.action_space
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        let (lead_in, step_seconds) = (self.rules.lead_in_seconds, self.rules.task.step_seconds);
        self.step = 0;
        self.ledger.clear();
        self.fills.clear();
        self.window = Window::default();
        self.watched.clear();
        self.watch = self.watch.map(|(every, _)| (every, 0.0));
        self.sim.reset(session);
        self.look();
        if step_seconds < lead_in {
            // The first window begins after the opening.
            self.sim.run_until(-step_seconds);
            self.sim.market_mut().take_tally();
            self.sim.market_mut().mark();
        } else {
            // The opening book is the window's first event.
            self.window.next_first_mid = Some(self.mid());
        }
        let opening_is_now = lead_in == 0.0;
        self.advance(0.0);
        if opening_is_now {
            (self.window.edge, self.window.next_first_mid) = (self.window.orders, self.window.first_mid);
        }
        let book = self.sim.market().book();
        if book.best_bid().is_none() || book.best_ask().is_none() {
            let problem = "a side of the book is empty at t = 0: there is no price to measure against";
            return Err(EnvError::Session { session, problem: problem.into() });
        }
        self.look();
        (self.reference, self.arrival_mid) = (self.far_touch().0 as f64, self.mid());
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let task = self.rules.task;
        self.fills.clear();
        let before = self.time();
        self.act(action);
        self.step += 1;
        let mut is_last = self.remaining() == 0;
        if is_last {
            self.extend_window();
        } else {
            let is_end = self.step >= self.rules.steps;
            let time = if is_end { task.horizon_seconds } else { self.step as f64 * task.step_seconds };
            self.advance(time);
            self.book_fills();
            self.ledger.penalise(&task, self.rules.config.risk_aversion, time - before);
            is_last = is_end || self.remaining() == 0;
            if is_last {
                liquidate(&mut self.sim, self.desk, &task, self.ledger.filled());
                self.extend_window();
            }
        }
        self.book_fills();
        self.look();
        if is_last && self.watch.is_some() {
            self.note();
        }
        if is_last {
            self.ledger.write_off(&task, self.reference, self.mid());
        }
        // The desk has counted what was reported; nobody reads the letters themselves.
        self.sim.desk_mut(self.desk).take_reports();
        self.observe(observation);
        let reward = self.ledger.reward(self.rules.config.reward, is_last);
        Step { reward, terminated: is_last, truncated: false }
    }

    fn info_names(&self) -> &'static [&'static str] {
        &Self::INFO
    }

    fn write_info(&self, info: &mut [f64]) {
        let (passive, aggressive) = self.ledger.passive_and_aggressive();
        info.copy_from_slice(&[
            self.time(),
            self.remaining() as f64,
            self.ledger.filled() as f64,
            action::working(&self.sim, self.desk) as f64,
            self.touch[0].0 as f64,
            self.touch[1].0 as f64,
            self.reference,
            self.arrival_mid,
            self.ledger.cash(),
            self.ledger.fees(),
            self.ledger.shortfall(&self.rules.task, self.arrival_mid),
            self.ledger.penalties(),
            self.ledger.total(),
            passive as f64,
            aggressive as f64,
        ]);
    }

    fn scene(&self) -> Scene {
        scene::draw(self)
    }

    fn step_cost_ns(&self) -> u64 {
        // Some nine events a second, each some 80 ns.
        1_000 + (700.0 * self.rules.task.step_seconds) as u64
    }
}
