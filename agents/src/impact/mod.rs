//! Impact measured in a simulated market: meta-orders of several sizes and rates, and models fitted to what they cost and leave behind.
//!
//! [`measure`] sends each meta-order through the same sessions, as market orders of one lot at even intervals, and compares it with the
//! session of the same seed without it: common random numbers take the market's own moves out of the difference. [`fit`] fits the families of
//! [`lob::models::impact`] to cost and relaxation; [`calibrate`] does both, holds the result against meta-orders of other sizes, rates and
//! seeds, and [`draw`] shows it. [`estimate`] says what an order will cost before it is traded. The definitions are in `docs/impact.md` of the repository.

mod campaign;
mod estimate;
mod family;
mod figure;
mod fit;
mod report;

pub use campaign::{Cell, Measured, Observation, Settings, measure};
pub use estimate::{Estimate, Parent, Trajectory, estimate};
pub use family::Family;
pub use figure::draw;
pub use fit::{Fit, fit, predict};
pub use report::{Calibration, CellReport, FitReport, Parameter, PointReport, calibrate};

use lob::ParameterError;
use lob::models::impact::ImpactFileError;
use thiserror::Error;

/// A market whose impact cannot be measured.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// A setting or a market parameter is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A meta-order found too little to trade with.
    #[error(
        "session with seed {seed}: a meta-order of {lots} lots at {rate} lots/s traded {filled} of them; take smaller sizes or lower rates"
    )]
    Dry {
        /// The session.
        seed: u64,
        /// Its size.
        lots: u64,
        /// Its rate, lots a second.
        rate: f64,
        /// What it traded.
        filled: u64,
    },
    /// There was no mid price to compare with.
    #[error(
        "session with seed {seed}: the book has an empty side at {seconds} s; impact is measured against the mid"
    )]
    NoMid {
        /// The session.
        seed: u64,
        /// When.
        seconds: f64,
    },
    /// The market does not move or trade, so that there is nothing to measure impact in.
    #[error(
        "the market's {0} is 0; impact is measured in units of it, so take another market or more sessions"
    )]
    Still(&'static str),
    /// A model could not be written down.
    #[error(transparent)]
    File(#[from] ImpactFileError),
    /// The figure could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
    /// It was stopped: a part of the sessions says nothing.
    #[error("stopped before the end")]
    Stopped,
}
