//! Calibration: from the events of a market to the parameters of a flow.
//!
//! A market, real or simulated, is watched event by event through one interface, [`Observer`]: what estimates parameters and what measures
//! statistics sees both alike, so that the two can be set side by side. [`MarketSource`] shows market data, [`watch_simulation`] a simulated
//! market; [`ReferenceEstimator`] estimates the reference flow, [`QueueReactiveEstimator`] the queue-reactive one. `docs/calibration.md` has the rules and the formulas.

mod estimate;
mod grid;
mod levels;
mod observe;
mod orders;
mod queue_reactive;
mod reaction;
mod reference;
mod simulated;
mod sizes;
mod source;
mod stage;

pub use estimate::Estimate;
pub use grid::Grid;
pub use observe::{BookState, FlowEvent, FlowEventKind, Observer};
pub use queue_reactive::{QueueReactiveEstimator, QueueReactiveFit, QueueReactiveSettings};
pub use reaction::{KindReaction, ReactionFit};
pub use reference::{ReferenceEstimator, ReferenceFit, ReferenceSettings};
pub use simulated::{SimulationWatch, watch_queue_reactive, watch_simulation};
pub use source::MarketSource;
pub use stage::{Span, Tally};
