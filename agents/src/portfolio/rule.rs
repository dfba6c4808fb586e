//! Rules as they are asked for: `equal_weight:band=0.02`.

use std::fmt;
use std::str::FromStr;

use lob::ParameterError;

use super::{BuyAndHold, EqualWeight, MeanVariance, MinimumVariance, NoTradeBand, RiskParity, Strategy};

/// Periods that moments are estimated from where nothing is said.
const WINDOW: usize = 60;

/// A rule with its parameters, each of them legal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `buy_and_hold`.
    BuyAndHold,
    /// `equal_weight:band=0`.
    EqualWeight {
        /// See [`EqualWeight`].
        band: f64,
    },
    /// `minimum_variance:window=60`.
    MinimumVariance {
        /// Periods.
        window: usize,
    },
    /// `mean_variance:window=60:risk_aversion=5`.
    MeanVariance {
        /// Periods.
        window: usize,
        /// Weight of the variance.
        risk_aversion: f64,
    },
    /// `cost_aware:window=60:risk_aversion=5:horizon=20`.
    CostAware {
        /// Periods.
        window: usize,
        /// Weight of the variance.
        risk_aversion: f64,
        /// Periods that a trade's cost is spread over.
        horizon: f64,
    },
    /// `risk_parity:window=60`.
    RiskParity {
        /// Periods.
        window: usize,
    },
    /// `no_trade_band:aim=40:band=0.5`.
    NoTradeBand {
        /// Share of the net asset value for 1% of expected growth in a period.
        aim: f64,
        /// Share of the net asset value.
        band: f64,
    },
}

impl Rule {
    /// What their names begin with.
    pub const NAMES: [&str; 7] = [
        "buy_and_hold",
        "equal_weight",
        "minimum_variance",
        "mean_variance",
        "cost_aware",
        "risk_parity",
        "no_trade_band",
    ];

    /// What decides so.
    pub fn make(&self) -> Box<dyn Strategy> {
        match *self {
            Self::BuyAndHold => Box::new(BuyAndHold),
            Self::EqualWeight { band } => Box::new(EqualWeight { band }),
            Self::MinimumVariance { window } => Box::new(MinimumVariance::new(window)),
            Self::MeanVariance { window, risk_aversion } => {
                Box::new(MeanVariance::new(window, risk_aversion, None))
            }
            Self::CostAware { window, risk_aversion, horizon } => {
                Box::new(MeanVariance::new(window, risk_aversion, Some(horizon)))
            }
            Self::RiskParity { window } => Box::new(RiskParity::new(window)),
            Self::NoTradeBand { aim, band } => Box::new(NoTradeBand { aim, band }),
        }
    }
}

impl Rule {
    /// Periods that it looks back at.
    pub fn window(&self) -> usize {
        match *self {
            Self::BuyAndHold | Self::EqualWeight { .. } | Self::NoTradeBand { .. } => 0,
            Self::MinimumVariance { window }
            | Self::MeanVariance { window, .. }
            | Self::CostAware { window, .. }
            | Self::RiskParity { window } => window,
        }
    }

    /// Whether it must know what growth is expected ([`Situation::expected`](super::Situation)).
    pub fn needs_expected(&self) -> bool {
        matches!(self, Self::NoTradeBand { .. })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuyAndHold => write!(to, "buy_and_hold"),
            Self::EqualWeight { band } => write!(to, "equal_weight:band={band}"),
            Self::MinimumVariance { window } => write!(to, "minimum_variance:window={window}"),
            Self::MeanVariance { window, risk_aversion } => {
                write!(to, "mean_variance:window={window}:risk_aversion={risk_aversion}")
            }
            Self::CostAware { window, risk_aversion, horizon } => {
                write!(to, "cost_aware:window={window}:risk_aversion={risk_aversion}:horizon={horizon}")
            }
            Self::RiskParity { window } => write!(to, "risk_parity:window={window}"),
            Self::NoTradeBand { aim, band } => write!(to, "no_trade_band:aim={aim}:band={band}"),
        }
    }
}

impl FromStr for Rule {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let (mut window, mut risk_aversion, mut horizon, mut aim) = (WINDOW, 5.0, 20.0, 40.0);
        let mut band = None;
        let legal: &[&str] = match name {
            "buy_and_hold" => &[],
            "equal_weight" => &["band"],
            "minimum_variance" | "risk_parity" => &["window"],
            "mean_variance" => &["window", "risk_aversion"],
            "cost_aware" => &["window", "risk_aversion", "horizon"],
            "no_trade_band" => &["aim", "band"],
            _ => {
                return Err(ParameterError::new("policy", format_args!("{name:?}"), Self::NAMES.join(", ")));
            }
        };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            if !legal.contains(&key) {
                let keys = if legal.is_empty() { "no parameters".to_owned() } else { legal.join(", ") };
                return Err(ParameterError::new(name, format_args!("{part:?}"), keys));
            }
            let number = value.parse::<f64>().unwrap_or(f64::NAN);
            let within = |least: f64, most: f64, what: &str| {
                if number >= least && number <= most {
                    Ok(number)
                } else {
                    Err(ParameterError::new(format!("{name}.{key}"), format_args!("{value:?}"), what))
                }
            };
            match key {
                "band" if name == "no_trade_band" => {
                    band = Some(within(0.0, 1e6, "a number from 0 to 1e6")?);
                }
                "band" => band = Some(within(0.0, 1.0, "a number from 0 to 1")?),
                "aim" => aim = within(0.0, 1e6, "a number from 0 to 1e6")?,
                "risk_aversion" => risk_aversion = within(1e-6, 1e6, "a number from 1e-6 to 1e6")?,
                "horizon" => horizon = within(1e-3, 1e6, "periods from 0.001 to 1e6")?,
                _ => {
                    let what = "whole periods from 2 to 100000";
                    let number = within(2.0, 1e5, what)?;
                    if number.fract() != 0.0 {
                        return Err(ParameterError::new(format!("{name}.window"), number, what));
                    }
                    window = number as usize;
                }
            }
        }
        Ok(match name {
            "buy_and_hold" => Self::BuyAndHold,
            "equal_weight" => Self::EqualWeight { band: band.unwrap_or(0.0) },
            "minimum_variance" => Self::MinimumVariance { window },
            "mean_variance" => Self::MeanVariance { window, risk_aversion },
            "cost_aware" => Self::CostAware { window, risk_aversion, horizon },
            "risk_parity" => Self::RiskParity { window },
            _ => Self::NoTradeBand { aim, band: band.unwrap_or(0.5) },
        })
    }
}
