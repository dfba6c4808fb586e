//! One trader's session on any source of bars: wishes become amounts, fills become money, bars become observations.

use lob::ParameterError;

use super::config::{ActionKind, RewardKind, TraderConfig};
use super::wallet::{AccountConfig, Wallet};
use crate::env::Action;
use crate::envs::costs::FORGETTING;
use crate::features::{FeatureSet, FeaturesConfig, Normalisation, Tick};
use crate::prices::TickBar;
use crate::space::{BoxSpace, Component, Space};

/// Choices of the action `trades`.
pub const CHOICES: [&str; 3] = ["hold", "buy", "sell"];

/// Numbers of an observation after the window: the account.
pub(super) const ACCOUNT: usize = 6;

/// A market in which nobody has traded for long is thin, but not without bound: its volume counts as this share of its mean at least.
const LEAST_VOLUME: f64 = 0.01;

/// Steps in which a position's age goes from 0 to 1 - 1/e.
const AGE: f64 = 100.0;

/// What a trader wants to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Wish {
    /// Nothing.
    #[default]
    Hold,
    /// Trade for so much money at the last price; < 0 sells.
    Trade(f64),
    /// Close the position.
    Close,
}

/// A fill, or what an order met.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Filled {
    /// Units, < 0 sold; 0 where nothing was traded.
    pub units: f64,
    /// Money a unit, spread and impact included.
    pub price: f64,
    /// Money.
    pub fees: f64,
    /// Of the price: what the spread and the impact cost, money.
    pub slippage: f64,
}

/// What has been in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// The trade.
    pub filled: Filled,
    /// Paid for holding, money.
    pub funding: f64,
    /// Whether the position was liquidated.
    pub liquidated: bool,
}

/// Turns bars into rows of features as they are seen: normalised, with the extra columns after them.
#[derive(Clone, Debug)]
pub struct Rows {
    features: FeatureSet,
    normalisation: Option<Normalisation>,
    extra: Vec<String>,
    row: Vec<f64>,
}

impl Rows {
    /// For a feature set; `normalisation` is of the same one.
    ///
    /// # Errors
    /// A setting that is not legal.
    pub fn new(
        features: &FeaturesConfig,
        normalisation: Option<Normalisation>,
        extra: Vec<String>,
    ) -> Result<Self, ParameterError> {
        let features = FeatureSet::new(features)?;
        let row = vec![0.0; features.names().len()];
        Ok(Self { features, normalisation, extra, row })
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.row.len() + self.extra.len()
    }

    /// Names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.features.names().iter().chain(&self.extra)
    }

    /// Bars at the beginning without a whole row.
    pub fn warm_up(&self) -> usize {
        self.features.warm_up()
    }

    /// As new.
    pub fn reset(&mut self) {
        self.features.reset();
    }

    /// The features as they come, before normalisation.
    pub(super) fn raw(&mut self, tick: &Tick) -> Result<&[f64], ParameterError> {
        self.features.update(tick, &mut self.row)?;
        Ok(&self.row)
    }

    /// Writes the row of a bar, `f32[width]`; what there is not yet is 0, the mean of the training span.
    ///
    /// # Errors
    /// A number that the feature set needs and the bar does not have.
    pub fn write(&mut self, tick: &Tick, extra: &[f64], out: &mut [f32]) -> Result<(), ParameterError> {
        self.features.update(tick, &mut self.row)?;
        if let Some(normalisation) = &self.normalisation {
            normalisation.apply(&mut self.row)?;
        }
        for (out, value) in out.iter_mut().zip(self.row.iter().chain(extra)) {
            let value = *value as f32;
            *out = if value.is_finite() { value } else { 0.0 };
        }
        Ok(())
    }
}

/// What stays the same in all sessions.
#[derive(Clone, Debug)]
pub struct Terms {
    pub(super) account: AccountConfig,
    pub(super) capital: f64,
    action: ActionKind,
    lot: f64,
    blocking_cycles: bool,
    band: f64,
    reward: RewardKind,
    pub(super) lot_size: Option<f64>,
    window: usize,
    width: usize,
}

impl Terms {
    pub(super) fn new(config: &TraderConfig, width: usize) -> Self {
        Self {
            account: config.account,
            capital: config.capital,
            action: config.action,
            lot: config.lot,
            blocking_cycles: config.blocking_cycles,
            band: config.band,
            reward: config.reward,
            lot_size: config.lot_size,
            window: config.window,
            width,
        }
    }

    pub(super) fn action_space(&self) -> Space {
        match self.action {
            ActionKind::Trades => Space::Discrete(CHOICES.map(str::to_owned).to_vec()),
            ActionKind::Lots => {
                let low = if self.account.may_be_short() { -1.0 } else { 0.0 };
                let unit = "share of the most that may be held";
                Space::Box(BoxSpace::new(vec![Component::new("position", unit, low, 1.0)]))
            }
        }
    }

    pub(super) fn observation_space<'a>(&self, names: impl Iterator<Item = &'a String> + Clone) -> BoxSpace {
        let mut components = Vec::with_capacity(self.window * self.width + ACCOUNT);
        for back in (0..self.window).rev() {
            for name in names.clone() {
                components.push(Component::unbounded(format!("{name}, {back} bars ago"), "normalised"));
            }
        }
        let leverage = self.account.leverage() as f32;
        components.push(Component::unbounded("position", format!("value / ({leverage} x equity)")));
        components.push(Component::unbounded("unrealised profit", "equity"));
        components.push(Component::new("age of the position", "1 - exp(-steps / 100)", 0.0, 1.0));
        components.push(Component::unbounded("distance to the average price", "price / average - 1"));
        components.push(Component::unbounded("profit", "capital"));
        components.push(Component::new("distance to liquidation", "share of the price", 0.0, 1.0));
        BoxSpace::new(components)
    }
}

/// What bars up to now say of those to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Observed {
    close: f64,
    /// Of the log growth in a bar.
    variance: f64,
    /// Units traded in a bar, of late and in all bars since the first trade; NaN and 0 before that.
    volume: f64,
    mean: f64,
    bars: f64,
}

impl Default for Observed {
    fn default() -> Self {
        Self { close: f64::NAN, variance: 0.0, volume: f64::NAN, mean: 0.0, bars: 0.0 }
    }
}

impl Observed {
    /// With one bar more.
    pub(super) fn update(&mut self, tick: &Tick) {
        if !self.close.is_nan() {
            let growth = libm::log(tick.close / self.close);
            self.variance += FORGETTING * (growth * growth - self.variance);
        }
        self.close = tick.close;
        if self.volume.is_nan() {
            // Bars before the first trade do not say what trading there will be.
            if tick.volume > 0.0 {
                self.volume = tick.volume;
            }
        } else if !tick.volume.is_nan() {
            self.volume += FORGETTING * (tick.volume - self.volume);
        }
        if !self.volume.is_nan() && !tick.volume.is_nan() {
            self.bars += 1.0;
            self.mean += (tick.volume - self.mean) / self.bars;
        }
    }
}

/// A session as it stands.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) terms: Terms,
    pub(super) wallet: Wallet,
    pub(super) bar: TickBar,
    observed: Observed,
    window: Vec<f32>,
    age: u64,
    steps: u64,
    peak: f64,
    worst: f64,
    under_water: u64,
    pub(super) moment: Moment,
    realised_before: f64,
    equity_before: f64,
}

impl Session {
    pub(super) fn new(terms: Terms) -> Self {
        let window = vec![0.0; terms.window * terms.width];
        let bar = TickBar {
            time_ns: 0,
            tick: Tick::default(),
            funding_rate: f64::NAN,
            traded: true,
            quoted: false,
        };
        let capital = terms.capital;
        let mut session = Self {
            terms,
            wallet: Wallet::new(capital),
            bar,
            observed: Observed::default(),
            window,
            age: 0,
            steps: 0,
            peak: capital,
            worst: 0.0,
            under_water: 0,
            moment: Moment::default(),
            realised_before: 0.0,
            equity_before: capital,
        };
        session.reset();
        session
    }

    pub(super) fn reset(&mut self) {
        let capital = self.terms.capital;
        self.wallet = Wallet::new(capital);
        self.bar = TickBar {
            time_ns: 0,
            tick: Tick::default(),
            funding_rate: f64::NAN,
            traded: true,
            quoted: false,
        };
        self.observed = Observed::default();
        self.window.fill(0.0);
        (self.age, self.steps, self.under_water) = (0, 0, 0);
        (self.peak, self.worst) = (capital, 0.0);
        (self.realised_before, self.equity_before) = (0.0, capital);
        self.moment = Moment::default();
    }

    /// Money and position.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The last bar.
    pub fn bar(&self) -> &TickBar {
        &self.bar
    }

    /// What the position is valued at, money: the last close, or the middle of the quote after a bar without a trade.
    pub fn price(&self) -> f64 {
        self.bar.value()
    }

    /// Money and the position's value.
    pub fn equity(&self) -> f64 {
        if self.wallet.is_open() { self.wallet.equity(self.price()) } else { self.wallet.cash }
    }

    /// Profit of the open position at the last price.
    pub fn unrealised(&self) -> f64 {
        if self.wallet.is_open() { self.wallet.unrealised(self.price()) } else { 0.0 }
    }

    /// How far the equity is below its highest, a share of that.
    pub fn drawdown(&self) -> f64 {
        1.0 - self.equity() / self.peak
    }

    /// The largest drawdown so far.
    pub fn max_drawdown(&self) -> f64 {
        self.worst
    }

    /// Steps at whose end the equity was below its highest.
    pub fn steps_under_water(&self) -> u64 {
        self.under_water
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Steps since the position was opened.
    pub fn age(&self) -> u64 {
        self.age
    }

    /// What was in the last step.
    pub fn moment(&self) -> &Moment {
        &self.moment
    }

    /// Standard deviation of the log growth in a bar, as observed up to now.
    pub(super) fn volatility(&self) -> f64 {
        libm::sqrt(self.observed.variance)
    }

    /// Units that are traded in a bar, as observed up to now; 0 before any.
    pub(super) fn volume(&self) -> f64 {
        let Observed { volume, mean, .. } = self.observed;
        if volume.is_nan() { 0.0 } else { volume.max(LEAST_VOLUME * mean) }
    }

    /// Takes over what bars before those of the window said.
    pub(super) fn recall(&mut self, observed: Observed) {
        self.observed = observed;
    }

    /// The most that may be held, money.
    pub fn most(&self) -> f64 {
        (self.equity() * self.terms.account.leverage()).max(0.0)
    }

    /// The most that could still be bought (or sold short) beyond the position, money.
    pub fn spare(&self) -> f64 {
        (self.most() - (self.wallet.units * self.price()).abs()).max(0.0)
    }

    /// The smallest order, money; 0 where any amount may be traded.
    pub fn smallest(&self) -> f64 {
        self.terms.lot_size.map_or(0.0, |lot| lot * self.price())
    }

    /// Whether positions may be short.
    pub fn may_be_short(&self) -> bool {
        self.terms.account.may_be_short()
    }

    /// Money at the start.
    pub fn capital(&self) -> f64 {
        self.terms.capital
    }

    /// What an action means now.
    pub fn wish(&self, action: Action<'_>) -> Wish {
        match self.terms.action {
            ActionKind::Trades => self.choose(action.discrete()[0]),
            ActionKind::Lots => self.target(f64::from(action.continuous()[0])),
        }
    }

    /// What one of [`CHOICES`] means now, whatever the action space is.
    pub fn choose(&self, choice: i64) -> Wish {
        let side = match choice {
            1 => 1.0,
            2 => -1.0,
            _ => return Wish::Hold,
        };
        let units = self.wallet.units;
        if units * side < 0.0 {
            return Wish::Close;
        }
        if side < 0.0 && !self.terms.account.may_be_short() {
            return Wish::Hold;
        }
        if self.wallet.is_open() && self.terms.blocking_cycles {
            return Wish::Hold;
        }
        let held = (units * self.price()).abs();
        let value = (self.terms.lot * self.most()).min(self.most() - held);
        if value > 0.0 { Wish::Trade(side * value) } else { Wish::Hold }
    }

    fn target(&self, share: f64) -> Wish {
        let low = if self.terms.account.may_be_short() { -1.0 } else { 0.0 };
        let target = share.clamp(low, 1.0) * self.most();
        let held = self.wallet.units * self.price();
        // A target of nothing closes whatever the next price is; what was worth nothing now need not be then.
        let closes = target == 0.0 || target.abs() < self.terms.band * self.equity();
        if closes && self.wallet.is_open() {
            return Wish::Close;
        }
        if (target - held).abs() < (self.terms.band * self.equity()).max(1e-12) {
            return Wish::Hold;
        }
        if self.wallet.is_open() && self.terms.blocking_cycles {
            if held * target < 0.0 {
                return Wish::Close;
            }
            if target.abs() > held.abs() {
                return Wish::Hold;
            }
        }
        Wish::Trade(target - held)
    }

    /// Units that a wish is at a price: never more than may be held, and none that cannot be paid for at `costs`, a share of what is traded.
    pub(super) fn units(&self, wish: Wish, price: f64, costs: f64) -> f64 {
        let held = self.wallet.units;
        let wanted = match wish {
            Wish::Hold => return 0.0,
            Wish::Close => return -held,
            Wish::Trade(money) => money / price,
        };
        if !wanted.is_finite() || wanted == 0.0 {
            return 0.0;
        }
        let short = self.terms.account.may_be_short();
        let most = match self.terms.account {
            // What is paid for costs cannot be spent on units.
            AccountConfig::Spot => held + self.wallet.cash.max(0.0) / (price * (1.0 + costs)),
            AccountConfig::Futures(futures) => {
                // Costs take from the equity while the position adds to what it must bear.
                let equity = self.wallet.equity(price).max(0.0);
                futures.leverage * equity / (price * (1.0 + futures.leverage * costs))
            }
        };
        let target = (held + wanted).clamp(if short { -most } else { 0.0 }, most.max(0.0));
        // A position beyond the most is not reduced against the wish.
        let units = target - held;
        if units * wanted <= 0.0 {
            return 0.0;
        }
        match self.terms.lot_size {
            None => units,
            Some(_) if target == 0.0 => units,
            Some(lot) => libm::trunc(units / lot * (1.0 + 1e-12)) * lot,
        }
    }

    /// Begins a step: what is noted of the last one is gone.
    pub(super) fn begin_step(&mut self) {
        self.moment = Moment::default();
        self.equity_before = self.equity();
        self.realised_before = self.wallet.realised;
    }

    /// Pays the fundings between two times, ns.
    pub(super) fn fund(&mut self, from_ns: i64, to_ns: i64) {
        let AccountConfig::Futures(futures) = self.terms.account else { return };
        let every = (futures.funding_interval_seconds * 1e9).max(1.0) as i64;
        let times = (to_ns.div_euclid(every) - from_ns.div_euclid(every)).max(0);
        if times > 0 && self.wallet.is_open() {
            let rate =
                if self.bar.funding_rate.is_nan() { futures.funding_rate } else { self.bar.funding_rate };
            let paid = self.wallet.funding;
            self.wallet.fund(rate * times as f64, self.price());
            self.moment.funding += self.wallet.funding - paid;
        }
    }

    /// Books a fill. What would leave less than half a lot closes the position: nobody can trade the rest, which is the rounding of purchases
    /// and sales whose lots add up to nothing.
    pub(super) fn book(&mut self, mut filled: Filled) {
        let rest = (self.wallet.units + filled.units).abs();
        if self.wallet.is_open() && self.terms.lot_size.is_some_and(|lot| rest < lot / 2.0) {
            filled.units = -self.wallet.units;
        }
        if filled.units != 0.0 {
            let cycles = self.wallet.cycles;
            self.wallet.trade(filled.units, filled.price, filled.fees, filled.slippage);
            // A position that turns is a new one.
            if self.wallet.cycles > cycles || !self.wallet.is_open() {
                self.age = 0;
            }
            self.moment.filled = filled;
        }
    }

    /// The price at which the position is to be liquidated in a bar that goes from `open` over `low` and `high`, if it is.
    pub(super) fn liquidation_in(&self, open: f64, low: f64, high: f64) -> Option<f64> {
        let AccountConfig::Futures(futures) = self.terms.account else { return None };
        let price = self.wallet.liquidation_price(futures.maintenance_margin);
        let units = self.wallet.units;
        match price {
            // The bar may begin beyond it.
            Some(price) if units > 0.0 && low <= price => Some(price.min(open)),
            Some(price) if units < 0.0 && high >= price => Some(price.max(open)),
            // A short whose equity is gone has no price above 0 at which it would come back.
            None if units < 0.0 && self.wallet.cash <= 0.0 => Some(open),
            _ => None,
        }
    }

    /// Liquidates at a price.
    pub(super) fn liquidate(&mut self, price: f64) {
        if let AccountConfig::Futures(futures) = self.terms.account {
            let filled = Filled { units: -self.wallet.units, price, ..Filled::default() };
            let fees = self.wallet.fees;
            self.wallet.liquidate(price, futures.liquidation_fee);
            self.moment.filled = Filled { fees: self.wallet.fees - fees, ..filled };
            self.moment.liquidated = true;
            self.age = 0;
        }
    }

    /// A bar has passed; `row` is what its features are.
    pub(super) fn close_bar(&mut self, bar: &TickBar, row: &[f32]) {
        self.observed.update(&bar.tick);
        self.bar.clone_from(bar);
        let width = self.terms.width;
        self.window.copy_within(width.., 0);
        let last = self.window.len() - width;
        self.window[last..].copy_from_slice(row);
    }

    /// Ends a step and says what it earned, and whether it was the last: liquidated, or nothing left.
    pub(super) fn end_step(&mut self) -> (f64, bool) {
        self.steps += 1;
        self.age = if self.wallet.is_open() { self.age + 1 } else { 0 };
        let equity = self.equity();
        self.peak = self.peak.max(equity);
        self.worst = self.worst.max(1.0 - equity / self.peak);
        self.under_water += u64::from(equity < self.peak);
        let reward = match self.terms.reward {
            RewardKind::LogGrowth => {
                // The logarithm of what is lost with everything has no bound; a loss of 99.99% is as bad as it gets.
                let floor = self.terms.capital * 1e-4;
                100.0 * libm::log(equity.max(floor) / self.equity_before.max(floor))
            }
            RewardKind::Profit => 100.0 * (equity - self.equity_before) / self.terms.capital,
            RewardKind::Realised => {
                100.0 * (self.wallet.realised - self.realised_before) / self.terms.capital
            }
        };
        (reward, self.moment.liquidated || equity <= 0.0)
    }

    /// Writes what is seen now.
    pub fn observe(&self, observation: &mut [f32]) {
        let (window, account) = observation.split_at_mut(self.window.len());
        window.copy_from_slice(&self.window);
        let (equity, price) = (self.equity(), self.price());
        let share = |value: f64| {
            let share = (value / equity) as f32;
            if share.is_finite() { share } else { 0.0 }
        };
        let liquidation = match self.terms.account {
            AccountConfig::Spot => None,
            AccountConfig::Futures(futures) => self.wallet.liquidation_price(futures.maintenance_margin),
        };
        account.copy_from_slice(&[
            share(self.wallet.units * price / self.terms.account.leverage()),
            share(self.unrealised()),
            (1.0 - libm::exp(-(self.age as f64) / AGE)) as f32,
            self.wallet
                .average_price()
                .map_or(0.0, |average| (price / average - 1.0).clamp(-10.0, 10.0) as f32),
            (equity / self.terms.capital - 1.0) as f32,
            liquidation.map_or(1.0, |at| ((at / price - 1.0).abs().min(1.0)) as f32),
        ]);
    }
}
