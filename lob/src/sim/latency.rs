//! How long an order travels to the book, and how long its report travels back.

use std::path::{Path, PathBuf};

use rand::Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::{CsvError, Dim, Domain, NpzError, NpzFile, read_csv_column};
use crate::parameter::{ParameterError, Validity, finite, non_negative, positive};
use crate::random::{open_unit, standard_normal};

/// Delays in both directions.
///
/// Each is drawn independently: a later order can overtake an earlier one. An event loop that wants a wire that keeps its order
/// takes the maximum with the previous arrival.
pub trait LatencyModel {
    /// Time from an order's sending to its arrival at the book, in seconds, 0 or more.
    fn order_seconds<R: Rng + ?Sized>(&self, rng: &mut R) -> f64;

    /// Time from an event in the book to its report's arrival, in seconds, 0 or more.
    fn report_seconds<R: Rng + ?Sized>(&self, rng: &mut R) -> f64;
}

/// Delays in both directions, as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatencyConfig {
    /// From the participant to the book.
    pub order: Delay,
    /// From the book to the participant.
    pub report: Delay,
}

/// One delay, as configured. All times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delay {
    /// Always 0.
    #[default]
    None,
    /// Always the same.
    Constant {
        /// The delay, 0 or more.
        seconds: f64,
    },
    /// Uniform between two limits.
    Uniform {
        /// The shortest, 0 or more.
        min_seconds: f64,
        /// The longest, at least the shortest.
        max_seconds: f64,
    },
    /// `min(max_seconds, median_seconds x exp(sigma Z))` with a standard normal Z.
    LogNormal {
        /// Half of the delays are shorter; above 0.
        median_seconds: f64,
        /// Standard deviation of the logarithm, 0 or more.
        sigma: f64,
        /// Longer ones are cut to this, above 0: an unlucky draw must not stall a session.
        max_seconds: f64,
    },
    /// Recorded samples, drawn independently with equal probability.
    Recorded {
        /// An `.npz` or `.csv` file; a relative path starts at the configuration's directory.
        file: PathBuf,
        /// Key of a one-dimensional array in the `.npz`, or name of a column in the CSV's first line.
        column: String,
        /// Length of the file's unit in seconds: 1e-9 for nanoseconds.
        unit_seconds: f64,
    },
}

/// Delays that cannot be used.
#[derive(Debug, Error)]
pub enum LatencyError {
    /// A parameter that is not legal.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Recorded samples that cannot be read.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// Recorded samples that cannot be read.
    #[error(transparent)]
    Csv(#[from] CsvError),
}

impl LatencyConfig {
    /// Checks every field. Does not open files.
    ///
    /// # Errors
    /// The first field that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.order.validate().map_err(|error| error.within("order"))?;
        self.report.validate().map_err(|error| error.within("report"))
    }

    /// Delays ready to be drawn; recorded samples are read, relative paths from `directory`.
    ///
    /// # Errors
    /// A field that is not legal, or a file that cannot be read.
    pub fn compile(&self, directory: impl AsRef<Path>) -> Result<Latency, LatencyError> {
        self.validate()?;
        let directory = directory.as_ref();
        Ok(Latency { order: self.order.compile(directory)?, report: self.report.compile(directory)? })
    }
}

impl Delay {
    fn validate(&self) -> Validity {
        match self {
            Self::None => Ok(()),
            Self::Constant { seconds } => non_negative("constant.seconds", *seconds),
            Self::Uniform { min_seconds, max_seconds } => {
                non_negative("uniform.min_seconds", *min_seconds)?;
                finite("uniform.max_seconds", *max_seconds)?;
                if max_seconds < min_seconds {
                    let legal = format!("at least uniform.min_seconds, {min_seconds}");
                    return Err(ParameterError::new("uniform.max_seconds", max_seconds, legal));
                }
                Ok(())
            }
            Self::LogNormal { median_seconds, sigma, max_seconds } => {
                positive("log_normal.median_seconds", *median_seconds)?;
                non_negative("log_normal.sigma", *sigma)?;
                positive("log_normal.max_seconds", *max_seconds)
            }
            Self::Recorded { file, column, unit_seconds } => {
                if !is_npz(file) && !has_extension(file, "csv") {
                    return Err(ParameterError::new(
                        "recorded.file",
                        file.display(),
                        "a name ending in .npz or .csv",
                    ));
                }
                if column.is_empty() {
                    return Err(ParameterError::new("recorded.column", "empty", "a key or column name"));
                }
                positive("recorded.unit_seconds", *unit_seconds)
            }
        }
    }

    fn compile(&self, directory: &Path) -> Result<DelaySampler, LatencyError> {
        Ok(match self {
            Self::None => DelaySampler::Constant(0.0),
            Self::Constant { seconds } => DelaySampler::Constant(*seconds),
            Self::Uniform { min_seconds, max_seconds } => {
                DelaySampler::Uniform { min: *min_seconds, width: max_seconds - min_seconds }
            }
            Self::LogNormal { median_seconds, sigma, max_seconds } => {
                DelaySampler::LogNormal { median: *median_seconds, sigma: *sigma, max: *max_seconds }
            }
            Self::Recorded { file, column, unit_seconds } => {
                let path = directory.join(file);
                let mut samples = if is_npz(file) {
                    NpzFile::open(path)?.array_f64(column, &[Dim::AtLeast(1)], Domain::NonNegative)?.data
                } else {
                    read_csv_column(path, column, Domain::NonNegative)?
                };
                samples.iter_mut().for_each(|sample| *sample *= unit_seconds);
                DelaySampler::Recorded(samples.into_boxed_slice())
            }
        })
    }
}

fn is_npz(file: &Path) -> bool {
    has_extension(file, "npz")
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Delays in both directions, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// From the participant to the book.
    pub order: DelaySampler,
    /// From the book to the participant.
    pub report: DelaySampler,
}

impl LatencyModel for Latency {
    #[inline]
    fn order_seconds<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.order.sample(rng)
    }

    #[inline]
    fn report_seconds<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.report.sample(rng)
    }
}

/// One delay, ready to be drawn. Parameters have been checked, samples are in memory.
#[derive(Clone, Debug, PartialEq)]
pub enum DelaySampler {
    /// Always this many seconds; draws nothing from the generator.
    Constant(f64),
    /// Uniform. One `u64`.
    Uniform {
        /// The shortest, in seconds.
        min: f64,
        /// Longest minus shortest, in seconds.
        width: f64,
    },
    /// Log-normal, cut at `max`. One `u64`; the same bits on every machine.
    LogNormal {
        /// The median, in seconds.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
        /// The longest, in seconds.
        max: f64,
    },
    /// One of these, in seconds, never empty. One `u64`.
    Recorded(Box<[f64]>),
}

impl DelaySampler {
    /// Draws a delay in seconds.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        match self {
            Self::Constant(seconds) => *seconds,
            Self::Uniform { min, width } => min + width * open_unit(rng),
            Self::LogNormal { median, sigma, max } => {
                (median * libm::exp(sigma * standard_normal(rng))).min(*max)
            }
            Self::Recorded(samples) => {
                // The high half of a product: an index with a bias below n / 2^64.
                let index = (u128::from(rng.next_u64()) * samples.len() as u128) >> 64;
                samples[index as usize]
            }
        }
    }

    /// True if it is always 0: orders need not travel at all.
    pub fn is_none(&self) -> bool {
        *self == Self::Constant(0.0)
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn draws(delay: &Delay, n: usize) -> Vec<f64> {
        let config = LatencyConfig { order: delay.clone(), report: Delay::None };
        let latency = config.compile(".").unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        (0..n).map(|_| latency.order_seconds(&mut rng)).collect()
    }

    #[test]
    fn delays_have_their_distributions() {
        assert_eq!(draws(&Delay::None, 2), [0.0, 0.0]);
        assert_eq!(draws(&Delay::Constant { seconds: 0.25 }, 2), [0.25, 0.25]);
        let n = 100_000;
        let uniform = draws(&Delay::Uniform { min_seconds: 1.0, max_seconds: 3.0 }, n);
        assert!(uniform.iter().all(|x| (1.0..3.0).contains(x)));
        let mean = uniform.iter().sum::<f64>() / n as f64;
        assert!((mean - 2.0).abs() < 5.0 * (4.0 / 12.0 / n as f64).sqrt());
        let delay = Delay::LogNormal { median_seconds: 0.01, sigma: 0.5, max_seconds: 0.05 };
        let log_normal = draws(&delay, n);
        let below = log_normal.iter().filter(|&&x| x < 0.01).count() as f64;
        assert!((below / n as f64 - 0.5).abs() < 5.0 * 0.5 / (n as f64).sqrt());
        assert!(log_normal.iter().all(|&x| x > 0.0 && x <= 0.05));
        // P(cut) = P(Z > ln 5 / 0.5) = 6.4e-4.
        let cut = log_normal.iter().filter(|&&x| x == 0.05).count();
        assert!((30..110).contains(&cut), "{cut}");
    }

    #[test]
    fn log_normal_draws_keep_their_bits() {
        let delay = Delay::LogNormal { median_seconds: 0.01, sigma: 0.5, max_seconds: 1.0 };
        let bits: Vec<u64> = draws(&delay, 3).iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, [4_575_418_312_785_604_473, 4_577_794_693_677_827_379, 4_572_689_164_513_899_351]);
    }

    #[test]
    fn recorded_samples_come_from_csv_and_npz() {
        let directory = std::env::temp_dir().join(format!("lob-latency-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("ping.csv"), "time,rtt_us\n1,100\n2,300\n").unwrap();
        let mut writer = crate::data::NpzWriter::create(directory.join("ping.npz")).unwrap();
        writer.array_i64("rtt_us", &[2], &[100, 300]).unwrap();
        writer.finish().unwrap();
        let recorded =
            |file: &str| Delay::Recorded { file: file.into(), column: "rtt_us".into(), unit_seconds: 1e-6 };
        let config = LatencyConfig { order: recorded("ping.csv"), report: recorded("ping.npz") };
        let latency = config.compile(&directory).unwrap();
        let missing = LatencyConfig { order: recorded("absent.csv"), report: Delay::None };
        let error = missing.compile(&directory).unwrap_err().to_string();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(latency.order, latency.report);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let long = (0..10_000).filter(|_| latency.report_seconds(&mut rng) > 2e-4).count();
        assert!((4_700..5_300).contains(&long), "{long}");
        assert!(error.contains("absent.csv"), "{error}");
    }

    #[test]
    fn errors_name_the_path() {
        let key = |order: Delay| LatencyConfig { order, report: Delay::None }.validate().unwrap_err().key;
        assert_eq!(key(Delay::Constant { seconds: -1.0 }), "order.constant.seconds");
        assert_eq!(key(Delay::Uniform { min_seconds: 2.0, max_seconds: 1.0 }), "order.uniform.max_seconds");
        assert_eq!(
            key(Delay::Uniform { min_seconds: 0.0, max_seconds: f64::NAN }),
            "order.uniform.max_seconds"
        );
        let bad = Delay::LogNormal { median_seconds: 0.0, sigma: 1.0, max_seconds: 1.0 };
        assert_eq!(key(bad), "order.log_normal.median_seconds");
        let bad = Delay::Recorded { file: "x.txt".into(), column: "a".into(), unit_seconds: 1.0 };
        assert_eq!(key(bad), "order.recorded.file");
    }
}
