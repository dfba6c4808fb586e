//! Long and short positions in several assets, on given prices and features.

mod config;

use std::path::Path;
use std::sync::Arc;

use lob::ParameterError;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use config::DEFAULT_STEPS;
pub use config::MultiAssetTradingConfig;

use super::costs::{FIRST_PRICE, FORGETTING, Orders, PRICE_RANGE};
use crate::config::ConfigError;
use crate::env::{Action, Env, EnvError, Step};
use crate::prices::{AnyProcess, PriceProcess, Prices, Table, below};
use crate::scene::Scene;
use crate::space::{BoxSpace, Component, Space};

/// Keeps the reward's quotient finite.
const EPSILON: f64 = 1e-8;

/// What all copies of an environment share.
#[derive(Debug)]
struct Rules {
    observation_space: BoxSpace,
    action_space: Space,
    /// Given prices, and whether sessions begin at random rows.
    table: Option<(Table, bool)>,
    features: Option<Table>,
    assets: usize,
    /// Numbers before the positions in an observation.
    features_len: usize,
    steps: u64,
    initial_cash: f64,
    transaction_cost: f64,
    /// Variance of a period's log growth before any was seen.
    initial_variance: f64,
}

/// Trades several assets at given prices, or at prices that are drawn.
///
/// At row t: the action's number `a` of an asset, in [-1, 1], asks for a position worth `(equity / N) x a`, that is `value / price` shares
/// (none where the price is not above 0); the trades take place at row t's prices and pay `transaction_cost` of their notional and what `fees`
/// and `impact` say of each; then row t + 1 comes. `reward = (equity at t + 1 - equity before trading) / (equity before trading + 1e-8)`. The episode ends (`terminated`) at the
/// last row, or earlier once the equity is not above 0: short positions can lose everything. All is in 64-bit floats; observations are
/// 32-bit.
///
/// | index | observation | unit |
/// |---|---|---|
/// | 0 to F - 1 | features of the row, or each asset's return over the last period | as given |
/// | F to F + N - 1 | value of each position | share of the equity |
/// | F + N | cash | share of the equity |
#[derive(Clone, Debug)]
pub struct MultiAssetTrading {
    rules: Arc<Rules>,
    process: Option<AnyProcess>,
    rng: SimRng,
    first_row: usize,
    step: u64,
    prices: Vec<f64>,
    /// Shares held.
    shares: Vec<f64>,
    cash: f64,
    equity: f64,
    /// Since the start, money.
    fees: f64,
    impact: f64,
    traded: f64,
    /// What costs more than a share of what is traded, if anything does, and the variances of the assets' log growth for it.
    orders: Option<Orders>,
    variances: Vec<f64>,
    /// What a process writes, kept for the observation.
    growth: Vec<f64>,
    log_growth: Vec<f64>,
}

impl MultiAssetTrading {
    /// Names of [`Env::write_info`]'s numbers: the row of the prices, money, and the positions' size as a share of the equity.
    pub const INFO: [&'static str; 8] =
        ["row", "equity", "profit", "cash", "fees", "traded", "exposure", "impact"];

    /// An environment with these settings; relative paths start at `directory`.
    ///
    /// # Errors
    /// The first setting or file that is not legal.
    pub fn new(config: &MultiAssetTradingConfig, directory: &Path) -> Result<Self, ConfigError> {
        config.validate()?;
        let prices = config.prices.resolve(config.assets, directory)?;
        let assets = prices.assets();
        let (table, process) = match prices {
            Prices::Table { table, random_start, .. } => (Some((table, random_start)), None),
            Prices::Process(process) => (None, Some(process)),
        };
        if let Some((table, _)) = &table {
            check_prices(table)?;
        }
        check_features(config, table.as_ref().map(|(table, _)| table))?;
        let most = table.as_ref().map(|(table, _)| table.rows() as u64 - 1);
        let steps = config.steps.or(most).unwrap_or(DEFAULT_STEPS);
        if let Some(most) = most.filter(|&most| steps > most) {
            let legal = format!("at most {most}, the rows of the prices but one");
            return Err(ParameterError::new("steps", steps, legal).into());
        }
        let orders = Orders::new(
            config.fees,
            &config.impact,
            &config.conditions,
            process.as_ref(),
            assets,
            directory,
        )?;
        let features_len = config.features.as_ref().map_or(assets, Table::columns);
        let rules = Rules {
            observation_space: observation_space(config, features_len, assets),
            action_space: Space::Box(BoxSpace::new(
                (0..assets)
                    .map(|asset| {
                        Component::new(format!("target value of asset {asset}"), "equity / assets", -1.0, 1.0)
                    })
                    .collect(),
            )),
            table,
            features: config.features.clone(),
            assets,
            features_len,
            steps,
            initial_cash: config.initial_cash,
            transaction_cost: config.transaction_cost,
            initial_variance: config.initial_volatility * config.initial_volatility,
        };
        Ok(Self {
            rules: Arc::new(rules),
            process,
            rng: SimRng::seed_from_u64(0),
            first_row: 0,
            step: 0,
            prices: vec![FIRST_PRICE; assets],
            shares: vec![0.0; assets],
            cash: config.initial_cash,
            equity: config.initial_cash,
            fees: 0.0,
            impact: 0.0,
            traded: 0.0,
            orders,
            variances: vec![0.0; assets],
            growth: vec![1.0; assets],
            log_growth: vec![0.0; assets],
        })
    }

    /// Cash and what the positions are worth, money.
    pub fn equity(&self) -> f64 {
        self.equity
    }

    /// Shares held of each asset.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The prices now, money a share.
    pub fn prices(&self) -> &[f64] {
        &self.prices
    }

    /// Money held.
    pub fn cash(&self) -> f64 {
        self.cash
    }

    fn row(&self) -> usize {
        self.first_row + self.step as usize
    }

    /// Prices of the next row, and the growth that led there.
    fn advance(&mut self) {
        self.step += 1;
        let row = self.row();
        if let Some((table, _)) = &self.rules.table {
            for ((price, growth), &next) in self.prices.iter_mut().zip(&mut self.growth).zip(table.row(row)) {
                *growth = growth_of(*price, next);
                *price = next;
            }
        } else if let Some(process) = &mut self.process {
            process.advance(&mut self.rng, &mut self.growth, &mut self.log_growth);
            for (price, growth) in self.prices.iter_mut().zip(&self.growth) {
                *price = (*price * growth).clamp(*PRICE_RANGE.start(), *PRICE_RANGE.end());
            }
        }
        if self.orders.as_ref().is_some_and(Orders::has_impact) {
            for (variance, growth) in self.variances.iter_mut().zip(&self.growth) {
                // A price that is gone, or comes from nowhere, is no growth.
                if *growth > 0.0 {
                    let growth = libm::log(*growth);
                    *variance += FORGETTING * (growth * growth - *variance);
                }
            }
        }
    }

    fn value(&self) -> f64 {
        self.cash + self.shares.iter().zip(&self.prices).map(|(shares, price)| shares * price).sum::<f64>()
    }

    fn observe(&self, observation: &mut [f32]) {
        let rules = &*self.rules;
        let (features, account) = observation.split_at_mut(rules.features_len);
        match &rules.features {
            Some(table) => {
                for (out, &value) in features.iter_mut().zip(table.row(self.row())) {
                    *out = value as f32;
                }
            }
            None => {
                for (out, growth) in features.iter_mut().zip(&self.growth) {
                    *out = (growth - 1.0) as f32;
                }
            }
        }
        let (positions, cash) = account.split_at_mut(rules.assets);
        for (out, (shares, price)) in positions.iter_mut().zip(self.shares.iter().zip(&self.prices)) {
            *out = share_of(shares * price, self.equity);
        }
        cash[0] = share_of(self.cash, self.equity);
    }
}

/// The ratio of two prices, 1 where there is none.
fn growth_of(price: f64, next: f64) -> f64 {
    if price > 0.0 { next / price } else { 1.0 }
}

/// A part of the equity, 0 once there is none.
#[inline]
fn share_of(value: f64, equity: f64) -> f32 {
    let share = (value / equity) as f32;
    if share.is_finite() { share } else { 0.0 }
}

fn check_prices(table: &Table) -> Result<(), ParameterError> {
    let illegal = |price: f64| !PRICE_RANGE.contains(&price) && !(-PRICE_RANGE.end()..=0.0).contains(&price);
    match table.values().iter().position(|&price| illegal(price)) {
        Some(index) => {
            let at = format!("prices[{}][{}]", index / table.columns(), index % table.columns());
            let legal = "a price from 1e-12 to 1e12, or 0 or less where there is none";
            Err(ParameterError::new(at, table.values()[index], legal))
        }
        None => Ok(()),
    }
}

fn check_features(config: &MultiAssetTradingConfig, prices: Option<&Table>) -> Result<(), ParameterError> {
    let Some(features) = &config.features else { return Ok(()) };
    let found = || format!("a table of {} x {}", features.rows(), features.columns());
    let Some(prices) = prices else {
        return Err(ParameterError::new("features", found(), "null, where the prices are drawn"));
    };
    if features.rows() != prices.rows() {
        let legal = format!("{} rows, as many as the prices have", prices.rows());
        return Err(ParameterError::new("features", found(), legal));
    }
    match features.values().iter().position(|value| !(*value as f32).is_finite()) {
        Some(index) => {
            let at = format!("features[{}][{}]", index / features.columns(), index % features.columns());
            Err(ParameterError::new(at, features.values()[index], "a number that 32-bit floats have"))
        }
        None => Ok(()),
    }
}

fn observation_space(config: &MultiAssetTradingConfig, features: usize, assets: usize) -> BoxSpace {
    let feature = |index| match config.features {
        Some(_) => Component::unbounded(format!("feature {index}"), "as given"),
        None => Component::unbounded(format!("return of asset {index}"), "share of the price before"),
    };
    let position = |asset| Component::unbounded(format!("position in asset {asset}"), "value / equity");
    let mut components: Vec<_> = (0..features).map(feature).collect();
    components.extend((0..assets).map(position));
    components.push(Component::unbounded("cash", "cash / equity"));
    BoxSpace::new(components)
}

impl Env for MultiAssetTrading {
    fn observation_space(&self) -> &BoxSpace {
        &self.rules.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.rules.action_space
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        self.rng = SimRng::seed_from_u64(session);
        self.step = 0;
        self.first_row = 0;
        self.growth.fill(1.0);
        match (&self.rules.table, &mut self.process) {
            (Some((table, random_start)), _) => {
                if *random_start {
                    let spare = table.rows() - 1 - self.rules.steps as usize;
                    self.first_row = below(&mut self.rng, spare + 1);
                }
                self.prices.copy_from_slice(table.row(self.first_row));
                if let Some(before) = self.first_row.checked_sub(1) {
                    for (growth, (&price, &next)) in
                        self.growth.iter_mut().zip(table.row(before).iter().zip(&self.prices))
                    {
                        *growth = growth_of(price, next);
                    }
                }
            }
            (None, Some(process)) => {
                process.begin(&mut self.rng, self.rules.steps);
                if !process.prices(&mut self.prices) {
                    self.prices.fill(FIRST_PRICE);
                }
            }
            (None, None) => unreachable!("prices are given or drawn"),
        }
        self.shares.fill(0.0);
        (self.cash, self.equity) = (self.rules.initial_cash, self.rules.initial_cash);
        (self.fees, self.impact, self.traded) = (0.0, 0.0, 0.0);
        if let Some(orders) = &mut self.orders {
            orders.reset();
        }
        self.variances.fill(self.rules.initial_variance);
        self.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let before = self.equity;
        let share = before / self.rules.assets as f64;
        let (mut spent, mut traded) = (0.0, 0.0);
        let (mut fees, mut impact) = (0.0, 0.0);
        let observed = self.process.as_ref().and_then(PriceProcess::volumes);
        let assets = self.shares.iter_mut().zip(&self.prices).zip(action.continuous());
        for (asset, ((shares, price), &action)) in assets.enumerate() {
            let value = share * f64::from(action).clamp(-1.0, 1.0);
            let target = if *price > 0.0 { value / price } else { 0.0 };
            let notional = (target - *shares) * price;
            spent += notional;
            traded += notional.abs();
            *shares = target;
            if let Some(orders) = &mut self.orders {
                let volatility = libm::sqrt(self.variances[asset]);
                let charge = orders.trade(asset, notional, *price, volatility, observed);
                fees += charge.fees;
                impact += charge.impact;
            }
        }
        let fee = self.rules.transaction_cost * traded + fees;
        self.cash -= spent + (fee + impact);
        self.fees += fee;
        self.impact += impact;
        self.traded += traded;
        self.advance();
        self.equity = self.value();
        self.observe(observation);
        let reward = (self.equity - before) / (before + EPSILON);
        // An equity that is infinite or no number is as much the end as one that is gone.
        let ruined = !(self.equity > 0.0 && self.equity.is_finite());
        Step { reward, terminated: ruined || self.step >= self.rules.steps, truncated: false }
    }

    fn info_names(&self) -> &'static [&'static str] {
        &Self::INFO
    }

    #[inline]
    fn write_info(&self, info: &mut [f64]) {
        let held: f64 =
            self.shares.iter().zip(&self.prices).map(|(shares, price)| (shares * price).abs()).sum();
        info.copy_from_slice(&[
            self.row() as f64,
            self.equity,
            self.equity - self.rules.initial_cash,
            self.cash,
            self.fees,
            self.traded,
            if self.equity > 0.0 { held / self.equity } else { 0.0 },
            self.impact,
        ]);
    }

    fn scene(&self) -> Scene {
        Scene {
            title: format!(
                "trading {} assets, period {} of {}",
                self.rules.assets, self.step, self.rules.steps
            ),
            time: self.step as f64,
            horizon: self.rules.steps as f64,
            figures: vec![
                ("equity", self.equity, "money"),
                ("profit", self.equity - self.rules.initial_cash, "money"),
                ("cash", self.cash, "money"),
                ("fees", self.fees, "money"),
                ("impact", self.impact, "money"),
            ],
            ..Scene::default()
        }
    }

    fn step_cost_ns(&self) -> u64 {
        let drawn = if self.process.is_some() { 40 } else { 6 };
        let orders = self.orders.as_ref().map_or(0, Orders::cost_ns);
        let market = self.process.as_ref().map_or(0, PriceProcess::period_cost_ns);
        40 + (drawn * self.rules.assets + self.rules.features_len) as u64
            + (orders + market) * self.rules.assets as u64
    }
}
