//! The families of models that are fitted, and their parameters.

use lob::models::ImpactConfig;
use lob::models::impact::{
    AlmgrenChrissParams, Decay, DepthParams, PermanentParams, SquareRootParams, TemporaryParams,
    TransientParams,
};

use super::Measured;

/// A model whose parameters are found by fitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The square-root law with a memory.
    SquareRoot,
    /// Power-law temporary impact.
    Temporary,
    /// Linear permanent impact.
    Permanent,
    /// Half-spread, linear temporary and permanent impact.
    AlmgrenChriss,
    /// Obizhaeva & Wang: linear, decays exponentially.
    TransientExponential,
    /// Propagator: linear, decays by a shifted power law.
    TransientPowerLaw,
    /// Propagator: a power law in the speed and in time, such that round trips earn nothing.
    TransientConcave,
    /// The mean book, recovering exponentially.
    Book,
}

/// How a parameter that may be any number becomes one that is legal.
#[derive(Clone, Copy, Debug)]
enum Range {
    Positive,
    /// From 0 to the number, exclusive.
    UpTo(f64),
}

impl Range {
    fn natural(self, free: f64) -> f64 {
        match self {
            // Far beyond what any fit finds, and still a finite number.
            Self::Positive => libm::exp(free.clamp(-60.0, 60.0)),
            Self::UpTo(most) => most / (1.0 + libm::exp(-free.clamp(-20.0, 20.0))),
        }
    }
}

impl Family {
    /// All, in the order of the tables.
    pub const ALL: [Self; 8] = [
        Self::SquareRoot,
        Self::Temporary,
        Self::Permanent,
        Self::AlmgrenChriss,
        Self::TransientExponential,
        Self::TransientPowerLaw,
        Self::TransientConcave,
        Self::Book,
    ];

    /// Its name in options and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SquareRoot => "square_root",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::AlmgrenChriss => "almgren_chriss",
            Self::TransientExponential => "transient_exponential",
            Self::TransientPowerLaw => "transient_power_law",
            Self::TransientConcave => "transient_concave",
            Self::Book => "book",
        }
    }

    /// The names of its parameters, as in the configuration.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::SquareRoot => &["half_spread", "y", "memory_seconds"],
            Self::Temporary => &["half_spread", "coefficient", "exponent"],
            Self::Permanent => &["half_spread", "coefficient"],
            Self::AlmgrenChriss => &["half_spread", "temporary", "permanent"],
            Self::TransientExponential => &["half_spread", "coefficient", "decay.seconds"],
            Self::TransientPowerLaw => {
                &["half_spread", "coefficient", "decay.exponent", "decay.shift_seconds"]
            }
            Self::TransientConcave => &["half_spread", "coefficient", "decay.exponent", "exponent"],
            Self::Book => &["recovery_seconds"],
        }
    }

    fn ranges(self) -> &'static [Range] {
        use Range::{Positive, UpTo};
        match self {
            Self::Temporary => &[Positive, Positive, UpTo(2.0)],
            Self::TransientPowerLaw => &[Positive, Positive, UpTo(1.0), Positive],
            Self::TransientConcave => &[Positive, Positive, UpTo(1.0), UpTo(1.0)],
            Self::Permanent => &[Positive; 2],
            Self::SquareRoot | Self::AlmgrenChriss | Self::TransientExponential => &[Positive; 3],
            Self::Book => &[Positive],
        }
    }

    /// The parameters, from numbers that may be any.
    pub(super) fn natural(self, free: &[f64]) -> Vec<f64> {
        let mut natural: Vec<f64> =
            self.ranges().iter().zip(free).map(|(range, &free)| range.natural(free)).collect();
        if self == Self::TransientConcave {
            // The powers add up to more than 1 (Gatheral 2010) and the speed's is at most 1.
            natural[3] = 1.0 - natural[2] * (1.0 - natural[3]);
        }
        natural
    }

    /// True where a parameter has run into an end of its range, so that its standard error says nothing.
    pub(super) fn at_bound(self, parameter: usize, free: &[f64]) -> bool {
        match self.ranges()[parameter] {
            // Within a thousandth of an end.
            Range::UpTo(_) => free[parameter].abs() > 7.0,
            // Below 1e-10: as good as 0.
            Range::Positive => free[parameter] < -23.0,
        }
    }

    /// How far apart a prediction is compared for its derivative by a free parameter: a book's mid moves in steps.
    pub(super) const fn step(self) -> f64 {
        if matches!(self, Self::Book) { 0.1 } else { 1e-5 }
    }

    /// Where the search begins: `half_spread` a fraction of the price, `scale` what the coefficients are of the order of.
    pub(super) fn start(self, half_spread: f64, scale: f64) -> Vec<f64> {
        let (spread, scale, seconds) = (half_spread.max(1e-9).ln(), scale.max(1e-12).ln(), 30.0_f64.ln());
        match self {
            Self::SquareRoot | Self::TransientExponential => vec![spread, scale, seconds],
            Self::Temporary => vec![spread, scale, 0.0],
            Self::Permanent => vec![spread, scale],
            Self::AlmgrenChriss => vec![spread, scale, scale - 5.0],
            Self::TransientPowerLaw | Self::TransientConcave => vec![spread, scale, 0.0, 0.0],
            Self::Book => vec![seconds],
        }
    }

    /// The model with these parameters, for a market.
    pub(super) fn config(self, natural: &[f64], measured: &Measured) -> ImpactConfig {
        match (self, natural) {
            (Self::SquareRoot, &[half_spread, y, memory]) => {
                ImpactConfig::SquareRoot(SquareRootParams { y, memory_seconds: Some(memory), half_spread })
            }
            (Self::Temporary, &[half_spread, coefficient, exponent]) => {
                ImpactConfig::Temporary(TemporaryParams { coefficient, exponent, half_spread })
            }
            (Self::Permanent, &[half_spread, coefficient]) => {
                ImpactConfig::Permanent(PermanentParams { coefficient, exponent: 1.0, half_spread })
            }
            (Self::AlmgrenChriss, &[half_spread, temporary, permanent]) => {
                let temporary_exponent = 1.0;
                let params = AlmgrenChrissParams { half_spread, temporary, temporary_exponent, permanent };
                ImpactConfig::AlmgrenChriss(params)
            }
            (Self::TransientExponential, &[half_spread, coefficient, seconds]) => {
                let decay = Decay::Exponential { seconds };
                ImpactConfig::Transient(TransientParams { coefficient, exponent: 1.0, decay, half_spread })
            }
            (Self::TransientPowerLaw, &[half_spread, coefficient, decay, shift_seconds]) => {
                let decay = Decay::PowerLaw { exponent: decay, shift_seconds };
                ImpactConfig::Transient(TransientParams { coefficient, exponent: 1.0, decay, half_spread })
            }
            (Self::TransientConcave, &[half_spread, coefficient, decay, exponent]) => {
                let decay = Decay::PowerLaw { exponent: decay, shift_seconds: 0.0 };
                ImpactConfig::Transient(TransientParams { coefficient, exponent, decay, half_spread })
            }
            (Self::Book, &[recovery]) => ImpactConfig::Book(DepthParams {
                bids: measured.depth.clone(),
                asks: measured.depth.clone(),
                recovery_seconds: Some(recovery),
            }),
            // `natural` has as many entries as there are parameters.
            _ => ImpactConfig::None,
        }
    }
}
