//! Stochastic order flows: what they are made of.
//!
//! Every number a flow uses is in its parameters, which are the same in code, in YAML and in the order-flow file (`.npz`,
//! `docs/data_format.md`).

mod cancellation;
mod config;
mod distance;
mod file;
mod hawkes;
mod hawkes_file;
mod hawkes_flow;
mod noise;
mod opening;
mod params;
mod profile;
mod queue_reactive;
mod queue_reactive_flow;
mod replay;
mod sampler;
mod size;

#[cfg(feature = "yaml")]
pub use config::MarketConfigError;
pub use config::{FlowConfig, MarketConfig, StrategicMarket};
pub use file::{FORMAT_VERSION, Provenance, StandardErrors, read_provenance, read_standard_errors};
pub use hawkes::{CancelSize, EVENT_TYPE_NAMES, EVENT_TYPES, HawkesParams, TypeMatrix, spectral_radius};
pub use hawkes_flow::{HawkesFlow, HawkesProcess};
pub use noise::NoiseFlow;
pub use opening::{Centre, EmptySide, MAX_LEVELS, MAX_PRICE, Opening, OpeningBook, PerSide, Shape};
pub use params::{CancellationRule, EventSizes, FlowParams, Imbalance, StrategicParams, WaitingTime};
pub use profile::{Activity, MAX_KNOTS, Profile};
pub use queue_reactive::{
    MAX_QUEUES, MAX_TABLE, QueueModel, QueueReactiveParams, ReferencePrice, SecondQueue,
};
pub use queue_reactive_flow::QueueReactiveFlow;
pub(crate) use replay::WINDOW as REPLAY_WINDOW;
pub use replay::{
    BookBefore, FeedLevel, History, HistoryError, Part, QueueEstimate, QueueState, ReplayFlow, ReplayParams,
    Starts, TakenLiquidity,
};
pub use sampler::SizeSampler;
pub use size::{MAX_SIZE, MAX_SUPPORT, SizeDistribution};

use crate::parameter::ParameterError;
use crate::sim::{Market, SimRng};

/// A background order flow: the crowd that an agent trades with.
///
/// A flow acts on the book as it finds it, which is what makes a market reactive. All its orders belong to
/// [`CROWD`](crate::sim::CROWD).
pub trait OrderFlow {
    /// Forgets the session that was played; the book has been filled anew.
    fn reset(&mut self);

    /// Acts once, at the market's time. Returns the seconds until it acts again; infinity if it never will.
    fn act(&mut self, market: &mut Market, rng: &mut SimRng) -> f64;
}

/// A flow that runs: what a [`FlowConfig`] describes.
#[derive(Clone, Debug)]
pub enum Flow {
    /// Noise and tactical traders of the reference market.
    Noise(NoiseFlow),
    /// A multivariate Hawkes process.
    Hawkes(Box<HawkesFlow>),
    /// The queue-reactive model.
    QueueReactive(Box<QueueReactiveFlow>),
    /// Recorded events.
    Replay(Box<ReplayFlow>),
}

impl Flow {
    /// The flow of a market. The strategic trader is a participant of its own, see [`StrategicTrader`](crate::sim::StrategicTrader).
    ///
    /// # Errors
    /// What is not legal in its parameters.
    pub fn new(config: &FlowConfig) -> Result<Self, ParameterError> {
        Ok(match config {
            FlowConfig::Noise(params) | FlowConfig::Tactical(params) => Self::Noise(NoiseFlow::new(params)?),
            FlowConfig::Strategic(market) => Self::Noise(NoiseFlow::new(&market.flow)?),
            FlowConfig::Hawkes(params) => Self::Hawkes(Box::new(HawkesFlow::new(params)?)),
            FlowConfig::QueueReactive(params) => {
                Self::QueueReactive(Box::new(QueueReactiveFlow::new(params)?))
            }
            FlowConfig::Replay(params) => Self::Replay(Box::new(ReplayFlow::new(params)?)),
        })
    }
}

impl OrderFlow for Flow {
    fn reset(&mut self) {
        match self {
            Self::Noise(flow) => flow.reset(),
            Self::Hawkes(flow) => flow.reset(),
            Self::QueueReactive(flow) => flow.reset(),
            Self::Replay(flow) => flow.reset(),
        }
    }

    #[inline]
    fn act(&mut self, market: &mut Market, rng: &mut SimRng) -> f64 {
        match self {
            Self::Noise(flow) => flow.act(market, rng),
            Self::Hawkes(flow) => flow.act(market, rng),
            Self::QueueReactive(flow) => flow.act(market, rng),
            Self::Replay(flow) => flow.act(market, rng),
        }
    }
}
