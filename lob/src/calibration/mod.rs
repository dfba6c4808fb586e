//! Calibration: from the events of a market to the parameters of a flow.
//!
//! A market, real or simulated, is watched event by event through one interface, [`Observer`]: what estimates parameters and what measures
//! statistics sees both alike, so that the two can be set side by side.

mod choices;
mod distance;
mod estimate;
mod event_times;
mod hawkes;
mod hawkes_fit;
mod hawkes_likelihood;
mod hawkes_search;
mod linalg;
mod observe;
mod shares;
mod sizes;
mod stretch;

use distance::kolmogorov;
pub use estimate::Estimate;
pub use event_times::EventTimes;
pub use hawkes::{CancelUnit, HawkesCalibration, HawkesCalibrationSettings, HawkesEstimator};
pub use hawkes_fit::{HawkesFit, HawkesProgress, HawkesSettings, HawkesTimes, Residuals};
pub use observe::{BookState, FlowEvent, FlowEventKind, Observer};
