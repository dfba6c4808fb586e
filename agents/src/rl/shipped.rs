//! Trainings that come with the library: those of `config/train`.

use gym::Settings;
use gym::config::{ConfigError, one_of};
use lob::ParameterError;

/// Name and text.
const SHIPPED: [(&str, &str); 11] = [
    ("execution_dirichlet", include_str!("../../../config/train/execution_dirichlet.yaml")),
    ("execution_logistic_normal", include_str!("../../../config/train/execution_logistic_normal.yaml")),
    ("execution_ppo", include_str!("../../../config/train/execution_ppo.yaml")),
    ("market_making_dqn", include_str!("../../../config/train/market_making_dqn.yaml")),
    ("market_making_ppo", include_str!("../../../config/train/market_making_ppo.yaml")),
    ("model_market_making_ppo", include_str!("../../../config/train/model_market_making_ppo.yaml")),
    ("portfolio_band_ppo", include_str!("../../../config/train/portfolio_band_ppo.yaml")),
    ("portfolio_ppo", include_str!("../../../config/train/portfolio_ppo.yaml")),
    ("trader_ppo_mlp", include_str!("../../../config/train/trader_ppo_mlp.yaml")),
    ("trader_ppo_tcn_futures", include_str!("../../../config/train/trader_ppo_tcn_futures.yaml")),
    ("trader_reinforce", include_str!("../../../config/train/trader_reinforce.yaml")),
];

/// The names of the trainings that come with the library.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The settings of a training that comes with the library, to be changed and passed to [`RunConfig::from_settings`](super::RunConfig).
///
/// # Errors
/// [`ConfigError::Parameter`] if there is none of that name.
pub fn shipped(name: &str) -> Result<Settings, ConfigError> {
    match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        Some((name, text)) => Settings::from_yaml(text, name),
        None => {
            let names: Vec<_> = shipped_names().collect();
            Err(ParameterError::new("name", format_args!("{name:?}"), one_of(&names, name)).into())
        }
    }
}
