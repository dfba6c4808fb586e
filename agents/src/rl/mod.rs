//! Learners: PPO, the actor-critic of the execution paper, REINFORCE and DQN.
//!
//! [`RunConfig`] says what is trained, where and how; reading one needs nothing else. Everything that learns is behind the cargo
//! feature `torch`: `train` is the way in, each algorithm is one file that reads from top to bottom, and what they share lies beside them.
//! `docs/training.md` has the settings, the files of a run and the logged numbers.

#[cfg(feature = "torch")]
pub mod actor_critic;
#[cfg(feature = "torch")]
pub mod adam;
#[cfg(feature = "torch")]
mod assessment;
#[cfg(feature = "torch")]
pub mod checkpoint;
#[cfg(feature = "torch")]
mod clipped;
#[cfg(feature = "torch")]
pub mod directory;
#[cfg(feature = "torch")]
pub mod distribution;
#[cfg(feature = "torch")]
pub mod dqn;
pub mod episode_log;
#[cfg(feature = "torch")]
pub mod events;
#[cfg(feature = "torch")]
pub mod experience;
pub mod gae;
#[cfg(feature = "torch")]
pub mod gradient;
pub mod initialise;
#[cfg(feature = "torch")]
pub mod learner;
#[cfg(feature = "torch")]
pub mod model;
#[cfg(feature = "torch")]
pub mod network;
#[cfg(feature = "torch")]
pub mod parameters;
#[cfg(feature = "torch")]
pub mod ppo;
#[cfg(feature = "torch")]
pub mod reinforce;
#[cfg(feature = "torch")]
pub mod replay;
pub mod rollout;
#[cfg(feature = "torch")]
pub mod run;
pub mod seeds;
mod settings;
mod shipped;
pub mod sum_tree;

#[cfg(feature = "torch")]
pub use self::{
    learner::LearnError,
    run::{Observer, Outcome, Report, RunOptions, TrainError, train, train_in},
};
pub use episode_log::EpisodeRecord;
pub use rollout::{Brain, Collector, Finished, Rollout, RolloutError};
pub use settings::{
    ActorCriticSettings, AlgorithmSettings, Common, DqnSettings, EpisodeLog, HeadChoice, NetworkSettings,
    PpoSettings, ReinforceSettings, RunConfig, Schedule,
};
pub use shipped::{shipped, shipped_names};
