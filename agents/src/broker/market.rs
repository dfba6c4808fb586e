//! The market that a paper broker trades in: prices, and what trading at them costs.

use std::path::Path;

use gym::envs::portfolio::Rolling;
use gym::prices::{AnyProcess, PriceProcess};
use lob::ParameterError;
use lob::models::{Conditions, FeeConfig, Impact, ImpactConfig, ImpactModel, Liquidity, MetaOrder};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::config::cents;
use super::{BrokerError, PaperConfig};

/// Prices, a period at a time. Seed and number of steps say all: after a restart the same steps are played again.
#[derive(Clone, Debug)]
pub struct Market {
    process: AnyProcess,
    rng: SimRng,
    rolling: Rolling,
    past: Past,
    growth: Vec<f64>,
    log_growth: Vec<f64>,
    /// Money a share.
    levels: Vec<f64>,
    /// Cents a share.
    prices: Vec<i64>,
    step: u64,
    /// Steps that the market has.
    end: Option<u64>,
    /// Steps since any price changed.
    unchanged: u64,
    period_seconds: f64,
}

impl Market {
    /// The market of a seed before its first step; what its windows see, and the `history` of so many periods, has been played.
    ///
    /// # Errors
    /// The first setting or file that is not legal.
    pub fn new(
        config: &PaperConfig,
        history: usize,
        directory: &Path,
        seed: u64,
    ) -> Result<Self, BrokerError> {
        let mut process = config.source().resolve(config.assets, directory)?.into_process()?;
        let assets = process.assets();
        let mut rolling = Rolling::new(assets, &config.return_windows, config.risk_window);
        let mut past = Past::new(assets, history);
        let lookback = rolling.capacity().max(history) as u64;
        let end = process.periods().map(|periods| periods.saturating_sub(lookback));
        if end == Some(0) {
            let legal = format!("{} rows or more, as the longest window takes {lookback}", lookback + 2);
            return Err(ParameterError::new("prices", "a table that is too short", legal).into());
        }
        let mut rng = SimRng::seed_from_u64(seed);
        process.begin(&mut rng, process.periods().unwrap_or(u64::MAX));
        let (mut growth, mut log_growth) = (vec![1.0; assets], vec![0.0; assets]);
        for period in 0..lookback {
            process.advance(&mut rng, &mut growth, &mut log_growth);
            past.push(&log_growth);
            // It brings itself up to date when it has been filled once.
            if period >= lookback - rolling.capacity() as u64 {
                rolling.fill(&log_growth);
            }
        }
        let mut levels = vec![config.start_price; assets];
        process.prices(&mut levels);
        Ok(Self {
            process,
            rng,
            rolling,
            past,
            growth,
            log_growth,
            prices: levels.iter().map(|&level| cents(level)).collect(),
            levels,
            step: 0,
            end,
            unchanged: 0,
            period_seconds: config.period_seconds,
        })
    }

    /// One step; false if there are no more.
    pub fn advance(&mut self) -> bool {
        if self.end == Some(self.step) {
            return false;
        }
        self.process.advance(&mut self.rng, &mut self.growth, &mut self.log_growth);
        self.rolling.push(&self.log_growth);
        self.past.push(&self.log_growth);
        if !self.process.prices(&mut self.levels) {
            for (level, growth) in self.levels.iter_mut().zip(&self.growth) {
                *level *= growth;
            }
        }
        for (price, level) in self.prices.iter_mut().zip(&self.levels) {
            *price = cents(*level);
        }
        let moved = self.growth.iter().any(|&growth| growth != 1.0);
        self.unchanged = if moved { 0 } else { self.unchanged + 1 };
        self.step += 1;
        true
    }

    /// How many assets.
    pub fn assets(&self) -> usize {
        self.prices.len()
    }

    /// Steps played.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Cents a share, an asset each.
    pub fn prices(&self) -> &[i64] {
        &self.prices
    }

    /// Returns and risk up to now.
    pub fn rolling(&self) -> &Rolling {
        &self.rolling
    }

    /// Log growth of the last periods, as many as were asked for, oldest first: a row of one number an asset each.
    pub fn past(&self) -> &[f64] {
        self.past.rows()
    }

    /// Seconds of the market since any price changed: a feed that gives the same prices again has stopped.
    pub fn data_age(&self) -> f64 {
        self.unchanged as f64 * self.period_seconds
    }
}

/// The last rows of a series, side by side in memory.
#[derive(Clone, Debug)]
struct Past {
    /// Numbers that are kept.
    kept: usize,
    /// Room for twice as many, so that they are moved once in as many rows.
    numbers: Vec<f64>,
}

impl Past {
    fn new(assets: usize, rows: usize) -> Self {
        let kept = assets * rows;
        Self { kept, numbers: Vec::with_capacity(2 * kept) }
    }

    fn push(&mut self, row: &[f64]) {
        if self.kept == 0 {
            return;
        }
        if self.numbers.len() + row.len() > 2 * self.kept {
            let first = self.numbers.len() + row.len() - self.kept;
            self.numbers.drain(..first);
        }
        self.numbers.extend_from_slice(row);
    }

    fn rows(&self) -> &[f64] {
        &self.numbers[self.numbers.len().saturating_sub(self.kept)..]
    }
}

/// What an order came to: cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Shares times the reference price; > 0 bought, < 0 sold.
    pub value: i64,
    /// Impact: > 0 is paid, < 0 is a gain from orders before.
    pub slippage: i64,
    /// The venue's charge; < 0 is a rebate.
    pub fee: i64,
}

impl Execution {
    /// What leaves the account.
    ///
    /// # Errors
    /// [`BrokerError::Overflow`].
    pub fn paid(&self) -> Result<i64, BrokerError> {
        let paid = self.value.checked_add(self.slippage).and_then(|sum| sum.checked_add(self.fee));
        paid.ok_or(BrokerError::Overflow("an order's value"))
    }

    /// The average price of `quantity` shares, cents, before fees and rounded against the account.
    pub fn price(&self, quantity: i64) -> i64 {
        if quantity == 0 {
            return 0;
        }
        let paid = (i128::from(self.value) + i128::from(self.slippage)) * i128::from(quantity.signum());
        let shares = i128::from(quantity.unsigned_abs());
        let up = i128::from(quantity > 0 && paid.rem_euclid(shares) != 0);
        i64::try_from(paid.div_euclid(shares) + up).unwrap_or(i64::MAX)
    }
}

/// What trading costs: the fees and the impact model that every environment has, an impact model for each asset.
#[derive(Clone, Debug)]
pub struct Venue {
    fees: FeeConfig,
    impacts: Vec<Impact>,
    has_impact: bool,
    period_seconds: f64,
    execution_seconds: f64,
    volume: f64,
}

impl Venue {
    /// A venue where nobody has traded yet.
    ///
    /// # Errors
    /// A parameter of the impact model.
    pub fn new(config: &PaperConfig, assets: usize) -> Result<Self, BrokerError> {
        let impact = config.impact.model().map_err(|error| error.within("impact"))?;
        Ok(Self {
            fees: config.fees,
            impacts: vec![impact; assets],
            has_impact: config.impact != ImpactConfig::None,
            period_seconds: config.period_seconds,
            execution_seconds: config.execution_seconds,
            volume: config.volume,
        })
    }

    /// Fees for trading all of a portfolio that has the same of each asset, a share of it: what a cost-aware rule reckons with.
    pub fn proportional_fee(&self, market: &Market, nav: i64) -> f64 {
        let assets = market.prices.len() as f64;
        let each = nav.max(0) as f64 / 100.0 / assets;
        let fee = |&price: &i64| self.fees.of_order(Liquidity::Taker, each * 100.0 / price as f64, each);
        let traded = each * assets;
        let fees: f64 = market.prices.iter().filter(|&&price| price > 0).map(fee).sum();
        if traded > 0.0 { (fees / traded).max(0.0) } else { 0.0 }
    }

    /// What is remembered of each asset's orders.
    pub fn impacts(&self) -> &[Impact] {
        &self.impacts
    }

    /// Remembers what a ledger kept.
    pub fn restore(&mut self, impacts: Vec<Impact>) {
        self.impacts = impacts;
    }

    /// Whether orders move prices.
    pub fn has_impact(&self) -> bool {
        self.has_impact
    }

    /// What an order for `quantity` shares, parts of shares included, would pay in impact, money; infinite where there is no such order.
    pub fn impact_of(&self, market: &Market, asset: usize, quantity: f64) -> f64 {
        self.meet(market, asset, quantity).map_or(f64::INFINITY, |(order, conditions)| {
            self.impacts[asset].cost(&order, &conditions).money()
        })
    }

    /// What an order for `quantity` shares would come to.
    ///
    /// # Errors
    /// A price that is not above 0; an amount beyond 64 bits.
    pub fn quote(&self, market: &Market, asset: usize, quantity: i64) -> Result<Execution, BrokerError> {
        let (order, conditions) = self.meet(market, asset, quantity as f64)?;
        self.account(market, asset, quantity, self.impacts[asset].cost(&order, &conditions).money())
    }

    /// Trades it: the same, and it is remembered.
    ///
    /// # Errors
    /// As [`quote`](Self::quote); nothing is remembered then.
    pub fn execute(
        &mut self,
        market: &Market,
        asset: usize,
        quantity: i64,
    ) -> Result<Execution, BrokerError> {
        let (order, conditions) = self.meet(market, asset, quantity as f64)?;
        let mut impact = self.impacts[asset].clone();
        let execution = self.account(market, asset, quantity, impact.trade(&order, &conditions).money())?;
        self.impacts[asset] = impact;
        Ok(execution)
    }

    /// Lets the rest of a step pass; orders have had their time where `traded`.
    pub fn settle(&mut self, traded: &[bool]) {
        for (impact, &traded) in self.impacts.iter_mut().zip(traded) {
            impact.wait(self.period_seconds - if traded { self.execution_seconds } else { 0.0 });
        }
    }

    fn meet(
        &self,
        market: &Market,
        asset: usize,
        quantity: f64,
    ) -> Result<(MetaOrder, Conditions), BrokerError> {
        let price = market.prices[asset] as f64 / 100.0;
        let volatility = market.rolling.variance(asset).sqrt();
        let conditions = Conditions::over(self.period_seconds, price, volatility, self.volume)?;
        Ok((MetaOrder::new(quantity, self.execution_seconds)?, conditions))
    }

    fn account(
        &self,
        market: &Market,
        asset: usize,
        quantity: i64,
        slippage: f64,
    ) -> Result<Execution, BrokerError> {
        let value = market.prices[asset].checked_mul(quantity);
        let value = value.ok_or(BrokerError::Overflow("an order's value"))?;
        let slippage = cents(slippage);
        // The fee is on what changes hands.
        let notional = (value as f64 + slippage as f64).abs() / 100.0;
        let fee = self.fees.of_order(Liquidity::Taker, quantity.unsigned_abs() as f64, notional);
        Ok(Execution { value, slippage, fee: cents(fee) })
    }
}
