//! The environments.

mod costs;
pub mod execution;
mod market_making;
mod model_market_making;
mod multi_asset;
pub mod portfolio;
pub mod trader;

pub use costs::{DEFAULT_PERIOD_SECONDS, DEFAULT_VOLUME, TradingConditions};
pub use execution::{Execution, ExecutionConfig, Moment};
pub use market_making::{ActionKind, AtLimit, MarketMaking, MarketMakingConfig, ObservationKind};
pub use model_market_making::{ModelMarketMaking, ModelMarketMakingConfig};
pub use multi_asset::{MultiAssetTrading, MultiAssetTradingConfig};
pub use portfolio::{PortfolioRebalancing, PortfolioRebalancingConfig, project_simplex};
pub use trader::{Trader, TraderConfig};

use crate::config::{ConfigError, EnvConfig, Task};
use crate::env::{Action, Env, EnvError, Step};
use crate::scene::Scene;
use crate::space::{BoxSpace, Space};

/// One of the environments, chosen by configuration.
// The environment without a book is small and its steps are cheap: it lies in place. The others are a pointer away.
#[derive(Clone, Debug)]
pub enum AnyEnv {
    /// [`MarketMaking`].
    MarketMaking(Box<MarketMaking>),
    /// [`Execution`].
    Execution(Box<Execution>),
    /// [`ModelMarketMaking`].
    ModelMarketMaking(ModelMarketMaking),
    /// [`MultiAssetTrading`].
    MultiAssetTrading(Box<MultiAssetTrading>),
    /// [`PortfolioRebalancing`].
    PortfolioRebalancing(Box<PortfolioRebalancing>),
    /// [`Trader`].
    Trader(Box<Trader>),
}

impl AnyEnv {
    /// The environment that a configuration describes.
    ///
    /// # Errors
    /// A file or parameter that is not legal.
    pub fn new(config: &EnvConfig) -> Result<Self, ConfigError> {
        Ok(match &config.task {
            Task::MarketMaking(own) => Self::MarketMaking(Box::new(MarketMaking::new(
                own,
                &config.market.resolve(&config.directory)?,
            )?)),
            Task::Execution(own) => {
                Self::Execution(Box::new(Execution::new(own, &config.market.resolve(&config.directory)?)?))
            }
            Task::ModelMarketMaking(own) => Self::ModelMarketMaking(ModelMarketMaking::new(own)?),
            Task::MultiAssetTrading(own) => {
                Self::MultiAssetTrading(Box::new(MultiAssetTrading::new(own, &config.directory)?))
            }
            Task::PortfolioRebalancing(own) => {
                Self::PortfolioRebalancing(Box::new(PortfolioRebalancing::new(own, &config.directory)?))
            }
            Task::Trader(own) => Self::Trader(Box::new(Trader::new(own, &config.market, &config.directory)?)),
        })
    }
}

/// The same call on whichever environment it is.
macro_rules! dispatch {
    ($self:expr, $env:ident => $call:expr) => {
        match $self {
            AnyEnv::MarketMaking($env) => $call,
            AnyEnv::Execution($env) => $call,
            AnyEnv::ModelMarketMaking($env) => $call,
            AnyEnv::MultiAssetTrading($env) => $call,
            AnyEnv::PortfolioRebalancing($env) => $call,
            AnyEnv::Trader($env) => $call,
        }
    };
}

impl Env for AnyEnv {
    fn observation_space(&self) -> &BoxSpace {
        dispatch!(self, env => env.observation_space())
    }

    fn action_space(&self) -> &Space {
        dispatch!(self, env => env.action_space())
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        dispatch!(self, env => env.reset(session, observation))
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        dispatch!(self, env => env.step(action, observation))
    }

    fn info_names(&self) -> &'static [&'static str] {
        dispatch!(self, env => env.info_names())
    }

    #[inline]
    fn write_info(&self, info: &mut [f64]) {
        dispatch!(self, env => env.write_info(info));
    }

    fn scene(&self) -> Scene {
        dispatch!(self, env => env.scene())
    }

    fn step_cost_ns(&self) -> u64 {
        dispatch!(self, env => env.step_cost_ns())
    }
}
