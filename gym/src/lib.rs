//! Environments in a limit order book: what a participant sees, what it can do, and what that earns.
//!
//! - [`Env`] is the contract; [`envs`] has the environments, [`AnyEnv`] is one of them chosen by configuration.
//! - [`Episodes`] plays an environment episode after episode: seeds, time limit, and no step where there can be none.
//! - [`VecEnv`] plays many side by side on worker threads, with the same bits for any number of threads.
//! - [`indicators`] has functions of the ticks up to now, [`features`] rows of them for a policy to see.
//! - [`EnvConfig`] is their one schema, read from YAML, from `key=value` or from any map.
//!
//! ```
//! use gym::{Action, AnyEnv, Env, EnvConfig, Episodes};
//!
//! let config = EnvConfig::named("model_market_making").unwrap();
//! let mut episodes = Episodes::new(AnyEnv::new(&config).unwrap(), config.max_episode_steps());
//! let mut observation = vec![0.0; episodes.env().observation_space().len()];
//! episodes.reset(Some(7), &mut observation).unwrap();
//! let step = episodes.step(Action::Continuous(&[-0.5, -0.5, 1.0, 1.0]), &mut observation).unwrap();
//! assert!(!step.terminated && !step.truncated);
//! ```
//!
//! There is no Python and no torch here.

pub mod config;
mod env;
pub mod envs;
mod episodes;
pub mod features;
pub mod indicators;
mod market;
pub mod prices;
mod quoting;
pub mod render;
mod reward;
mod scene;
mod space;
mod vector;

pub use config::{ConfigError, EnvConfig, Settings};
pub use env::{Action, Env, EnvError, Step};
pub use envs::AnyEnv;
pub use episodes::Episodes;
pub use market::{MarketSettings, ResolvedMarket};
pub use quoting::{OffsetsAndSizes, OwnedAction, QuoteAction, QuoteGrid, QuoteLadder, Quotes};
pub use reward::{Earned, RewardWeights};
pub use scene::{Scene, SceneFill, SceneLevel};
pub use space::{BoxSpace, Component, Space};
pub use vector::{Autoreset, StepBuffers, VecEnv};
