//! Where the prices of assets come from: processes that draw them, and tables that have them.
//!
//! A process gives growth: the ratio of each asset's price after a period to the one before. One file has one process with its paper, its
//! parameters and their units; [`PricesConfig`] is the choice between them. All chance comes from one generator, all mathematics from
//! `libm`: a session's seed gives the same bits on every machine.

mod bars;
mod bootstrap;
mod brownian;
mod correlation;
mod garch;
mod mean_reverting;
mod merton;
mod per_asset;
mod replay;
mod simulated;
mod stamp;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lob::ParameterError;
use lob::parameter::{finite, positive};
use lob::sim::SimRng;
use serde::{Deserialize, Serialize};

pub use bars::{
    BarColumns, Bars, BarsConfig, BarsFormat, Completion, Layout, RawBar, Repair, TickBar, TickBarsConfig,
    usual_interval_seconds,
};
pub use bootstrap::{BlockBootstrap, BlockBootstrapConfig};
pub use brownian::{Brownian, BrownianConfig};
pub use correlation::Correlation;
pub use garch::{Garch, GarchConfig};
pub use mean_reverting::{MeanReverting, MeanRevertingConfig};
pub use merton::{Merton, MertonConfig};
pub use per_asset::PerAsset;
pub use replay::Replay;
pub use simulated::{Simulated, SimulatedConfig};
pub use stamp::Stamp;
pub use table::{GivenConfig, Table};

use crate::config::ConfigError;
use correlation::Mixing;
pub(crate) use replay::below;

/// Assets of a process where nothing says how many.
pub const DEFAULT_ASSETS: usize = 10;

/// More assets than this are a mistake; a correlation matrix of them has a hundred million entries.
pub const MAX_ASSETS: usize = 10_000;

/// A period's log growth is cut to plus and minus this: a factor of about 500 million either way, which no sensible parameters reach and
/// which keeps prices finite under the others.
pub const MAX_LOG_GROWTH: f64 = 20.0;

/// Growth of the prices of several assets, period after period.
///
/// `Clone` forks it: both copies have the same future with generators that are copies of each other.
pub trait PriceProcess: Clone {
    /// How many assets.
    fn assets(&self) -> usize;

    /// Periods that a session can have; `None` if there is no end.
    fn periods(&self) -> Option<u64> {
        None
    }

    /// Begins a session that will ask for no more than `periods`.
    fn begin(&mut self, rng: &mut SimRng, periods: u64);

    /// One period: the ratio of each price after it to the one before, and the natural logarithm of that. Both as long as there are assets.
    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]);

    /// The logarithm of each asset's expected growth over the coming period, where it changes and the process knows it.
    fn expected(&self) -> Option<&[f64]> {
        None
    }

    /// Writes the prices as they are now, money a share, and returns true, where the process has prices and not growth alone.
    fn prices(&self, _out: &mut [f64]) -> bool {
        false
    }

    /// How many shares of each asset the market trades in a period, as observed up to now, where there is a market.
    fn volumes(&self) -> Option<&[f64]> {
        None
    }

    /// Length of a period, s, where the process knows it.
    fn period_seconds(&self) -> Option<f64> {
        None
    }

    /// Rough time that a period of one asset takes beyond that of a few numbers that are drawn, ns: for the sharing out among threads.
    fn period_cost_ns(&self) -> u64 {
        0
    }
}

/// Where prices come from, as configured. The name of a process is a key, its parameters are below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PricesConfig {
    /// Correlated geometric Brownian motions.
    GeometricBrownian(BrownianConfig),
    /// GARCH(1,1) with correlated Student-t innovations.
    Garch(GarchConfig),
    /// Geometric Brownian motions with jumps.
    Merton(MertonConfig),
    /// Expected returns that revert to a mean.
    MeanReverting(MeanRevertingConfig),
    /// Blocks of given returns in random order.
    BlockBootstrap(Box<BlockBootstrapConfig>),
    /// Given prices.
    Given(GivenConfig),
    /// Prices of a CSV file.
    Csv(BarsConfig),
    /// Prices of a Parquet file.
    Parquet(BarsConfig),
    /// A simulated book for each asset.
    Simulated(SimulatedConfig),
}

impl Default for PricesConfig {
    fn default() -> Self {
        Self::GeometricBrownian(BrownianConfig::default())
    }
}

/// Prices with their files read and every parameter checked.
#[derive(Clone, Debug)]
pub enum Prices {
    /// Drawn.
    Process(AnyProcess),
    /// Given.
    Table {
        /// They: a row a period, a column an asset.
        table: Table,
        /// Whether a session begins at a row drawn at random, if it does not need them all, or at the first.
        random_start: bool,
        /// When each row was, where they come from a file.
        stamps: Option<Arc<[Stamp]>>,
    },
}

impl Prices {
    fn of_file(config: &BarsConfig, format: BarsFormat, directory: &Path) -> Result<Self, ConfigError> {
        let Bars { table, stamps } = config.read(format, directory)?;
        Ok(Self::Table { table, random_start: config.random_start, stamps: Some(stamps) })
    }
}

impl PricesConfig {
    /// Checks what can be checked without reading a file.
    ///
    /// # Errors
    /// The first parameter that is not legal, its key below `prices`.
    pub fn validate(&self, assets: Option<usize>) -> Result<(), ParameterError> {
        if let Some(assets) = assets {
            lob::parameter::integer("assets", assets, 1..=MAX_ASSETS)?;
        }
        let count = assets.unwrap_or(DEFAULT_ASSETS);
        let within = |error: ParameterError, name: &str| error.within(&format!("prices.{name}"));
        match self {
            Self::GeometricBrownian(own) => {
                Brownian::new(own, count).map(drop).map_err(|error| within(error, "geometric_brownian"))
            }
            Self::Garch(own) => Garch::new(own, count).map(drop).map_err(|error| within(error, "garch")),
            Self::Merton(own) => Merton::new(own, count).map(drop).map_err(|error| within(error, "merton")),
            Self::MeanReverting(own) => {
                MeanReverting::new(own, count).map(drop).map_err(|error| within(error, "mean_reverting"))
            }
            Self::BlockBootstrap(own) => own.validate().map_err(|error| within(error, "block_bootstrap")),
            Self::Given(own) => own.validate().map_err(|error| within(error, "given")),
            Self::Csv(own) => own.validate().map_err(|error| within(error, "csv")),
            Self::Parquet(own) => own.validate().map_err(|error| within(error, "parquet")),
            Self::Simulated(own) => own.validate().map_err(|error| within(error, "simulated")),
        }
    }

    /// Reads what there is to be read, relative paths from `directory`, and checks everything. Processes draw `assets` assets, 10 if
    /// nothing is said; tables have as many as they have, which `assets` must be if it is said.
    ///
    /// # Errors
    /// The first file or parameter that is not legal.
    pub fn resolve(&self, assets: Option<usize>, directory: &Path) -> Result<Prices, ConfigError> {
        self.validate(assets)?;
        let count = assets.unwrap_or(DEFAULT_ASSETS);
        let prices = match self {
            Self::GeometricBrownian(own) => Prices::Process(AnyProcess::Brownian(Brownian::new(own, count)?)),
            Self::Garch(own) => Prices::Process(AnyProcess::Garch(Garch::new(own, count)?)),
            Self::Merton(own) => Prices::Process(AnyProcess::Merton(Merton::new(own, count)?)),
            Self::MeanReverting(own) => {
                Prices::Process(AnyProcess::MeanReverting(MeanReverting::new(own, count)?))
            }
            Self::BlockBootstrap(own) => {
                Prices::Process(AnyProcess::BlockBootstrap(BlockBootstrap::new(own, directory)?))
            }
            Self::Given(own) => {
                Prices::Table { table: own.table.clone(), random_start: own.random_start, stamps: None }
            }
            Self::Csv(own) => Prices::of_file(own, BarsFormat::Csv, directory)?,
            Self::Parquet(own) => Prices::of_file(own, BarsFormat::Parquet, directory)?,
            Self::Simulated(own) => {
                Prices::Process(AnyProcess::Simulated(Box::new(Simulated::new(own, count, directory)?)))
            }
        };
        let found = prices.assets();
        if let Some(assets) = assets.filter(|&assets| assets != found) {
            let legal = format!("{found}, as many as the prices have, or null");
            return Err(ParameterError::new("assets", assets, legal).into());
        }
        Ok(prices)
    }

    /// Replaces the paths in the settings.
    pub(crate) fn map_paths<E>(&mut self, of: &dyn Fn(&Path) -> Result<PathBuf, E>) -> Result<(), E> {
        match self {
            Self::Csv(own) | Self::Parquet(own) => own.file = of(&own.file)?,
            Self::BlockBootstrap(own) => {
                for file in [&mut own.csv, &mut own.parquet].into_iter().flatten() {
                    file.file = of(&file.file)?;
                }
            }
            Self::Simulated(own) => own.map_paths(of)?,
            Self::GeometricBrownian(_)
            | Self::Garch(_)
            | Self::Merton(_)
            | Self::MeanReverting(_)
            | Self::Given(_) => {}
        }
        Ok(())
    }
}

impl Prices {
    /// How many assets.
    pub fn assets(&self) -> usize {
        match self {
            Self::Process(process) => process.assets(),
            Self::Table { table, .. } => table.columns(),
        }
    }

    /// A process in any case: a table's growth is replayed.
    ///
    /// # Errors
    /// A price of the table that is not above 0, or fewer than 2 rows: there is no growth then.
    pub fn into_process(self) -> Result<AnyProcess, ParameterError> {
        match self {
            Self::Process(process) => Ok(process),
            Self::Table { table, random_start, .. } => {
                Replay::new(&table, random_start).map(AnyProcess::Replay)
            }
        }
    }
}

/// One of the processes.
#[derive(Clone, Debug)]
pub enum AnyProcess {
    /// [`Brownian`].
    Brownian(Brownian),
    /// [`Garch`].
    Garch(Garch),
    /// [`Merton`].
    Merton(Merton),
    /// [`MeanReverting`].
    MeanReverting(MeanReverting),
    /// [`BlockBootstrap`].
    BlockBootstrap(BlockBootstrap),
    /// [`Replay`].
    Replay(Replay),
    /// [`Simulated`].
    Simulated(Box<Simulated>),
}

/// The same call on whichever process it is.
macro_rules! dispatch {
    ($self:expr, $process:ident => $call:expr) => {
        match $self {
            AnyProcess::Brownian($process) => $call,
            AnyProcess::Garch($process) => $call,
            AnyProcess::Merton($process) => $call,
            AnyProcess::MeanReverting($process) => $call,
            AnyProcess::BlockBootstrap($process) => $call,
            AnyProcess::Replay($process) => $call,
            AnyProcess::Simulated($process) => $call,
        }
    };
}

impl PriceProcess for AnyProcess {
    fn assets(&self) -> usize {
        dispatch!(self, process => process.assets())
    }

    fn periods(&self) -> Option<u64> {
        dispatch!(self, process => process.periods())
    }

    fn begin(&mut self, rng: &mut SimRng, periods: u64) {
        dispatch!(self, process => process.begin(rng, periods));
    }

    #[inline]
    fn advance(&mut self, rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        dispatch!(self, process => process.advance(rng, growth, log_growth));
    }

    fn expected(&self) -> Option<&[f64]> {
        dispatch!(self, process => process.expected())
    }

    fn prices(&self, out: &mut [f64]) -> bool {
        dispatch!(self, process => process.prices(out))
    }

    fn volumes(&self) -> Option<&[f64]> {
        dispatch!(self, process => process.volumes())
    }

    fn period_seconds(&self) -> Option<f64> {
        dispatch!(self, process => process.period_seconds())
    }

    fn period_cost_ns(&self) -> u64 {
        dispatch!(self, process => process.period_cost_ns())
    }
}

/// What the processes with a drift and a volatility have in common, a period at a time.
#[derive(Clone, Debug)]
struct Diffusion {
    /// Logarithm of the expected growth.
    drift: Vec<f64>,
    /// Standard deviation of the log growth.
    volatility: Vec<f64>,
    mixing: Mixing,
    /// Periods in a year.
    periods_per_year: f64,
}

impl Diffusion {
    fn new(
        drift: &PerAsset,
        volatility: &PerAsset,
        correlation: &Correlation,
        periods_per_year: f64,
        assets: usize,
    ) -> Result<Self, ParameterError> {
        positive("periods_per_year", periods_per_year)?;
        let mut drift = drift.values("drift", assets, |key, value| {
            finite(key, value)?;
            at_most(key, value.abs(), 1e6, value)
        })?;
        let mut volatility = volatility.values("volatility", assets, |key, value| {
            lob::parameter::non_negative(key, value)?;
            at_most(key, value, 1e3, value)
        })?;
        drift.iter_mut().for_each(|value| *value /= periods_per_year);
        let root = libm::sqrt(periods_per_year);
        volatility.iter_mut().for_each(|value| *value /= root);
        let mixing = correlation.mixing("correlation", assets)?;
        Ok(Self { drift, volatility, mixing, periods_per_year })
    }

    /// The mean of the log growth that makes the expected growth `exp(drift)`.
    fn log_drift(&self) -> Vec<f64> {
        self.drift.iter().zip(&self.volatility).map(|(drift, sigma)| drift - 0.5 * sigma * sigma).collect()
    }
}

fn at_most(key: &str, size: f64, most: f64, value: f64) -> Result<(), ParameterError> {
    if size <= most { Ok(()) } else { Err(ParameterError::new(key, value, format!("at most {most}"))) }
}

/// Cuts log growth to its limits and writes the growth it means.
#[inline]
fn grow(log_growth: &mut [f64], growth: &mut [f64]) {
    for (log, growth) in log_growth.iter_mut().zip(growth) {
        *log = log.clamp(-MAX_LOG_GROWTH, MAX_LOG_GROWTH);
        *growth = libm::exp(*log);
    }
}
