//! Sessions in a market's book: bars of its mid, and orders that take what rests there.

use lob::models::{FeeConfig, FeeModel, OrderFees};
use lob::sim::{DeskId, Simulator};
use lob::{BookConfig, NewOrder, ParameterError, Price, Quantity, Side};

use super::config::TraderConfig;
use super::session::{Filled, Rows, Session, Wish};
use crate::config::ConfigError;
use crate::features::Tick;
use crate::market::ResolvedMarket;
use crate::prices::TickBar;

/// Looks at the mid in a bar, for its high and low.
const LOOKS: u32 = 10;

/// Decisions of an episode where nothing says how many.
pub(super) const DEFAULT_STEPS: u64 = 256;

/// A session of a market.
#[derive(Clone, Debug)]
pub(super) struct Booked {
    sim: Simulator,
    desk: DeskId,
    fees: FeeConfig,
    transaction_cost: f64,
    interval_seconds: f64,
    /// Money a tick, units a lot.
    tick_size: f64,
    lot_size: f64,
    rows: Rows,
    row: Vec<f32>,
    /// Bars before the first decision.
    warm_up: u64,
    steps: u64,
    bars: u64,
    traded: u64,
    touch: [Price; 2],
    pub(super) market: &'static str,
}

impl Booked {
    /// The market's sessions. A lot is one unit unless the settings say otherwise.
    ///
    /// # Errors
    /// A setting that is not legal.
    pub(super) fn new(
        config: &TraderConfig,
        rows: Rows,
        market: &ResolvedMarket,
    ) -> Result<Self, ConfigError> {
        let warm_up = (rows.warm_up() + config.window) as u64;
        let steps = config.steps.unwrap_or(DEFAULT_STEPS);
        market.flow.check_length((warm_up + steps + 1) as f64 * config.interval_seconds)?;
        let mut sim =
            Simulator::new(&market.flow, BookConfig { window_levels: 256, ..BookConfig::default() })?;
        let desk = sim.add_desk(market.latency.clone());
        let touch = sim.opening_bests();
        Ok(Self {
            sim,
            desk,
            fees: market.fees,
            transaction_cost: config.transaction_cost,
            interval_seconds: config.interval_seconds,
            tick_size: config.tick_size,
            lot_size: config.lot_size.unwrap_or(1.0),
            row: vec![0.0; rows.width()],
            rows,
            warm_up,
            steps,
            bars: 0,
            traded: 0,
            touch,
            market: market.flow.name(),
        })
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn lot_size(&self) -> f64 {
        self.lot_size
    }

    /// Time between decisions, s.
    pub(super) fn bar_seconds(&self) -> f64 {
        self.interval_seconds
    }

    /// Bars since the session began.
    pub(super) fn index(&self) -> usize {
        self.bars as usize
    }

    /// Rough time of a bar, ns.
    pub(super) fn bar_cost_ns(&self) -> u64 {
        (self.interval_seconds * 900.0) as u64
    }

    /// Puts the session at its first decision.
    pub(super) fn begin(&mut self, seed: u64, session: &mut Session) -> Result<(), ParameterError> {
        self.sim.reset(seed);
        self.touch = self.sim.opening_bests();
        self.rows.reset();
        self.bars = 0;
        // The market opens before t = 0 where it has a lead-in; bars begin at t = 0.
        self.sim.run_until(0.0);
        self.traded = self.sim.market().traded();
        self.look();
        for _ in 0..self.warm_up {
            self.play_bar(session)?;
        }
        Ok(())
    }

    /// Trades a wish at once, then plays the next bar.
    pub(super) fn step(&mut self, session: &mut Session, wish: Wish) {
        let before = session.bar.time_ns;
        self.fill(session, wish);
        // A bar of a live market has all that features need, as its first did.
        let _ = self.play_bar(session);
        session.fund(before, session.bar.time_ns);
        let tick = session.bar.tick;
        if let Some(price) = session.liquidation_in(tick.close, tick.low, tick.high) {
            session.liquidate(price);
        }
    }

    fn mid(&self) -> f64 {
        ((self.touch[0].0 + self.touch[1].0) as f64 / 2.0).max(0.5) * self.tick_size
    }

    fn look(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            if let Some(price) = self.sim.market().book().best(side) {
                self.touch[side.index()] = price;
            }
        }
    }

    fn fill(&mut self, session: &mut Session, wish: Wish) {
        self.look();
        let mid = self.mid();
        let buys = match wish {
            Wish::Hold => return,
            Wish::Trade(money) => money > 0.0,
            Wish::Close => session.wallet.units < 0.0,
        };
        let side = if buys { Side::Buy } else { Side::Sell };
        let touch = self.touch[side.opposite().index()].0.max(1) as f64 * self.tick_size;
        let share =
            self.transaction_cost + self.fees.of_order(lob::models::Liquidity::Taker, 1.0, touch) / touch;
        let units = session.units(wish, touch, share.max(0.0));
        let lots = libm::round(units.abs() / self.lot_size);
        if lots < 1.0 {
            return;
        }
        let owner = self.sim.desk(self.desk).owner();
        let quantity = Quantity(lots as u64);
        let order =
            if buys && !session.terms.account.may_be_short() && session.terms.account.leverage() == 1.0 {
                // No lot at a price at which the whole order could not be paid.
                let most = session.wallet.cash / (1.0 + share.max(0.0)) / (lots * self.lot_size);
                let ticks = libm::floor(most / self.tick_size * (1.0 + 1e-12)).min(1e15) as i64;
                NewOrder::limit(owner, side, Price(ticks), quantity).ioc()
            } else {
                NewOrder::market(owner, side, quantity)
            };
        self.sim.submit(self.desk, order);
        self.sim.settle(self.desk);
        let (mut lots, mut notional, mut fees) = (0, 0.0, 0.0);
        let mut order_fees = OrderFees::default();
        let money = self.tick_size * self.lot_size;
        for fill in self.sim.market_mut().drain_fills() {
            if fill.owner == owner {
                lots += fill.fill.quantity.0;
                notional += fill.fill.notional() as f64 * money;
                fees += self.fees.fee(&fill.fill, &mut order_fees) * money;
            }
        }
        if lots > 0 {
            // Lots are summed, not units: a lot that is no binary fraction is rounded once.
            let filled = lots as f64 * self.lot_size;
            let sign = if buys { 1.0 } else { -1.0 };
            let price = notional / filled;
            let fees = fees + self.transaction_cost * notional.abs();
            let slippage = (price - mid) * filled * sign;
            session.book(Filled { units: sign * filled, price, fees, slippage });
        }
    }

    fn play_bar(&mut self, session: &mut Session) -> Result<(), ParameterError> {
        let begin = self.bars as f64 * self.interval_seconds;
        let open = self.mid();
        let (mut low, mut high) = (open, open);
        for look in 1..=LOOKS {
            let time = begin + self.interval_seconds * f64::from(look) / f64::from(LOOKS);
            self.sim.run_until(time);
            self.look();
            let mid = self.mid();
            (low, high) = (low.min(mid), high.max(mid));
        }
        self.bars += 1;
        let book = self.sim.market().book();
        let traded = self.sim.market().traded();
        let size = |side: Side| {
            let lots = book.best(side).map_or(1, |price| book.quantity_at(side, price).0);
            lots.max(1) as f64 * self.lot_size
        };
        let tick = Tick {
            open,
            high,
            low,
            close: self.mid(),
            volume: traded.saturating_sub(self.traded) as f64 * self.lot_size,
            bid_price: self.touch[0].0.max(1) as f64 * self.tick_size,
            bid_size: size(Side::Buy),
            ask_price: self.touch[1].0.max(1) as f64 * self.tick_size,
            ask_size: size(Side::Sell),
            session: 0.0,
        };
        self.traded = traded;
        let time_ns = (self.bars as f64 * self.interval_seconds * 1e9) as i64;
        let bar = TickBar { time_ns, tick, funding_rate: f64::NAN, traded: true, quoted: true };
        self.rows.write(&bar.tick, &[], &mut self.row)?;
        session.close_bar(&bar, &self.row);
        Ok(())
    }
}
