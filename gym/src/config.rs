//! The one schema of environments: read from YAML, from `key=value`, or from any map.

use std::path::{Path, PathBuf};

use lob::ParameterError;
use lob::data::NpzError;
use lob::flow::MarketConfigError;
use lob::models::ImpactConfig;
use lob::models::impact::ImpactFileError;
use lob::sim::LatencyError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::envs::{
    ExecutionConfig, MarketMakingConfig, ModelMarketMakingConfig, MultiAssetTradingConfig,
    PortfolioRebalancingConfig, TraderConfig, trader,
};
use crate::market::MarketSettings;

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// Text that is no YAML; the message has line and column.
    #[error("{origin}: {problem}")]
    Yaml {
        /// The file, or the text itself.
        origin: String,
        /// Why.
        problem: Box<serde_saphyr::Error>,
    },
    /// A key that there is not, or a value that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The same, in a file.
    #[error("{}: {problem}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// Which, and what would be legal.
        problem: ParameterError,
    },
    /// The market's own file.
    #[error(transparent)]
    Market(#[from] MarketConfigError),
    /// An order-flow file.
    #[error(transparent)]
    FlowFile(#[from] NpzError),
    /// Recorded latencies.
    #[error(transparent)]
    Latency(#[from] LatencyError),
    /// A file with an impact model.
    #[error(transparent)]
    Impact(#[from] ImpactFileError),
}

/// Settings as text has them: nested maps, not yet checked against any schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    root: Map<String, Value>,
    directory: PathBuf,
    file: Option<PathBuf>,
}

impl Settings {
    /// Reads a YAML file. Relative paths inside it start at its directory.
    ///
    /// # Errors
    /// [`ConfigError::Io`], [`ConfigError::Yaml`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|problem| ConfigError::Io { path: path.to_owned(), problem })?;
        let root = parse_yaml(&text, &path.display().to_string())?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { root: expect_map(root, "")?, directory, file: Some(path.to_owned()) })
    }

    /// Reads YAML text; `origin` names it in errors. Relative paths start at the working directory.
    ///
    /// # Errors
    /// [`ConfigError::Yaml`].
    pub fn from_yaml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Ok(Self { root: expect_map(parse_yaml(text, origin)?, "")?, ..Self::default() })
    }

    /// Takes a map as it is.
    pub fn from_map(root: Map<String, Value>) -> Self {
        Self { root, ..Self::default() }
    }

    /// Applies `path.to.key=value`, the value as YAML: what `--set` means.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] without `=` or where the path leads through something that is no map; [`ConfigError::Yaml`].
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let Some((path, text)) = assignment.split_once('=').filter(|(path, _)| !path.trim().is_empty())
        else {
            return Err(ParameterError::new(
                "--set",
                format_args!("{assignment:?}"),
                "key=value, as in env.lots=60",
            )
            .into());
        };
        let value = if text.trim().is_empty() { Value::Null } else { parse_yaml(text, assignment)? };
        self.insert(path.trim(), value)
    }

    /// Puts a value at a dotted path; maps on the way are made where there are none.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] where the path leads through something that is no map.
    pub fn insert(&mut self, path: &str, value: Value) -> Result<(), ConfigError> {
        let mut map = &mut self.root;
        let mut keys = path.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                map.insert(key.to_owned(), value);
                break;
            }
            let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if slot.is_null() {
                *slot = Value::Object(Map::new());
            }
            let text = slot.to_string();
            map = slot.as_object_mut().ok_or_else(|| {
                ParameterError::new(
                    path,
                    format_args!("inside {text}"),
                    format!("a key of a map; {key} is none"),
                )
            })?;
        }
        Ok(())
    }

    /// A top-level section, empty if there is none.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if it is no map.
    pub fn section(&self, name: &str) -> Result<Map<String, Value>, ConfigError> {
        match self.root.get(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(other) => Err(ParameterError::new(name, other, "a map of settings").into()),
        }
    }

    /// All of it.
    pub fn root(&self) -> &Map<String, Value> {
        &self.root
    }

    /// Where relative paths start.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file it was read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

fn parse_yaml(text: &str, origin: &str) -> Result<Value, ConfigError> {
    serde_saphyr::from_str(text)
        .map_err(|problem| ConfigError::Yaml { origin: origin.to_owned(), problem: Box::new(problem) })
}

fn expect_map(value: Value, key: &str) -> Result<Map<String, Value>, ParameterError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => Err(ParameterError::new(
            if key.is_empty() { "the file" } else { key },
            other,
            "a map of settings",
        )),
    }
}

/// Which environment, with its own settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Quotes on both sides of a book.
    MarketMaking(MarketMakingConfig),
    /// Trades a parent order within a time.
    Execution(ExecutionConfig),
    /// Quotes in a model without a book.
    ModelMarketMaking(ModelMarketMakingConfig),
    /// Trades several assets at given prices.
    MultiAssetTrading(MultiAssetTradingConfig),
    /// Keeps several assets at weights of its choice.
    PortfolioRebalancing(PortfolioRebalancingConfig),
    /// Buys, holds and sells one asset.
    Trader(TraderConfig),
}

/// An environment, as configured: the keys of `env` in a file, or of `env.` in `--set`, or the keyword arguments in Python.
///
/// Three kinds of keys lie side by side: `name` and `max_episode_steps`, the market's ([`MarketSettings`]; environments without a book
/// have none), and the environment's own.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvConfig {
    /// Which environment.
    pub task: Task,
    /// Its market.
    pub market: MarketSettings,
    /// Cut episodes off (truncated) after so many steps.
    pub max_episode_steps: Option<u64>,
    /// Where relative paths start.
    pub directory: PathBuf,
}

/// Configurations that come with the library: name and text.
const SHIPPED: [(&str, &str); 2] = [
    ("market_making_classic", include_str!("../../config/env/market_making_classic.yaml")),
    ("avellaneda_stoikov", include_str!("../../config/env/avellaneda_stoikov.yaml")),
];

impl EnvConfig {
    /// The environments.
    pub const NAMES: [&str; 6] = [
        "market_making",
        "execution",
        "model_market_making",
        "multi_asset_trading",
        "portfolio_rebalancing",
        "trader",
    ];

    /// An environment at its defaults, or a configuration that comes with the library: `market_making_classic`,
    /// `avellaneda_stoikov`.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if there is none of that name.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        Self::from_map(&Self::named_settings(name)?, Path::new(""), "")
    }

    /// The settings behind a name, to be changed and passed to [`from_map`](Self::from_map): `name` alone for an environment, or the
    /// `env` section of a configuration that comes with the library.
    ///
    /// # Errors
    /// [`ConfigError::Parameter`] if there is none of that name.
    pub fn named_settings(name: &str) -> Result<Map<String, Value>, ConfigError> {
        if Self::NAMES.contains(&name) {
            return Ok(Map::from_iter([("name".to_owned(), name.into())]));
        }
        match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((name, text)) => Settings::from_yaml(text, name)?.section("env"),
            None => {
                let shipped = SHIPPED.iter().map(|(name, _)| *name);
                let names: Vec<_> = Self::NAMES.into_iter().chain(shipped).collect();
                Err(ParameterError::new("name", format_args!("{name:?}"), one_of(&names, name)).into())
            }
        }
    }

    /// The environment of a file's `env` section; other sections are somebody else's.
    ///
    /// # Errors
    /// The first key or value that is not legal, with the file it is in.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let section = settings.section("env")?;
        Self::from_map(&section, settings.directory(), "env").map_err(|error| {
            match (error, settings.file()) {
                (ConfigError::Parameter(problem), Some(file)) => {
                    ConfigError::InFile { path: file.to_owned(), problem }
                }
                (error, _) => error,
            }
        })
    }

    /// Reads the settings of one environment; `prefix` stands before the keys in errors.
    ///
    /// # Errors
    /// The first key or value that is not legal.
    pub fn from_map(map: &Map<String, Value>, directory: &Path, prefix: &str) -> Result<Self, ConfigError> {
        let read = || -> Result<Self, ParameterError> {
            let mut map = map.clone();
            let name = map.remove("name").unwrap_or(Value::Null);
            let max_episode_steps = match map.remove("max_episode_steps") {
                None | Some(Value::Null) => None,
                Some(value) => Some(value.as_u64().filter(|&steps| steps > 0).ok_or_else(|| {
                    ParameterError::new("max_episode_steps", &value, "an integer of 1 or more, or null")
                })?),
            };
            let (mut market, mut own) = (Map::new(), Map::new());
            let market_keys = keys_of(&MarketSettings::default());
            // Portfolios pay fees too, but not those of a market that they are in.
            let has_market = !matches!(name.as_str(), Some("multi_asset_trading" | "portfolio_rebalancing"));
            for (key, value) in map {
                if has_market && market_keys.contains(&key) { &mut market } else { &mut own }
                    .insert(key, value);
            }
            let with_market = |keys: Vec<String>| [keys, market_keys.clone(), common()].concat();
            let (task, legal) = match name.as_str() {
                Some("market_making") => {
                    let legal = with_market(keys_of(&MarketMakingConfig::default()));
                    (Task::MarketMaking(parse(own, &legal)?), legal)
                }
                Some("execution") => {
                    let legal = with_market(keys_of(&ExecutionConfig::default()));
                    (Task::Execution(parse(own, &legal)?), legal)
                }
                Some("model_market_making") => {
                    let legal = [keys_of(&ModelMarketMakingConfig::default()), common()].concat();
                    (Task::ModelMarketMaking(parse(own, &legal)?), legal)
                }
                Some("multi_asset_trading") => {
                    let legal = [keys_of(&MultiAssetTradingConfig::default()), common()].concat();
                    (Task::MultiAssetTrading(parse(own, &legal)?), legal)
                }
                Some("portfolio_rebalancing") => {
                    let legal = [keys_of(&PortfolioRebalancingConfig::default()), common()].concat();
                    (Task::PortfolioRebalancing(parse(own, &legal)?), legal)
                }
                Some("trader") => {
                    let legal = with_market(keys_of(&TraderConfig::default()));
                    (Task::Trader(parse(own, &legal)?), legal)
                }
                _ => {
                    let text = name.as_str().unwrap_or_default();
                    return Err(ParameterError::new("name", &name, one_of(&Self::NAMES, text)));
                }
            };
            if let Some((key, value)) = market.iter().find(|(key, _)| !legal.contains(key)) {
                return Err(unknown(key, value, &legal));
            }
            let market: MarketSettings = parse(market, &legal)?;
            match &task {
                Task::MarketMaking(config) => config.validate()?,
                Task::Execution(config) => config.validate()?,
                Task::ModelMarketMaking(config) => config.validate()?,
                Task::MultiAssetTrading(config) => config.validate()?,
                Task::PortfolioRebalancing(config) => config.validate()?,
                Task::Trader(config) => config.validate()?,
            }
            Ok(Self { task, market, max_episode_steps, directory: directory.to_owned() })
        };
        read().map_err(|error| error.within(prefix).into())
    }

    /// The environment's name.
    pub fn name(&self) -> &'static str {
        match self.task {
            Task::MarketMaking(_) => "market_making",
            Task::Execution(_) => "execution",
            Task::ModelMarketMaking(_) => "model_market_making",
            Task::MultiAssetTrading(_) => "multi_asset_trading",
            Task::PortfolioRebalancing(_) => "portfolio_rebalancing",
            Task::Trader(_) => "trader",
        }
    }

    /// Cut episodes off after so many steps.
    pub fn max_episode_steps(&self) -> Option<u64> {
        self.max_episode_steps
    }

    /// The same environment with absolute paths of its files, so that its settings mean the same wherever they are read.
    ///
    /// # Errors
    /// [`ConfigError::Io`] if the working directory is not known.
    pub fn with_absolute_paths(mut self) -> Result<Self, ConfigError> {
        let directory = self.directory.clone();
        let absolute = |path: &Path| {
            let path = directory.join(path);
            std::path::absolute(&path).map_err(|problem| ConfigError::Io { path, problem })
        };
        self.market.map_paths(&absolute)?;
        let (prices, impact) = match &mut self.task {
            Task::MultiAssetTrading(own) => (&mut own.prices, &mut own.impact),
            Task::PortfolioRebalancing(own) => (&mut own.prices, &mut own.impact),
            Task::Trader(own) => {
                if let Some(source) = &mut own.bars {
                    source.file = absolute(&source.file)?;
                }
                if trader::is_file(&own.features) {
                    own.features = absolute(Path::new(&own.features))?.display().to_string();
                }
                if let ImpactConfig::File(file) = &mut own.impact {
                    *file = absolute(file)?;
                }
                self.directory = absolute(Path::new("."))?;
                return Ok(self);
            }
            Task::MarketMaking(_) | Task::Execution(_) | Task::ModelMarketMaking(_) => {
                self.directory = absolute(Path::new("."))?;
                return Ok(self);
            }
        };
        prices.map_paths(&absolute)?;
        if let ImpactConfig::File(file) = impact {
            *file = absolute(file)?;
        }
        self.directory = absolute(Path::new("."))?;
        Ok(self)
    }

    /// All settings with their values, defaults included: what [`from_map`](Self::from_map) would read to the same effect.
    pub fn to_map(&self) -> Map<String, Value> {
        let (own, has_market) = match &self.task {
            Task::MarketMaking(config) => (to_map(config), true),
            Task::Execution(config) => (to_map(config), true),
            Task::ModelMarketMaking(config) => (to_map(config), false),
            Task::MultiAssetTrading(config) => (to_map(config), false),
            Task::PortfolioRebalancing(config) => (to_map(config), false),
            Task::Trader(config) => (to_map(config), true),
        };
        let mut map = Map::from_iter([("name".to_owned(), self.name().into())]);
        if has_market {
            map.extend(to_map(&self.market));
        }
        map.extend(own);
        map.insert("max_episode_steps".into(), self.max_episode_steps.into());
        map
    }
}

fn common() -> Vec<String> {
    vec!["name".to_owned(), "max_episode_steps".to_owned()]
}

/// The fields of a struct of settings, by name.
pub fn to_map<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("settings are structs with text keys: {other:?}"),
    }
}

/// The keys of a struct of settings.
pub fn keys_of<T: Serialize>(defaults: &T) -> Vec<String> {
    to_map(defaults).into_iter().map(|(key, _)| key).collect()
}

/// `one of a, b, c`, with what was probably meant.
pub fn one_of<T: AsRef<str>>(legal: &[T], found: &str) -> String {
    let list = legal.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    let near = legal.iter().map(|name| (strsim::jaro_winkler(name.as_ref(), found), name.as_ref()));
    match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, name)) if likeness > 0.85 => format!("one of {list} (did you mean {name}?)"),
        _ => format!("one of {list}"),
    }
}

fn unknown(key: &str, value: &Value, legal: &[String]) -> ParameterError {
    let mut names = legal.to_vec();
    names.sort_unstable();
    ParameterError::new(key, format_args!("{value}, an unknown setting"), one_of(&names, key))
}

/// Reads a struct; an error names the key, its value and what is legal. `legal` are the keys that may be there, for the message.
pub fn parse<T: DeserializeOwned + Serialize + Default>(
    map: Map<String, Value>,
    legal: &[String],
) -> Result<T, ParameterError> {
    let own = keys_of(&T::default());
    if let Some((key, value)) = map.iter().find(|(key, _)| !own.contains(key)) {
        return Err(unknown(key, value, legal));
    }
    let value = Value::Object(map);
    serde_path_to_error::deserialize(&value).map_err(|error| {
        let path = error.path().to_string();
        let found = path.split(['.', '[']).try_fold(&value, |value, key| match key.strip_suffix(']') {
            Some(place) => value.get(place.parse::<usize>().ok()?),
            None => value.get(key),
        });
        let message = error.inner().to_string();
        let legal = match message.split_once("expected ") {
            Some((_, expected)) => plain(&expected.replace('`', "")),
            None => match message.strip_prefix("missing field ") {
                Some(field) => format!("a map that has {}", field.replace('`', "")),
                None => message,
            },
        };
        ParameterError::new(path, found.unwrap_or(&Value::Null), legal)
    })
}

/// Rust's names of types, for people who write YAML, a shell's `--set` or Python.
fn plain(expected: &str) -> String {
    match expected {
        "f64" | "f32" => "a number".to_owned(),
        "u64" | "u32" | "u16" | "u8" | "usize" => "an integer of 0 or more".to_owned(),
        "i64" | "i32" | "isize" => "an integer".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    }
}
