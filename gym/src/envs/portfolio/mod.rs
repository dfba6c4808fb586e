//! Weights of several assets, changed at a cost.

mod aim;
mod config;
mod projection;
mod reward;
mod statistics;

use std::path::Path;
use std::sync::Arc;

use lob::ParameterError;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

pub use aim::Aim;
pub use config::{ActionMeaning, PortfolioRebalancingConfig, RewardKind, Risk, Start, Weights};
pub use projection::{project_l1_ball, project_simplex};
pub use statistics::Rolling;

use super::costs::{Charge, FIRST_PRICE, Orders, PRICE_RANGE};
use crate::config::ConfigError;
use crate::env::{Action, Env, EnvError, Step};
use crate::prices::{AnyProcess, PriceProcess};
use crate::scene::Scene;
use crate::space::{BoxSpace, Component, Space};
use config::DEFAULT_STEPS;
use reward::Reward;

/// What all copies of an environment share.
#[derive(Debug)]
struct Rules {
    observation_space: BoxSpace,
    action_space: Space,
    assets: usize,
    /// Columns of an observation.
    columns: usize,
    return_windows: Vec<usize>,
    risk: Risk,
    observe_expected: bool,
    aim: Aim,
    start: Start,
    steps: u64,
    capital: f64,
    /// Growth of cash in a period, if it is held, and its logarithm.
    cash: Option<(f64, f64)>,
    transaction_cost: f64,
    /// Money.
    ruin: f64,
}

/// Keeps several assets at weights of its choice.
///
/// A step: the action's weights are moved to the nearest legal ones ([`project_simplex`], [`project_l1_ball`]); the cost of changing the weights
/// that the last period left to these, `transaction_cost x sum |change|` and what `fees` and `impact` say of each order of `change x value`,
/// is taken from the net asset value; then the period's growth is earned; then the weights drift. `reward = ln(net asset value after / before)`, or a variant ([`RewardKind`]).
///
/// An observation has a row for each asset, and one for cash if it is held:
///
/// | column | observation | unit |
/// |---|---|---|
/// | 0 | log growth over the last `return_windows` periods (a column for each window) | natural logarithm |
/// | 1 | variance of the log growth over `risk_window` periods, or its covariance with the portfolio's | per period |
/// | 2 | weight | share of the net asset value |
///
/// An episode is cut off (`truncated`) after `steps` periods. It ends (`terminated`) once the net asset value is not above `ruin_level` x
/// `capital`; the log return of that step leads to exactly that level, however far below it the value has fallen.
#[derive(Clone, Debug)]
pub struct PortfolioRebalancing {
    rules: Arc<Rules>,
    process: AnyProcess,
    rng: SimRng,
    rolling: Rolling,
    reward: Reward,
    step: u64,
    /// Money.
    nav: f64,
    /// Shares of the net asset value, cash last if it is held.
    weights: Vec<f64>,
    targets: Vec<f64>,
    growth: Vec<f64>,
    log_growth: Vec<f64>,
    covariances: Vec<f64>,
    last: Period,
    /// What costs more than a share of what is traded, if anything does, and the assets' prices for it, money a share.
    orders: Option<Orders>,
    prices: Vec<f64>,
    /// Since the start: money, and shares of the net asset value.
    fees: f64,
    impact: f64,
    total_turnover: f64,
}

/// What the last step did.
#[derive(Clone, Copy, Debug, Default)]
struct Period {
    log_return: f64,
    gross_return: f64,
    cost: f64,
    turnover: f64,
}

impl PortfolioRebalancing {
    /// Names of [`Env::write_info`]'s numbers.
    pub const INFO: [&'static str; 12] = [
        "period",
        "nav",
        "profit",
        "log_return",
        "gross_return",
        "cost",
        "turnover",
        "fees",
        "total_turnover",
        "exposure",
        "cash",
        "impact",
    ];

    /// An environment with these settings; relative paths start at `directory`.
    ///
    /// # Errors
    /// The first setting or file that is not legal.
    pub fn new(config: &PortfolioRebalancingConfig, directory: &Path) -> Result<Self, ConfigError> {
        config.validate()?;
        Self::build(config, config.prices.resolve(config.assets, directory)?.into_process()?, directory)
    }

    /// The same over these prices instead of the settings' own, as many assets and, of a table, as many steps as they have.
    ///
    /// # Errors
    /// The first setting or file that is not legal.
    pub fn over(
        process: AnyProcess,
        config: &PortfolioRebalancingConfig,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let config = PortfolioRebalancingConfig { assets: None, steps: None, ..config.clone() };
        config.validate()?;
        Self::build(&config, process, directory)
    }

    fn build(
        config: &PortfolioRebalancingConfig,
        process: AnyProcess,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let assets = process.assets();
        let lookback = config.lookback() as u64;
        let steps = match process.periods() {
            None => config.steps.unwrap_or(DEFAULT_STEPS),
            Some(periods) if periods <= lookback => {
                let found = format!("a table of {} rows", periods + 1);
                let legal =
                    format!("{} rows or more, as the longest window takes {lookback} periods", lookback + 2);
                return Err(ParameterError::new("prices", found, legal).into());
            }
            Some(periods) => {
                let most = periods - lookback;
                let steps = config.steps.unwrap_or(most);
                if steps > most {
                    let legal = format!("at most {most}, what the prices have after the longest window");
                    return Err(ParameterError::new("steps", steps, legal).into());
                }
                steps
            }
        };
        let orders =
            Orders::new(config.fees, &config.impact, &config.conditions, Some(&process), assets, directory)?;
        let rows = assets + usize::from(config.cash);
        let aim = Aim::new(config, assets);
        let rules = Rules {
            observation_space: observation_space(config, assets),
            action_space: aim.space(),
            assets,
            columns: config.return_windows.len() + 2 + usize::from(config.observe_expected),
            return_windows: config.return_windows.clone(),
            risk: config.risk,
            observe_expected: config.observe_expected,
            aim,
            start: config.start,
            steps,
            capital: config.capital,
            cash: config.cash.then(|| (1.0 + config.cash_return, libm::log1p(config.cash_return))),
            transaction_cost: config.transaction_cost,
            ruin: config.ruin_level * config.capital,
        };
        let mut env = Self {
            rng: SimRng::seed_from_u64(0),
            rolling: Rolling::new(assets, &config.return_windows, config.risk_window).keeping(config.history),
            reward: Reward::new(config),
            step: 0,
            nav: config.capital,
            weights: vec![0.0; rows],
            targets: vec![0.0; rows],
            growth: vec![1.0; rows],
            log_growth: vec![0.0; assets],
            covariances: vec![0.0; assets],
            last: Period::default(),
            fees: 0.0,
            impact: 0.0,
            total_turnover: 0.0,
            orders,
            prices: vec![FIRST_PRICE; assets],
            rules: Arc::new(rules),
            process,
        };
        env.begin();
        Ok(env)
    }

    /// Net asset value, money.
    pub fn nav(&self) -> f64 {
        self.nav
    }

    /// What is held, as shares of the net asset value, cash last if it is held.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// What the last step's action came to before the period: legal weights, laid out like [`weights`](Self::weights).
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// How many assets, without cash.
    pub fn assets(&self) -> usize {
        self.rules.assets
    }

    /// Log growth of the last [`lookback`](PortfolioRebalancingConfig::lookback) periods, oldest first: one row of a number an asset after the
    /// other, in two pieces.
    pub fn past(&self) -> [&[f64]; 2] {
        self.rolling.past()
    }

    /// What each asset's log growth is expected to be in the coming period, before the price's own convexity (`ln E(growth)`), where the prices'
    /// process knows it and it may be seen (`observe_expected`).
    pub fn expected(&self) -> Option<&[f64]> {
        if self.rules.observe_expected { self.process.expected() } else { None }
    }

    /// Log growth of cash in a period, if it is held.
    pub fn cash_growth(&self) -> Option<f64> {
        self.rules.cash.map(|(_, log_growth)| log_growth)
    }

    /// Whether orders move prices here.
    pub fn has_impact(&self) -> bool {
        self.orders.as_ref().is_some_and(Orders::has_impact)
    }

    /// What the order that changes an asset's weight by `change` would pay in impact in the coming step, a share of the net asset value: the
    /// estimate of the model that charges it, with what that remembers. Nothing is traded.
    ///
    /// # Panics
    /// If there is no such asset.
    pub fn impact_of(&self, asset: usize, change: f64) -> f64 {
        let Some(orders) = &self.orders else { return 0.0 };
        let volatility = libm::sqrt(self.rolling.variance(asset));
        let notional = change * self.nav;
        orders.impact_of(asset, notional, self.prices[asset], volatility, self.process.volumes()) / self.nav
    }

    /// A step to `targets` as they are, laid out like [`weights`](Self::weights): for rules that know legal weights in full precision, where
    /// an action would round them and trade the difference.
    ///
    /// # Panics
    /// If there are more or fewer of them than weights.
    pub fn rebalance(&mut self, targets: &[f64], observation: &mut [f32]) -> Step {
        self.targets.copy_from_slice(targets);
        self.settle(observation)
    }

    /// Trades to the targets, and the period after it.
    #[inline]
    fn settle(&mut self, observation: &mut [f32]) -> Step {
        let turnover = self.turnover();
        let share = turnover * self.rules.transaction_cost;
        let before = self.nav;
        let charge = self.charge();
        let cost = share + (charge.fees + charge.impact) / before;
        let n = self.rules.assets;
        self.process.advance(&mut self.rng, &mut self.growth[..n], &mut self.log_growth);
        self.rolling.push(&self.log_growth);
        let gross: f64 = self.targets.iter().zip(&self.growth).map(|(weight, growth)| weight * growth).sum();
        self.follow_prices();
        self.nav = before * (1.0 - cost) * gross;
        if gross > 0.0 {
            let per = 1.0 / gross;
            for (weight, (target, growth)) in
                self.weights.iter_mut().zip(self.targets.iter().zip(&self.growth))
            {
                *weight = target * growth * per;
            }
        }
        let ruined = self.nav.is_nan() || self.nav <= self.rules.ruin;
        let log_return = libm::log(if ruined { self.rules.ruin } else { self.nav } / before);
        self.last = Period { log_return, gross_return: gross - 1.0, cost, turnover };
        self.fees += share * before + charge.fees;
        self.impact += charge.impact;
        self.total_turnover += turnover;
        self.step += 1;
        self.observe(observation);
        Step {
            reward: self.reward.of(log_return, &self.growth),
            terminated: ruined,
            truncated: self.step >= self.rules.steps,
        }
    }

    /// Accounts as at the start of an episode.
    fn begin(&mut self) {
        let n = self.rules.assets;
        (self.step, self.nav, self.last) = (0, self.rules.capital, Period::default());
        (self.fees, self.impact, self.total_turnover) = (0.0, 0.0, 0.0);
        match self.rules.start {
            Start::Equal => {
                self.weights.fill(0.0);
                self.weights[..n].fill(1.0 / n as f64);
            }
            Start::Cash => {
                self.weights.fill(0.0);
                self.weights[n] = 1.0;
            }
        }
        if let Some((growth, _)) = self.rules.cash {
            self.growth[n] = growth;
        }
        self.targets.copy_from_slice(&self.weights);
        self.reward.reset();
    }

    /// Turnover of going from the weights to the targets, as a share of the net asset value.
    #[inline]
    fn turnover(&self) -> f64 {
        let n = self.rules.assets;
        self.targets[..n].iter().zip(&self.weights[..n]).map(|(target, weight)| (target - weight).abs()).sum()
    }

    /// What the orders of this step cost besides the share.
    fn charge(&mut self) -> Charge {
        let Some(orders) = &mut self.orders else { return Charge::default() };
        let observed = self.process.volumes();
        let mut total = Charge::default();
        for asset in 0..self.rules.assets {
            let notional = (self.targets[asset] - self.weights[asset]) * self.nav;
            let volatility = libm::sqrt(self.rolling.variance(asset));
            let charge = orders.trade(asset, notional, self.prices[asset], volatility, observed);
            total.fees += charge.fees;
            total.impact += charge.impact;
        }
        total
    }

    /// Prices as they are after the period whose growth is known.
    fn follow_prices(&mut self) {
        if self.orders.is_some() && !self.process.prices(&mut self.prices) {
            for (price, growth) in self.prices.iter_mut().zip(&self.growth) {
                *price = (*price * growth).clamp(*PRICE_RANGE.start(), *PRICE_RANGE.end());
            }
        }
    }

    #[inline]
    fn observe(&mut self, observation: &mut [f32]) {
        let rules = &*self.rules;
        let (n, columns) = (rules.assets, rules.columns);
        let risk = rules.return_windows.len();
        if rules.risk == Risk::Covariance {
            self.rolling.covariances(&self.weights[..n], &mut self.covariances);
        }
        let rows = observation.chunks_exact_mut(columns);
        for (asset, (row, weight)) in rows.zip(&self.weights[..n]).enumerate() {
            for (index, value) in row[..risk].iter_mut().enumerate() {
                *value = self.rolling.returns(index)[asset] as f32;
            }
            row[risk] = match rules.risk {
                Risk::Variance => self.rolling.variance(asset),
                Risk::Covariance => self.covariances[asset],
            } as f32;
            row[risk + 1] = *weight as f32;
        }
        if rules.observe_expected
            && let Some(expected) = self.process.expected()
        {
            for (row, value) in observation.chunks_exact_mut(columns).zip(expected) {
                row[risk + 2] = *value as f32;
            }
        }
        if let Some((_, log_growth)) = rules.cash {
            let row = &mut observation[n * columns..];
            for (value, &window) in row.iter_mut().zip(&rules.return_windows) {
                *value = (window as f64 * log_growth) as f32;
            }
            row[risk] = 0.0;
            row[risk + 1] = self.weights[n] as f32;
            if rules.observe_expected {
                row[risk + 2] = log_growth as f32;
            }
        }
    }
}

fn observation_space(config: &PortfolioRebalancingConfig, assets: usize) -> BoxSpace {
    let mut components = Vec::new();
    let (low, high) = match config.weights {
        // Rounding of 32-bit floats included, weights that drift stay on the simplex.
        Weights::LongOnly => (0.0, 1.0),
        Weights::LongShort => (f32::NEG_INFINITY, f32::INFINITY),
    };
    let rows = assets + usize::from(config.cash);
    for row in 0..rows {
        let what = if row < assets { format!("asset {row}") } else { "cash".to_owned() };
        for window in &config.return_windows {
            components
                .push(Component::unbounded(format!("log growth of {what} over {window} periods"), "ln"));
        }
        components.push(match config.risk {
            Risk::Variance => {
                Component::new(format!("variance of {what}"), "ln^2 per period", 0.0, f32::INFINITY)
            }
            Risk::Covariance => {
                Component::unbounded(format!("covariance of {what} with the portfolio"), "ln^2 per period")
            }
        });
        components.push(Component::new(
            format!("weight of {what}"),
            "share of the net asset value",
            low,
            high,
        ));
        if config.observe_expected {
            components.push(Component::unbounded(format!("expected log growth of {what}"), "ln per period"));
        }
    }
    let columns = components.len() / rows;
    BoxSpace::with_shape(components, vec![rows, columns])
}

impl Env for PortfolioRebalancing {
    fn observation_space(&self) -> &BoxSpace {
        &self.rules.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.rules.action_space
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        self.rng = SimRng::seed_from_u64(session);
        self.begin();
        let n = self.rules.assets;
        let lookback = self.rolling.capacity();
        self.process.begin(&mut self.rng, lookback as u64 + self.rules.steps);
        // A memory that is full has its next row at its first again.
        self.rolling.rewind();
        for _ in 0..lookback {
            self.process.advance(&mut self.rng, &mut self.growth[..n], &mut self.log_growth);
            self.rolling.fill(&self.log_growth);
        }
        if let Some(orders) = &mut self.orders {
            orders.reset();
            if !self.process.prices(&mut self.prices) {
                self.prices.fill(FIRST_PRICE);
            }
        }
        self.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let Self { rules, weights, targets, .. } = self;
        rules.aim.targets(action.continuous(), weights, targets);
        self.settle(observation)
    }

    fn info_names(&self) -> &'static [&'static str] {
        &Self::INFO
    }

    #[inline]
    fn write_info(&self, info: &mut [f64]) {
        let n = self.rules.assets;
        info.copy_from_slice(&[
            self.step as f64,
            self.nav,
            self.nav - self.rules.capital,
            self.last.log_return,
            self.last.gross_return,
            self.last.cost,
            self.last.turnover,
            self.fees,
            self.total_turnover,
            self.weights[..n].iter().map(|weight| weight.abs()).sum(),
            self.weights.get(n).copied().unwrap_or(0.0),
            self.impact,
        ]);
    }

    fn scene(&self) -> Scene {
        Scene {
            title: format!(
                "a portfolio of {} assets, period {} of {}",
                self.rules.assets, self.step, self.rules.steps
            ),
            time: self.step as f64,
            horizon: self.rules.steps as f64,
            figures: vec![
                ("net asset value", self.nav, "money"),
                ("profit", self.nav - self.rules.capital, "money"),
                ("turnover", self.last.turnover, "of it"),
                ("fees", self.fees, "money"),
                ("impact", self.impact, "money"),
            ],
            ..Scene::default()
        }
    }

    fn step_cost_ns(&self) -> u64 {
        let orders = self.orders.as_ref().map_or(0, Orders::cost_ns);
        60 + (45 + self.process.period_cost_ns() + orders) * self.rules.assets as u64
    }
}
