//! Calibration: from the events of a market to the parameters of a flow.
//!
//! A market, real or simulated, is watched event by event through one interface, [`Observer`]: what estimates parameters and what measures
//! statistics sees both alike, so that the two can be set side by side.

mod observe;

pub use observe::{BookState, FlowEvent, FlowEventKind, Observer};
