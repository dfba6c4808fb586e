//! Which environment: `--config` and `--set`, as every subcommand with environments takes them.

use std::path::PathBuf;

use clap::Args;
use gym::{ConfigError, EnvConfig, Settings};
use lob::ParameterError;
use serde_json::{Map, Value};

use super::Failure;
use crate::evaluation::EvaluateError;
use crate::policy::PolicyReference;
use crate::trader::{TradeSettings, TraderEntrant};

/// `--config` and `--set`.
#[derive(Clone, Debug, Args)]
pub(super) struct EnvSource {
    /// A YAML file with a section `env` (config/env/*.yaml show how)
    #[arg(long, value_name = "FILE.yaml")]
    pub(super) config: Option<PathBuf>,
    /// Change a setting, as in env.market=flow; the value is YAML. May be repeated
    #[arg(long, value_name = "env.KEY=VALUE")]
    pub(super) set: Vec<String>,
}

impl EnvSource {
    /// The environment of the file, or of `defaults` where there is none, changed as asked.
    ///
    /// # Errors
    /// A file, key or value that is not legal, by name.
    pub(super) fn resolve(
        &self,
        defaults: impl FnOnce() -> Result<Map<String, Value>, ConfigError>,
    ) -> Result<EnvConfig, Failure> {
        let mut settings = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::from_map(Map::from_iter([("env".to_owned(), Value::Object(defaults()?))])),
        };
        for assignment in &self.set {
            // A key of another section would change nothing and say nothing.
            if !assignment.trim_start().starts_with("env.") {
                let legal = "env.KEY=VALUE, as in env.market=flow";
                return Err(ParameterError::new("--set", format_args!("{assignment:?}"), legal).into());
            }
            settings.set(assignment)?;
        }
        Ok(EnvConfig::from_settings(&settings)?)
    }

    /// The environment of the file, of that name, the one that a policy was trained in, or the one called `otherwise`: the first that there is,
    /// changed as asked.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); a policy that cannot be read.
    pub(super) fn resolve_for(
        &self,
        name: Option<&str>,
        trained: Option<&PolicyReference>,
        otherwise: &str,
    ) -> Result<EnvConfig, Failure> {
        let file = match trained {
            Some(reference) if name.is_none() && self.config.is_none() => {
                Some(reference.open().map_err(EvaluateError::from)?)
            }
            _ => None,
        };
        self.resolve(|| match file {
            Some(file) => Ok(file.header.env),
            None => EnvConfig::named_settings(name.unwrap_or(otherwise)),
        })
    }

    /// The environment that a trader on paper trades as if in: the file's, the one that its policy was trained in, or that of rules.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); a policy that cannot be read.
    pub(super) fn resolve_for_trader(&self, policy: &TraderEntrant) -> Result<EnvConfig, Failure> {
        let usual = if self.config.is_none() { TradeSettings::usual_env(policy)? } else { Map::new() };
        self.resolve(|| Ok(usual))
    }

    /// The options as a user would type them.
    pub(super) fn arguments(&self) -> Vec<String> {
        let config = self.config.iter().flat_map(|path| ["--config".to_owned(), path.display().to_string()]);
        let set = self.set.iter().flat_map(|assignment| ["--set".to_owned(), assignment.clone()]);
        config.chain(set).collect()
    }
}

/// A length of time for clap: a finite number of seconds above 0.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err("legal: a number of seconds above 0".to_owned()),
    }
}
