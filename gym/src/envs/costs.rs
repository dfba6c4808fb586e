//! What orders cost where no book is traded in: a broker's fees and an impact model for each asset.
//!
//! There is no formula here: fees are [`FeeConfig::of_order`]'s, impact is [`ImpactModel::trade`]'s. What is here is what they are told, the
//! size of the order and the market it meets.

use std::path::Path;

use lob::ParameterError;
use lob::models::{Conditions, FeeConfig, Impact, ImpactConfig, ImpactModel, Liquidity, MetaOrder};
use lob::parameter::positive;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::prices::{AnyProcess, PerAsset, PriceProcess};

/// What the market trades in a period where neither the settings nor the prices say so, money.
pub const DEFAULT_VOLUME: f64 = 1e8;

/// Length of a period where neither the settings nor the prices say so, s: a trading day of six and a half hours.
pub const DEFAULT_PERIOD_SECONDS: f64 = 23_400.0;

/// Prices in which positions are exact, money a share.
pub(crate) const PRICE_RANGE: std::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// What prices that are drawn without a level begin at, money a share.
pub(crate) const FIRST_PRICE: f64 = 100.0;

/// What the last period counts in what is observed of a market, such as the variance of the log growth: 1 less the decay factor 0.94 of
/// RiskMetrics, Technical Document (1996).
pub(super) const FORGETTING: f64 = 0.06;

/// The market that orders meet, as far as the prices do not say it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TradingConditions {
    /// Money that others trade of each asset in a period; null: what the prices' source observes, 100 million where it observes nothing.
    pub volume: Option<PerAsset>,
    /// Length of a period, s; null: what the prices' source says, 23,400 (a trading day) where it says nothing.
    pub period_seconds: Option<f64>,
    /// How long an order is worked at the beginning of a period, s; null: all of it.
    pub trading_seconds: Option<f64>,
}

impl TradingConditions {
    /// Checks every field, for this many assets.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self, assets: Option<usize>) -> Result<(), ParameterError> {
        let within = |error: ParameterError| error.within("conditions");
        if let Some(volume) = &self.volume {
            let assets = assets.or(match volume {
                PerAsset::Each(list) => Some(list.len()),
                PerAsset::All(_) | PerAsset::Range { .. } => None,
            });
            self.volumes(volume, assets.unwrap_or(1)).map_err(within)?;
        }
        for (key, value) in
            [("period_seconds", self.period_seconds), ("trading_seconds", self.trading_seconds)]
        {
            if let Some(value) = value {
                within_range(key, value).map_err(within)?;
            }
        }
        Ok(())
    }

    fn volumes(&self, volume: &PerAsset, assets: usize) -> Result<Vec<f64>, ParameterError> {
        volume.values("volume", assets, within_range)
    }
}

/// Numbers from which no conditions become illegal.
fn within_range(key: &str, value: f64) -> Result<(), ParameterError> {
    positive(key, value)?;
    if (1e-6..=1e18).contains(&value) {
        Ok(())
    } else {
        Err(ParameterError::new(key, value, "a number from 1e-6 to 1e18"))
    }
}

/// What an order was charged, money. Negative impact is money that earlier orders had moved out of reach and this one takes back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Charge {
    pub(super) fees: f64,
    pub(super) impact: f64,
}

/// Charges the orders of several assets, each with an impact model that remembers what it was told.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    fees: FeeConfig,
    /// One for each asset; none where orders move no price.
    models: Vec<Impact>,
    /// Money a second; none where the prices' source observes it.
    volumes: Option<Vec<f64>>,
    period_seconds: f64,
    trading_seconds: f64,
    /// 1 / sqrt(period): from a period's standard deviation to a second's.
    per_root: f64,
}

impl Orders {
    /// For these settings, or none where trading is free of all this. `process` is where the prices come from, if it is one.
    ///
    /// # Errors
    /// A file or a setting that is not legal.
    pub(super) fn new(
        fees: FeeConfig,
        impact: &ImpactConfig,
        conditions: &TradingConditions,
        process: Option<&AnyProcess>,
        assets: usize,
        directory: &Path,
    ) -> Result<Option<Self>, ConfigError> {
        let observed = process.is_some_and(|process| process.volumes().is_some());
        let period_seconds = process.and_then(PriceProcess::period_seconds);
        Self::observing(fees, impact, conditions, (observed, period_seconds), assets, directory)
    }

    /// The same of a source that observes volumes or does not, and says how long its periods are or does not, s.
    ///
    /// # Errors
    /// As there.
    pub(super) fn observing(
        fees: FeeConfig,
        impact: &ImpactConfig,
        conditions: &TradingConditions,
        (observed, period_seconds): (bool, Option<f64>),
        assets: usize,
        directory: &Path,
    ) -> Result<Option<Self>, ConfigError> {
        let impact = impact.resolve(directory)?;
        if fees == FeeConfig::None && impact == ImpactConfig::None {
            return Ok(None);
        }
        let models = match impact {
            ImpactConfig::None => Vec::new(),
            model => {
                let model = model.model().map_err(|error| error.within("impact"))?;
                vec![model; assets]
            }
        };
        let period_seconds = conditions.period_seconds.or(period_seconds).unwrap_or(DEFAULT_PERIOD_SECONDS);
        let trading_seconds = conditions.trading_seconds.unwrap_or(period_seconds);
        if trading_seconds > period_seconds {
            let legal = format!("at most {period_seconds}, the period");
            return Err(ParameterError::new("conditions.trading_seconds", trading_seconds, legal).into());
        }
        let volumes = match &conditions.volume {
            Some(volume) => {
                Some(conditions.volumes(volume, assets).map_err(|error| error.within("conditions"))?)
            }
            None if observed => None,
            None => Some(vec![DEFAULT_VOLUME; assets]),
        };
        let volumes = volumes.map(|volumes| volumes.iter().map(|money| money / period_seconds).collect());
        let per_root = 1.0 / libm::sqrt(period_seconds);
        Ok(Some(Self { fees, models, volumes, period_seconds, trading_seconds, per_root }))
    }

    /// Forgets every order.
    pub(super) fn reset(&mut self) {
        self.models.iter_mut().for_each(ImpactModel::reset);
    }

    /// Trades `notional` (money, < 0 sells) of an asset and lets the rest of the period pass. `volatility` is the standard deviation of its log
    /// growth over a period as observed up to now, `observed` the quantity that the market trades in a period, as its source observes it.
    /// An order that takes liquidity pays the schedule's taker rate.
    pub(super) fn trade(
        &mut self,
        asset: usize,
        notional: f64,
        price: f64,
        volatility: f64,
        observed: Option<&[f64]>,
    ) -> Charge {
        if price.is_nan() || price <= 0.0 {
            // There is no market to pay anything in, but time passes.
            self.wait(asset);
            return Charge::default();
        }
        let quantity = notional / price;
        let fees = self.fees.of_order(Liquidity::Taker, quantity.abs(), notional.abs());
        if self.models.is_empty() {
            return Charge { fees, impact: 0.0 };
        }
        let met = self.met(asset, quantity, price, volatility, observed);
        let model = &mut self.models[asset];
        let impact = match met {
            Ok((order, conditions)) if quantity != 0.0 => {
                let cost = model.trade(&order, &conditions);
                model.wait(self.period_seconds - self.trading_seconds);
                cost.money()
            }
            // Nothing is ordered; or an equity or a price beyond all bounds, and what that costs no longer matters.
            _ => {
                model.wait(self.period_seconds);
                0.0
            }
        };
        Charge { fees, impact }
    }

    /// What [`trade`](Self::trade) would charge for impact now. Nothing is traded.
    pub(super) fn impact_of(
        &self,
        asset: usize,
        notional: f64,
        price: f64,
        volatility: f64,
        observed: Option<&[f64]>,
    ) -> f64 {
        let Some(model) = self.models.get(asset).filter(|_| price > 0.0 && notional != 0.0) else {
            return 0.0;
        };
        match self.met(asset, notional / price, price, volatility, observed) {
            Ok((order, conditions)) => model.cost(&order, &conditions).money(),
            Err(_) => 0.0,
        }
    }

    /// What [`trade`](Self::trade) would charge now. Nothing is traded.
    pub(super) fn estimate(
        &self,
        asset: usize,
        notional: f64,
        price: f64,
        volatility: f64,
        observed: Option<&[f64]>,
    ) -> Charge {
        let fees = self.fees.of_order(Liquidity::Taker, (notional / price).abs(), notional.abs());
        Charge { fees, impact: self.impact_of(asset, notional, price, volatility, observed) }
    }

    /// An order, and the market that it meets.
    fn met(
        &self,
        asset: usize,
        quantity: f64,
        price: f64,
        volatility: f64,
        observed: Option<&[f64]>,
    ) -> Result<(MetaOrder, Conditions), ParameterError> {
        let volume = match (&self.volumes, observed) {
            (Some(money), _) => money[asset] / price,
            (None, Some(quantities)) => quantities[asset] / self.period_seconds,
            (None, None) => 0.0,
        };
        let conditions = Conditions::new(price, volatility * self.per_root, volume)?;
        Ok((MetaOrder::new(quantity, self.trading_seconds)?, conditions))
    }

    /// A period without an order.
    fn wait(&mut self, asset: usize) {
        if let Some(model) = self.models.get_mut(asset) {
            model.wait(self.period_seconds);
        }
    }

    /// Rough time that an order takes, for the sharing out among threads.
    pub(super) fn cost_ns(&self) -> u64 {
        match self.models.first() {
            None => 20,
            Some(Impact::Transient(_) | Impact::SquareRoot(_) | Impact::Book(_)) => 1_500,
            Some(_) => 60,
        }
    }

    /// Whether anybody asks how much prices move.
    pub(super) fn has_impact(&self) -> bool {
        !self.models.is_empty()
    }
}

/// Checks the settings that both environments have.
pub(super) fn validate(
    fees: &FeeConfig,
    impact: &ImpactConfig,
    conditions: &TradingConditions,
    assets: Option<usize>,
) -> Result<(), ParameterError> {
    fees.validate().map_err(|error| error.within("fees"))?;
    impact.validate().map_err(|error| error.within("impact"))?;
    conditions.validate(assets)
}
