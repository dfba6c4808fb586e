//! Which market: the options that every subcommand with a market takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lob::flow::{MarketConfig, OpeningBook};

use super::Failure;

/// `--market`, `--config`, `--flow` and `--book`.
#[derive(Clone, Debug, Args)]
pub(super) struct MarketArgs {
    /// A market that comes with the program: noise, flow, strategic, hawkes, queue_reactive, flow_u_shape
    #[arg(long, value_name = "NAME", default_value = "noise", value_parser = preset_name, conflicts_with = "config")]
    market: String,
    #[command(flatten)]
    source: MarketSource,
}

/// `--config`, `--flow` and `--book`: what changes or replaces a market that comes with the program.
#[derive(Clone, Debug, Args)]
pub(super) struct MarketSource {
    /// A market described in a YAML file (config/market/*.yaml show how)
    #[arg(long, value_name = "FILE.yaml")]
    pub(super) config: Option<PathBuf>,
    /// An order-flow file that replaces the flow's parameters, or its shape (docs/data_format.md)
    #[arg(long, value_name = "FILE.npz")]
    pub(super) flow: Option<PathBuf>,
    /// Who owns the opening book [default: what the market says]
    #[arg(long, value_enum)]
    book: Option<BookOwner>,
}

/// Who owns the opening book, as an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BookOwner {
    /// A participant of its own, who never cancels
    Frozen,
    /// The background traders, who may cancel it
    Live,
}

pub(super) fn preset_name(name: &str) -> Result<String, String> {
    if MarketConfig::PRESETS.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!("no such market; legal: {}", MarketConfig::PRESETS.join(", ")))
    }
}

impl MarketSource {
    /// The market that the options describe, with the files they name read and every field checked; `name` is the one that comes with
    /// the program, where no file replaces it.
    ///
    /// # Errors
    /// What is wrong with a file or a parameter; the message names the file, the key and what is legal.
    pub(super) fn resolve(&self, name: &str) -> Result<MarketConfig, Failure> {
        let mut market = match &self.config {
            Some(path) => MarketConfig::from_yaml(path)?,
            None => MarketConfig::preset(name)
                .ok_or_else(|| Failure::Usage(format!("--market {name}: no such market")))?,
        };
        if let Some(path) = &self.flow {
            market.flow = market.flow.with_file(path)?;
        }
        if let Some(book) = self.book {
            market.flow.opening_mut().book = match book {
                BookOwner::Frozen => OpeningBook::Frozen,
                BookOwner::Live => OpeningBook::Live,
            };
        }
        market.validate()?;
        Ok(market)
    }

    /// The name of the market that a file describes.
    pub(super) fn name(&self) -> Option<String> {
        let path = self.config.as_ref()?;
        Some(path.file_stem().map_or("config".into(), |stem| stem.to_string_lossy().into_owned()))
    }

    /// Where paths inside the market's description start.
    pub(super) fn directory(&self) -> PathBuf {
        self.config.as_ref().and_then(|path| path.parent()).map(PathBuf::from).unwrap_or_default()
    }
}

impl MarketArgs {
    /// See [`MarketSource::resolve`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn resolve(&self) -> Result<MarketConfig, Failure> {
        self.source.resolve(&self.market)
    }

    /// The market's name in results: that of the program's own, or the file's.
    pub(super) fn name(&self) -> String {
        self.source.name().unwrap_or_else(|| self.market.clone())
    }

    /// See [`MarketSource::directory`].
    pub(super) fn directory(&self) -> PathBuf {
        self.source.directory()
    }

    /// The options as a user would type them, without the program's name.
    pub(super) fn spelled(&self) -> String {
        let MarketSource { config, flow, book } = &self.source;
        let mut text = match config {
            Some(path) => format!("--config {}", path.display()),
            None => format!("--market {}", self.market),
        };
        if let Some(path) = flow {
            text += &format!(" --flow {}", path.display());
        }
        if let Some(book) = book {
            text += if *book == BookOwner::Live { " --book live" } else { " --book frozen" };
        }
        text
    }
}
