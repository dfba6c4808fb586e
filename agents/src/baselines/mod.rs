//! Execution strategies that practitioners use: what a learner has to beat. One file each, its source cited.

mod almgren_chriss;
mod market;
mod pov;
mod schedule;
mod sl;
mod twap;
mod vwap;

pub use almgren_chriss::{AlmgrenChriss, AlmgrenChrissParams, ImpactMeasurement};
pub use market::MarketAtOnce;
pub use pov::Pov;
pub use schedule::{Schedule, ScheduleFollower, TwapSchedule};
pub use sl::SubmitAndLeave;
pub use twap::Twap;
pub use vwap::Vwap;

use lob::ParameterError;
use lob::flow::{FlowConfig, Profile};
use serde::{Deserialize, Serialize};

use crate::execution::{Task, Trader};

/// An execution strategy. It is told when an episode starts, and then asked to act at times that it names itself.
pub trait Strategy: Send {
    /// A new episode: forget the last one.
    fn start(&mut self, task: &Task);

    /// Acts, at 0 s first. Returns the time in seconds at which it wants to act again, later than now; `None` for never. What is not
    /// traded at the horizon is cancelled and sent as a market order by the task itself.
    fn act(&mut self, trader: &mut Trader<'_>) -> Option<f64>;
}

/// The strategies there are, by the names that the command line and configurations use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyName {
    /// Submit and leave (reference).
    Sl,
    /// Equal slices, left in the book (reference).
    Twap,
    /// Everything at market at once (reference).
    Market,
    /// Equal slices against a schedule, catching up by crossing.
    TwapSchedule,
    /// Slices by expected volume, catching up by crossing.
    Vwap,
    /// A share of the volume of others.
    Pov,
    /// Almgren-Chriss: front-loaded by risk aversion.
    Ac,
}

impl StrategyName {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Sl, Self::Twap, Self::TwapSchedule, Self::Vwap, Self::Pov, Self::Ac, Self::Market];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sl => "sl",
            Self::Twap => "twap",
            Self::Market => "market",
            Self::TwapSchedule => "twap-schedule",
            Self::Vwap => "vwap",
            Self::Pov => "pov",
            Self::Ac => "ac",
        }
    }
}

/// The knobs of the strategies that have some.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StrategyParams {
    /// POV: share of all traded lots to be, from 0 to 1 (exclusive). Default 0.2.
    pub participation_rate: f64,
    /// POV and the followers of a schedule: time between looks at the book, in seconds. Default 5.
    pub check_seconds: f64,
    /// Almgren-Chriss.
    pub almgren_chriss: AlmgrenChrissParams,
}

impl Default for StrategyParams {
    fn default() -> Self {
        Self { participation_rate: 0.2, check_seconds: 5.0, almgren_chriss: AlmgrenChrissParams::default() }
    }
}

impl StrategyParams {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        if !(self.participation_rate > 0.0 && self.participation_rate < 1.0) {
            let value = self.participation_rate;
            return Err(ParameterError::new("participation_rate", value, "a number above 0 and below 1"));
        }
        if !(self.check_seconds > 0.0 && self.check_seconds.is_finite()) {
            return Err(ParameterError::new("check_seconds", self.check_seconds, "a finite number above 0"));
        }
        self.almgren_chriss.validate().map_err(|error| error.within("almgren_chriss"))
    }
}

/// Makes strategies for a market: what has to be measured or computed once is done here.
#[derive(Clone, Debug)]
pub struct StrategyFactory {
    params: StrategyParams,
    profile: Profile,
    almgren_chriss: Option<AlmgrenChriss>,
}

impl StrategyFactory {
    /// A factory for a market. If Almgren-Chriss is wanted and the market's volatility and impact are not given, they are measured by a
    /// short run of its flow, with seeds that no evaluation uses.
    ///
    /// # Errors
    /// What is not legal in the parameters.
    pub fn new(
        market: &FlowConfig,
        params: StrategyParams,
        step_seconds: f64,
        wants_almgren_chriss: bool,
    ) -> Result<Self, ParameterError> {
        params.validate()?;
        let almgren_chriss = if wants_almgren_chriss {
            Some(AlmgrenChriss::for_market(market, &params, step_seconds)?)
        } else {
            None
        };
        Ok(Self { params, profile: market.profile().clone(), almgren_chriss })
    }

    /// What Almgren-Chriss goes by, if it was wanted.
    pub fn almgren_chriss(&self) -> Option<&AlmgrenChriss> {
        self.almgren_chriss.as_ref()
    }

    /// A strategy, ready for its first episode.
    ///
    /// # Errors
    /// A profile that is not legal.
    pub fn make(&self, name: StrategyName) -> Result<Box<dyn Strategy>, ParameterError> {
        let check = self.params.check_seconds;
        Ok(match name {
            StrategyName::Sl => Box::new(SubmitAndLeave),
            StrategyName::Twap => Box::new(Twap::default()),
            StrategyName::Market => Box::new(MarketAtOnce),
            StrategyName::TwapSchedule => Box::new(ScheduleFollower::new(TwapSchedule, check)),
            StrategyName::Vwap => Box::new(ScheduleFollower::new(Vwap::new(&self.profile)?, check)),
            StrategyName::Pov => Box::new(Pov::new(self.params.participation_rate, check)),
            StrategyName::Ac => match &self.almgren_chriss {
                Some(schedule) => Box::new(ScheduleFollower::new(*schedule, check)),
                None => {
                    let (value, legal) = ("not prepared", "a factory that was asked for it");
                    return Err(ParameterError::new("strategy ac", value, legal));
                }
            },
        })
    }
}
