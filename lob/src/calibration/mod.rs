//! Calibration: from the events of a market to the parameters of a flow.
//!
//! A market, real or simulated, is watched event by event through one interface, [`Observer`]: what estimates parameters and what measures
//! statistics sees both alike, so that the two can be set side by side. [`MarketSource`] shows market data, [`watch_simulation`] a simulated
//! market; [`ReferenceEstimator`] estimates the reference flow, [`QueueReactiveEstimator`] the queue-reactive one. `docs/calibration.md` has the rules and the formulas.

mod choices;
mod comparison;
mod distance;
mod distribution;
mod estimate;
mod event_times;
mod grid;
mod hawkes;
mod hawkes_fit;
mod hawkes_likelihood;
mod hawkes_search;
mod levels;
mod linalg;
mod moments;
mod observe;
mod orders;
mod queue_reactive;
mod reaction;
mod reference;
mod response;
mod sampled;
mod shares;
mod simulated;
mod sizes;
mod source;
mod stage;
mod statistics;
mod stretch;

pub use comparison::{ComparisonRow, MarketComparison, RATE_LIMIT, SPREAD_LIMIT, VOLATILITY_LIMIT, compare};
use distance::kolmogorov;
pub use distribution::{Bin, Distribution, Scale};
pub use estimate::Estimate;
pub use event_times::EventTimes;
pub use grid::Grid;
pub use hawkes::{CancelUnit, HawkesCalibration, HawkesCalibrationSettings, HawkesEstimator};
pub use hawkes_fit::{HawkesFit, HawkesProgress, HawkesSettings, HawkesTimes, Residuals};
pub use observe::{BookState, FlowEvent, FlowEventKind, Observer};
pub use queue_reactive::{QueueReactiveEstimator, QueueReactiveFit, QueueReactiveSettings};
pub use reaction::{KindReaction, ReactionFit};
pub use reference::{ReferenceEstimator, ReferenceFit, ReferenceSettings};
pub use simulated::{SimulationWatch, watch_queue_reactive, watch_simulation};
pub use source::MarketSource;
pub use stage::{Span, Tally};
pub use statistics::{EventRate, ImpactPoint, MarketStatistics, StatisticsObserver, Volatility};
