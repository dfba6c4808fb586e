//! The market an environment plays in, as settings.

use std::path::{Path, PathBuf};

use lob::flow::{FlowConfig, MarketConfig, OpeningBook, Profile};
use lob::models::FeeConfig;
use lob::sim::{Delay, Latency, LatencyConfig};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use lob::ParameterError;

/// The settings that every environment with a book has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarketSettings {
    /// The market: `noise`, `flow`, `strategic`, `hawkes`, `queue_reactive`, `flow_u_shape`, or a YAML file.
    pub market: String,
    /// Who owns the opening book: `frozen`, a participant of its own who never cancels; `live`, the background traders. Default: what
    /// the market says.
    pub opening_book: Option<OpeningBook>,
    /// An order-flow file (`.npz`) that replaces the flow's parameters or its shape.
    pub flow_file: Option<PathBuf>,
    /// What the venue charges. Default: what the market says.
    pub fees: Option<FeeConfig>,
    /// How long orders and reports travel, s. Default: what the market says.
    pub latency: Option<LatencyConfig>,
    /// Time of day: a multiplier of all intensities. Default: what the market says.
    pub profile: Option<Profile>,
}

impl Default for MarketSettings {
    fn default() -> Self {
        Self {
            market: "noise".into(),
            opening_book: None,
            flow_file: None,
            fees: None,
            latency: None,
            profile: None,
        }
    }
}

/// A market with its files read and every field checked.
#[derive(Clone, Debug)]
pub struct ResolvedMarket {
    /// Who trades besides the participant.
    pub flow: FlowConfig,
    /// What the venue charges.
    pub fees: FeeConfig,
    /// How long the participant's orders and reports travel.
    pub latency: Latency,
}

impl MarketSettings {
    /// True if the market is a file of its own.
    fn is_file(&self) -> bool {
        let extension = Path::new(&self.market).extension();
        extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
    }

    /// Replaces the paths in the settings.
    pub(crate) fn map_paths<E>(&mut self, of: &dyn Fn(&Path) -> Result<PathBuf, E>) -> Result<(), E> {
        if self.is_file() {
            self.market = of(Path::new(&self.market))?.display().to_string();
        }
        if let Some(file) = &mut self.flow_file {
            *file = of(file)?;
        }
        if let Some(LatencyConfig { order, report }) = &mut self.latency {
            for delay in [order, report] {
                if let Delay::Recorded { file, .. } = delay {
                    *file = of(file)?;
                }
            }
        }
        Ok(())
    }

    /// Reads what the settings name, relative paths from `directory`, and checks everything.
    ///
    /// # Errors
    /// What is wrong with a file or a parameter; the message names the file or key, the value and what is legal.
    pub fn resolve(&self, directory: &Path) -> Result<ResolvedMarket, ConfigError> {
        let (market, home) = self.load(directory)?;
        Ok(ResolvedMarket { latency: market.latency.compile(home)?, flow: market.flow, fees: market.fees })
    }

    /// As [`resolve`](Self::resolve), but with the latency as it was configured, and the directory that the paths in it start at.
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, directory: &Path) -> Result<(MarketConfig, PathBuf), ConfigError> {
        let mut home = directory.to_path_buf();
        let mut market = if self.is_file() {
            let path = directory.join(&self.market);
            home = path.parent().map(Path::to_path_buf).unwrap_or_default();
            MarketConfig::from_yaml(path)?
        } else {
            MarketConfig::preset(&self.market).ok_or_else(|| {
                let legal = format!("one of {}, or a file ending in .yaml", MarketConfig::PRESETS.join(", "));
                ParameterError::new("market", format_args!("{:?}", self.market), legal)
            })?
        };
        if let Some(file) = &self.flow_file {
            market.flow = market.flow.with_file(directory.join(file))?;
        }
        if let Some(book) = self.opening_book {
            market.flow.opening_mut().book = book;
        }
        if let Some(fees) = self.fees {
            market.fees = fees;
        }
        if let Some(latency) = &self.latency {
            (market.latency, home) = (latency.clone(), directory.to_path_buf());
        }
        if let Some(profile) = &self.profile {
            *market.flow.profile_mut() = profile.clone();
        }
        market.validate()?;
        Ok((market, home))
    }
}
