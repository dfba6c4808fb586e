//! A market maker in a limit order book.

mod accounts;
mod config;
mod observation;
mod pricing;
mod requote;
mod venue;

use std::sync::Arc;

pub use config::{ActionKind, AtLimit, MarketMakingConfig, ObservationKind};

use accounts::Accounts;
use lob::models::{FeeConfig, Liquidity};
use lob::sim::{AgentFill, FIRST_AGENT, Simulator};
use lob::{BookConfig, NewOrder, Owner, ParameterError, Price, Quantity, Side};
use observation::{Holdings, View, Writer, bests_of_others};
use pricing::{Reference, Targets, aim};
use requote::{Message, Working, plan};
use venue::{Wire, execute};

use crate::env::{Action, Env, EnvError, Step};
use crate::market::ResolvedMarket;
use crate::quoting::QuoteAction;
use crate::reward::RewardWeights;
use crate::scene::{Scene, SceneFill, SceneLevel};
use crate::space::{BoxSpace, Space};

/// Levels a side in a picture.
const SCENE_LEVELS: usize = 15;

/// What all copies of an environment share.
#[derive(Debug)]
struct Rules {
    observation_space: BoxSpace,
    action_space: Space,
    action: QuoteAction,
    writer: Writer,
    reward: RewardWeights,
    fees: FeeConfig,
    steps: u64,
    step_seconds: f64,
    per_step_seconds: f64,
    /// Weight of a step in the averages.
    step_weight: f64,
    limit: i64,
    at_limit: AtLimit,
    liquidation: bool,
    /// Money that a tick on a lot is worth, and units of inventory in a lot.
    tick_value: f64,
    lot_size: f64,
    title: String,
}

#[doc = include_str!("../../../../docs/environments/market_making.md")]
#[derive(Clone, Debug)]
pub struct MarketMaking {
    rules: Arc<Rules>,
    simulator: Simulator,
    owner: Owner,
    /// `None` where orders and reports travel in no time.
    wire: Option<Wire>,
    step: u64,
    first_mid: f64,
    accounts: Accounts,
    /// Best prices of others now.
    best: [Option<Price>; 2],
    view: View,
    /// The last observation was the market's mirror image.
    mirrored: bool,
    /// The maker's orders in the book, in order of acceptance.
    resting: Vec<Working>,
    /// For `quote`.
    targets: [Targets; 2],
    known: Vec<Working>,
    messages: Vec<Message>,
    /// Of the last step.
    fills: Vec<AgentFill>,
}

impl MarketMaking {
    /// Names of [`Env::write_info`]'s numbers, in the order of its table.
    pub const INFO: [&'static str; 18] = [
        "time",
        "mid",
        "best_bid",
        "best_ask",
        "cash",
        "inventory",
        "profit",
        "spread_profit",
        "inventory_profit",
        "liquidation_profit",
        "fees",
        "bought",
        "sold",
        "fills",
        "maker_lots",
        "taker_lots",
        "bid_lots",
        "ask_lots",
    ];

    /// An environment with these settings.
    ///
    /// # Errors
    /// The first setting that is not legal.
    pub fn new(config: &MarketMakingConfig, market: &ResolvedMarket) -> Result<Self, ParameterError> {
        config.validate()?;
        market.flow.check_length(config.step_seconds * config.steps as f64)?;
        let opening = market.flow.opening();
        // Room for the opening book and a drift of its own width; what lies further out is found more slowly.
        let window_levels = (4 * opening.levels).next_power_of_two().clamp(64, 4096);
        // Small: a batch has thousands of books, and each grows to what it needs.
        let book = BookConfig { window_levels, order_capacity: 64, max_owners: 16, ..BookConfig::default() };
        let mut simulator = Simulator::new(&market.flow, book)?;
        let has_latency = !(market.latency.order.is_none() && market.latency.report.is_none());
        let wire = if has_latency {
            Some(Wire::new(simulator.add_desk(market.latency.clone())))
        } else {
            simulator.market_mut().watch_agents(true);
            None
        };
        let action = config.action();
        let writer = Writer::new(config);
        let is_limited = config.at_limit == AtLimit::OneSided && !has_latency;
        let half_lives = config.step_seconds / config.half_life_seconds;
        let rules = Rules {
            observation_space: writer.space(is_limited),
            action_space: action.space(),
            action,
            writer,
            reward: config.reward(),
            fees: market.fees,
            steps: config.steps,
            step_seconds: config.step_seconds,
            per_step_seconds: 1.0 / config.step_seconds,
            step_weight: 1.0 - libm::exp2(-half_lives),
            limit: config.limit_lots() as i64,
            at_limit: config.at_limit,
            liquidation: config.liquidation,
            tick_value: config.tick_size * config.lot_size as f64,
            lot_size: config.lot_size as f64,
            title: format!("market making, {}", market.flow.name()),
        };
        let centre = opening.centre;
        Ok(Self {
            rules: Arc::new(rules),
            simulator,
            owner: FIRST_AGENT,
            wire,
            step: 0,
            first_mid: (centre.best_bid.0 + centre.best_ask.0) as f64 / 2.0,
            accounts: Accounts::default(),
            best: [Some(centre.best_bid), Some(centre.best_ask)],
            view: View::default(),
            mirrored: false,
            resting: Vec::new(),
            targets: [Targets::default(); 2],
            known: Vec::new(),
            messages: Vec::new(),
            fills: Vec::new(),
        })
    }

    /// What actions mean here; its [`QuoteAction::action`] turns a policy's quotes into an action.
    pub fn action(&self) -> &QuoteAction {
        &self.rules.action
    }

    /// The mid of others' prices, ticks; the last one known while a side is empty.
    pub fn mid(&self) -> f64 {
        self.view.mid
    }

    /// Best bid and best ask of others, ticks.
    pub fn bests(&self) -> [Option<Price>; 2] {
        self.best
    }

    /// Lots held, as far as reported.
    pub fn inventory_lots(&self) -> i64 {
        self.known_accounts().inventory
    }

    /// The inventory limit, lots.
    pub fn limit_lots(&self) -> i64 {
        self.rules.limit
    }

    /// Time since t = 0, s.
    pub fn time(&self) -> f64 {
        self.step as f64 * self.rules.step_seconds
    }

    /// Time left, s.
    pub fn time_left(&self) -> f64 {
        (self.rules.steps - self.step) as f64 * self.rules.step_seconds
    }

    /// Volatility of the mid as estimated so far, ticks / sqrt(s).
    pub fn volatility(&self) -> f64 {
        self.view.variance.sqrt()
    }

    /// Cash + inventory x mid since the start, after fees, money.
    pub fn profit(&self) -> f64 {
        self.accounts.profit() * self.rules.tick_value
    }

    /// Fills of the last step, oldest first.
    pub fn fills(&self) -> &[AgentFill] {
        &self.fills
    }

    /// What the last decision asked for on each side: prices and lots, best first, as rounded to ticks and cut to the limit.
    pub fn wanted(&self) -> [&[(Price, u64)]; 2] {
        [self.targets[0].as_slice(), self.targets[1].as_slice()]
    }

    /// The market it plays in.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// What the maker knows it has.
    fn known_accounts(&self) -> &Accounts {
        self.wire.as_ref().map_or(&self.accounts, |wire| wire.accounts())
    }

    /// Lots that each side may quote: as many as keep the inventory within its limit.
    #[inline]
    fn room(&self) -> [u64; 2] {
        match self.rules.at_limit {
            AtLimit::Hedge => [u64::MAX; 2],
            AtLimit::OneSided => {
                let inventory = self.known_accounts().inventory;
                [-1, 1].map(|sign| (self.rules.limit + sign * inventory).max(0) as u64)
            }
        }
    }

    /// Places the quotes of an action.
    #[inline]
    fn quote(&mut self, action: Action<'_>) {
        let reference = Reference { mid: self.view.mid, best: self.best, mirrored: self.mirrored };
        let room = self.room();
        aim(&self.rules.action, action, &reference, room, &mut self.targets);
        match &mut self.wire {
            None => {
                plan(&self.targets, &self.resting, &mut self.messages);
                for &message in &self.messages {
                    execute(self.simulator.market_mut(), self.owner, message);
                }
            }
            Some(wire) => {
                wire.working(&mut self.known);
                plan(&self.targets, &self.known, &mut self.messages);
                for &message in &self.messages {
                    wire.send(&mut self.simulator, message);
                }
            }
        }
    }

    /// Books what has happened and reads what has been reported.
    #[inline]
    fn book_fills(&mut self) {
        if !self.simulator.market().fills().is_empty() {
            self.book_new_fills();
        }
        if let Some(wire) = &mut self.wire {
            wire.read(&mut self.simulator, &self.rules.fees);
        }
    }

    fn book_new_fills(&mut self) {
        let first = self.fills.len();
        self.fills.extend(self.simulator.market_mut().drain_fills());
        for fill in &self.fills[first..] {
            let mid = match fill.others {
                [Some(bid), Some(ask)] => Some((bid.0 + ask.0) as f64 / 2.0),
                _ => None,
            };
            let book = self.simulator.market().book();
            let is_open = |order| book.is_live(lob::Handle::from_bits(order));
            self.accounts.apply(fill.handle.to_bits(), &fill.fill, mid, &self.rules.fees, is_open);
        }
    }

    /// Trades at market what exceeds the limit. The side that the order would meet, one's own quotes included, is left first.
    fn hedge(&mut self) {
        let under_way = self.wire.as_ref().map_or([0; 2], Wire::under_way);
        let inventory = self.known_accounts().inventory + under_way[0] as i64 - under_way[1] as i64;
        let excess = inventory.unsigned_abs().saturating_sub(self.rules.limit.unsigned_abs());
        if excess == 0 {
            return;
        }
        let side = if inventory > 0 { Side::Sell } else { Side::Buy };
        self.trade_at_market(side, excess);
        self.book_fills();
    }

    fn trade_at_market(&mut self, side: Side, lots: u64) {
        match &mut self.wire {
            None => {
                let market = self.simulator.market_mut();
                market.mass_cancel(self.owner, Some(side.opposite()));
                let _ = market.submit(NewOrder::market(self.owner, side, Quantity(lots)));
            }
            Some(wire) => {
                wire.cancel_all(&mut self.simulator, Some(side.opposite()));
                wire.trade(&mut self.simulator, side, lots);
            }
        }
    }

    /// The end of an episode: no quotes, and no inventory where it is to be liquidated.
    #[cold]
    fn finish(&mut self) {
        match &mut self.wire {
            None => {
                self.simulator.market_mut().mass_cancel(self.owner, None);
            }
            Some(wire) => {
                wire.cancel_all(&mut self.simulator, None);
                wire.settle(&mut self.simulator, &self.rules.fees);
            }
        }
        self.book_fills();
        let inventory = self.accounts.inventory;
        if self.rules.liquidation && inventory != 0 {
            let side = if inventory > 0 { Side::Sell } else { Side::Buy };
            self.trade_at_market(side, inventory.unsigned_abs());
            if let Some(wire) = &mut self.wire {
                wire.settle(&mut self.simulator, &self.rules.fees);
            }
            self.book_fills();
        }
    }

    /// Looks at the book as it is now.
    #[inline]
    fn look(&mut self) {
        let market = self.simulator.market();
        self.resting.clear();
        self.resting.extend(market.book().orders_of(self.owner).map(|order| Working {
            id: order.handle.to_bits(),
            side: order.side,
            price: Some(order.price),
            open: order.visible.0,
        }));
        self.best = bests_of_others(market, &self.resting);
        self.view.look(market, &self.resting, self.best);
        self.accounts.move_to(self.view.mid);
    }

    #[inline]
    fn observe(&mut self, observation: &mut [f32]) {
        let known = self.known_accounts();
        let inventory = known.inventory as f64;
        let holdings = Holdings {
            inventory,
            cash: known.cash,
            profit: known.cash + inventory * self.view.mid,
            time_left: (self.rules.steps - self.step) as f64 / self.rules.steps as f64,
        };
        self.mirrored = self.rules.writer.write(&self.view, &holdings, self.first_mid, observation);
    }
}

impl Env for MarketMaking {
    fn observation_space(&self) -> &BoxSpace {
        &self.rules.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.rules.action_space
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        self.simulator.reset(session);
        if let Some(wire) = &mut self.wire {
            wire.reset();
        }
        self.step = 0;
        self.fills.clear();
        self.simulator.run_until(0.0);
        self.simulator.market_mut().take_tally();
        self.view = View::default();
        // Should a side be empty at t = 0, prices start where the book was opened.
        let [bid, ask] = self.simulator.opening_bests();
        self.view.best = [bid.0 as f64, ask.0 as f64];
        self.view.mid = (bid.0 + ask.0) as f64 / 2.0;
        self.accounts.reset(self.view.mid);
        self.look();
        self.first_mid = self.view.mid;
        self.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let before = self.accounts.mark();
        let mid_before = self.view.mid;
        self.fills.clear();
        self.quote(action);
        self.step += 1;
        self.simulator.run_until(self.time());
        self.book_fills();
        // Before the maker's market orders of this step, which are not others'; those of the last one may have arrived by now.
        let tally = self.simulator.market_mut().take_tally().market;
        let mut own = [0; 2];
        for fill in self.fills.iter().filter(|fill| fill.fill.liquidity == Liquidity::Taker) {
            own[fill.fill.side.index()] += fill.fill.quantity.0;
        }
        let (buys, sells) = (tally[0].saturating_sub(own[0]) as f64, tally[1].saturating_sub(own[1]) as f64);
        if self.rules.at_limit == AtLimit::Hedge {
            self.hedge();
        }
        let terminated = self.step >= self.rules.steps;
        if terminated {
            self.finish();
        }
        // The market orders just sent are not to be counted with the next step's.
        self.simulator.market_mut().take_tally();
        self.look();
        let rules = &*self.rules;
        self.view.advance(mid_before, buys - sells, rules.per_step_seconds, rules.step_weight);
        let earned = self.accounts.earned_since(&before, rules.tick_value, rules.lot_size);
        let reward = rules.reward.reward(&earned);
        self.observe(observation);
        Step { reward, terminated, truncated: false }
    }

    fn info_names(&self) -> &'static [&'static str] {
        &Self::INFO
    }

    #[inline]
    fn write_info(&self, info: &mut [f64]) {
        let accounts = &self.accounts;
        let (money, units) = (self.rules.tick_value, self.rules.lot_size);
        info.copy_from_slice(&[
            self.time(),
            self.view.mid,
            self.view.best[0],
            self.view.best[1],
            accounts.cash * money,
            accounts.inventory as f64 * units,
            accounts.profit() * money,
            accounts.spread * money,
            accounts.inventory_gain * money,
            accounts.forced * money,
            accounts.fees * money,
            accounts.bought as f64 * units,
            accounts.sold as f64 * units,
            accounts.fills as f64,
            accounts.maker_lots as f64,
            accounts.taker_lots as f64,
            self.view.quoted[0] as f64,
            self.view.quoted[1] as f64,
        ]);
    }

    fn scene(&self) -> Scene {
        let side = |side: Side| {
            let own = |price| {
                let at = self.resting.iter().filter(|order| order.side == side && order.price == Some(price));
                at.map(|order| order.open).sum::<u64>()
            };
            let level = |(rank, (price, lots, _)): (usize, (Price, Quantity, usize))| {
                let own = own(price) as f64;
                // Far levels are shown only where the maker stands.
                (rank < SCENE_LEVELS || own > 0.0).then_some(SceneLevel {
                    price: price.0 as f64,
                    lots: lots.0 as f64,
                    own,
                })
            };
            self.simulator.market().book().levels(side).enumerate().filter_map(level).collect()
        };
        let fills = self.fills.iter().map(|fill| SceneFill {
            time: fill.time,
            side: fill.fill.side,
            price: fill.fill.price.0 as f64,
            lots: fill.fill.quantity.0 as f64,
            maker: fill.fill.liquidity == Liquidity::Maker,
        });
        let accounts = &self.accounts;
        Scene {
            title: self.rules.title.clone(),
            time: self.time(),
            horizon: self.rules.steps as f64 * self.rules.step_seconds,
            bids: side(Side::Buy),
            asks: side(Side::Sell),
            fills: fills.collect(),
            figures: vec![
                ("inventory", accounts.inventory as f64 * self.rules.lot_size, "units"),
                ("profit", self.profit(), "money"),
                ("mid", self.view.mid, "ticks"),
                ("spread", self.view.best[1] - self.view.best[0], "ticks"),
            ],
        }
    }

    fn step_cost_ns(&self) -> u64 {
        // A step of its own, and some 65 ns an event, of which the reference market has about 8 a second.
        400 + (520.0 * self.rules.step_seconds).min(1e9) as u64
    }
}
