//! One episode of a market-making environment under a trained policy, step by step.

use gym::{AnyEnv, Env, EnvConfig, Episodes, Step};
use lob::ParameterError;
use lob::sim::derive_seed;

use super::entrant::{Entrant, EntrantError};
use super::player::Player;
use crate::market_making::{Played, QuotingError};
use crate::policy::PolicyReference;

/// Plays the episode of a seed under a trained policy, in the environment as it is configured; says what it came to, and what the policy is.
/// `watch` is called after the reset (with no step) and after each step.
///
/// # Errors
/// An environment that cannot be made or has no inventory; a policy that cannot be read or was trained on other spaces.
pub fn show(
    config: &EnvConfig,
    reference: &PolicyReference,
    seed: u64,
    mut watch: impl FnMut(&AnyEnv, Option<&Step>),
) -> Result<(Played, String), EntrantError> {
    let env = AnyEnv::new(config).map_err(QuotingError::from)?;
    let candidate = Entrant::trained(reference, &env, config.name())?;
    let Some(inventory) = env.info_names().iter().position(|name| *name == "inventory") else {
        let legal = "an environment of market making: market_making or model_market_making";
        return Err(QuotingError::from(ParameterError::new("name", config.name(), legal)).into());
    };
    let mut infos = vec![0.0; env.info_names().len()];
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut episodes = Episodes::new(env, config.max_episode_steps());
    episodes.reset(Some(seed), &mut observation).map_err(QuotingError::from)?;
    let mut player = candidate.make();
    let Player::Actor(actor) = &mut player else { unreachable!("a trained policy acts on observations") };
    // A stream of its own: a policy that draws must not draw the market's numbers.
    actor.start(derive_seed(seed, u64::MAX));
    watch(episodes.env(), None);
    let mut played = Played::default();
    while episodes.is_running() {
        let action = actor.act(&observation);
        let step = episodes.step(action, &mut observation).map_err(QuotingError::from)?;
        episodes.env().write_info(&mut infos);
        played.add(&step, infos[inventory]);
        watch(episodes.env(), Some(&step));
    }
    played.end(episodes.env().info_names(), &infos);
    Ok((played, candidate.description))
}
