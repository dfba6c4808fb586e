//! The order-flow file: a flow's parameters as an `.npz` archive. `docs/data_format.md` defines it.

use std::collections::BTreeMap;
use std::path::Path;

use super::hawkes_file::PREFIX;
use super::opening::{MAX_LEVELS, MAX_PRICE};
use super::{
    CancellationRule, Centre, EmptySide, EventSizes, FlowParams, HawkesParams, Imbalance, MAX_SIZE, Opening,
    OpeningBook, PerSide, Profile, Shape, SizeDistribution, WaitingTime,
};
use crate::Price;
use crate::data::{Dim, Domain, NpzError, NpzFile, NpzProblem, NpzWriter};

/// The version of the format that is written, and the newest that is read.
pub const FORMAT_VERSION: i64 = 1;

/// Where a file came from: free text by name, such as `tool`, `seed`, `market`. Stored as keys `provenance.<name>`.
pub type Provenance = BTreeMap<String, String>;

/// Standard errors of a file's parameters, by the key of the parameter: one number for a scalar, as many as it has for an array. NaN where there
/// is none. Stored as keys `se.<key>`.
pub type StandardErrors = BTreeMap<String, Vec<f64>>;

pub(super) const PROVENANCE: &str = "provenance.";
pub(super) const ERROR: &str = "se.";
pub(super) const SHAPE: [&str; 4] = ["bidv", "askv", "bidv_live", "askv_live"];

impl FlowParams {
    /// Reads an order-flow file. One with the reference arrays `bidv` and `askv` alone is legal: everything else is then the
    /// noise market's.
    ///
    /// # Errors
    /// An error that names the file, the key and what was expected.
    pub fn from_npz(path: impl AsRef<Path>) -> Result<Self, NpzError> {
        Self::from_npz_or(path, Self::noise())
    }

    /// Reads an order-flow file; what a file with `bidv` and `askv` alone does not say is taken from `defaults`.
    ///
    /// # Errors
    /// As [`from_npz`](Self::from_npz).
    pub fn from_npz_or(path: impl AsRef<Path>, defaults: Self) -> Result<Self, NpzError> {
        let mut file = NpzFile::open(path)?;
        let params = if file.contains("format_version") {
            file.scalar_i64("format_version", FORMAT_VERSION..=FORMAT_VERSION)?;
            Reader { file: &mut file, prefix: "", read: vec!["format_version".to_owned()] }.params()?
        } else {
            let shape = shape(&mut file, defaults.opening.levels)?;
            Self { opening: Opening { shape, ..defaults.opening }, ..defaults }
        };
        params.validate().map_err(|error| NpzError::file(file.path(), NpzProblem::Parameter(error)))?;
        Ok(params)
    }

    /// Writes a full order-flow file: every parameter, the format's version, and where it came from.
    ///
    /// # Errors
    /// If the parameters are not legal, a name in `provenance` is no plain word, or writing fails. An existing file
    /// is replaced as a whole or left as it was.
    pub fn to_npz(&self, path: impl AsRef<Path>, provenance: &Provenance) -> Result<(), NpzError> {
        self.to_npz_with_errors(path, provenance, &StandardErrors::new())
    }

    /// As [`to_npz`](Self::to_npz), with the standard errors of estimated parameters.
    ///
    /// # Errors
    /// As [`to_npz`](Self::to_npz).
    pub fn to_npz_with_errors(
        &self,
        path: impl AsRef<Path>,
        provenance: &Provenance,
        errors: &StandardErrors,
    ) -> Result<(), NpzError> {
        self.to_npz_beside(path, provenance, errors, None)
    }

    /// As [`to_npz_with_errors`](Self::to_npz_with_errors), with the parameters and standard errors of a Hawkes flow in the same file: it serves
    /// both flows.
    ///
    /// # Errors
    /// As [`to_npz`](Self::to_npz).
    pub fn to_npz_beside(
        &self,
        path: impl AsRef<Path>,
        provenance: &Provenance,
        errors: &StandardErrors,
        hawkes: Option<(&HawkesParams, &StandardErrors)>,
    ) -> Result<(), NpzError> {
        let illegal = |error| NpzError::file(path.as_ref(), NpzProblem::Parameter(error));
        self.validate().map_err(illegal)?;
        if let Some((params, _)) = hawkes {
            params.validate().map_err(illegal)?;
        }
        let mut file = NpzWriter::create(&path)?;
        file.scalar_i64("format_version", FORMAT_VERSION)?;
        write_provenance(&mut file, path.as_ref(), provenance)?;
        write_params(&mut file, self)?;
        write_errors(&mut file, errors)?;
        if let Some((params, errors)) = hawkes {
            params.write(&mut file, errors)?;
        }
        file.finish()
    }
}

impl Shape {
    /// Reads the mean shape from an order-flow file, full or with `bidv` and `askv` alone. At least `levels` entries each.
    ///
    /// # Errors
    /// An error that names the file, the key and what was expected.
    pub fn from_npz(path: impl AsRef<Path>, levels: usize) -> Result<Self, NpzError> {
        let mut file = NpzFile::open(path)?;
        if file.contains("format_version") { arrays(&mut file, levels) } else { shape(&mut file, levels) }
    }

    /// Writes the mean shape alone, with where it came from: what any flow's stationary run produces.
    ///
    /// # Errors
    /// As [`FlowParams::to_npz`].
    pub fn to_npz(&self, path: impl AsRef<Path>, provenance: &Provenance) -> Result<(), NpzError> {
        self.validate(1).map_err(|error| NpzError::file(path.as_ref(), NpzProblem::Parameter(error)))?;
        let mut file = NpzWriter::create(&path)?;
        write_provenance(&mut file, path.as_ref(), provenance)?;
        write_shape(&mut file, self)?;
        file.finish()
    }
}

/// Reads where an order-flow file came from: its `provenance.` strings. Empty for a file without any.
///
/// # Errors
/// If the file cannot be opened, or one of those keys is no string.
pub fn read_provenance(path: impl AsRef<Path>) -> Result<Provenance, NpzError> {
    let mut file = NpzFile::open(path)?;
    let names: Vec<String> =
        file.keys().iter().filter_map(|key| key.strip_prefix(PROVENANCE)).map(str::to_owned).collect();
    names.into_iter().map(|name| Ok((name.clone(), file.string(&format!("{PROVENANCE}{name}"))?))).collect()
}

/// Reads the standard errors of an order-flow file's parameters: its `se.` arrays. Empty for a file without any.
///
/// # Errors
/// If the file cannot be opened, or one of those keys is no list of floats.
pub fn read_standard_errors(path: impl AsRef<Path>) -> Result<StandardErrors, NpzError> {
    let mut file = NpzFile::open(path)?;
    let keys: Vec<String> =
        file.keys().iter().filter_map(|key| key.strip_prefix(ERROR)).map(str::to_owned).collect();
    let mut read = |key: &str| file.array_f64(&format!("{ERROR}{key}"), &[Dim::AtLeast(0)], Domain::Any);
    keys.into_iter().map(|key| Ok((key.clone(), read(&key)?.data))).collect()
}

fn shape(file: &mut NpzFile, levels: usize) -> Result<Shape, NpzError> {
    // Parameters without a version would be ignored silently: say so instead.
    let examples =
        ["bidv", "askv", "bidv_live", "askv_live", "provenance.*", "format_version (then all parameters)"];
    file.refuse_unknown(&examples, |key| SHAPE.contains(&key) || key.starts_with(PROVENANCE))?;
    arrays(file, levels)
}

pub(super) fn arrays(file: &mut NpzFile, levels: usize) -> Result<Shape, NpzError> {
    let mut array = |key: &str| -> Result<Vec<f64>, NpzError> {
        Ok(file.array_f64(key, &[Dim::AtLeast(levels)], Domain::NonNegative)?.data)
    };
    let (bidv, askv) = (array("bidv")?, array("askv")?);
    let mut live = |key: &str| {
        file.contains(key).then(|| file.array_f64(key, &[Dim::AtLeast(levels)], Domain::NonNegative))
    };
    let bidv_live = live("bidv_live").transpose()?.map(|array| array.data);
    let askv_live = live("askv_live").transpose()?.map(|array| array.data);
    Ok(Shape { bidv, askv, bidv_live, askv_live })
}

/// Reads a full file and keeps track of what it has read, so that leftovers are noticed.
pub(super) struct Reader<'a> {
    pub(super) file: &'a mut NpzFile,
    /// What stands before the name of every key.
    pub(super) prefix: &'static str,
    /// The keys, with that.
    pub(super) read: Vec<String>,
}

impl Reader<'_> {
    fn params(mut self) -> Result<FlowParams, NpzError> {
        let opening = self.opening()?;
        let params = FlowParams {
            market_intensity: PerSide {
                buy: self.number("market_intensity.buy", Domain::NonNegative)?,
                sell: self.number("market_intensity.sell", Domain::NonNegative)?,
            },
            limit_intensity: self.by_distance("limit_intensity")?,
            cancel_intensity: self.by_distance("cancel_intensity")?,
            scale: self.number("scale", Domain::Positive)?,
            imbalance: self.imbalance()?,
            size: EventSizes {
                market: self.size("size.market")?,
                limit: self.size("size.limit")?,
                cancel: self.size("size.cancel")?,
            },
            cancellation: self.cancellation()?,
            waiting_time: match self.choice("waiting_time", &["before_effect", "after_effect"])? {
                "before_effect" => WaitingTime::BeforeEffect,
                _ => WaitingTime::AfterEffect,
            },
            opening,
            profile: self.profile()?,
            empty_side: self.empty_side()?,
        };
        let mut legal: Vec<&str> = self.read.iter().map(String::as_str).collect();
        legal.extend(SHAPE);
        legal.extend(["provenance.*", "hawkes.*"]);
        // An error belongs to a parameter of the file.
        let is_error = |key: &str| {
            key.strip_prefix(ERROR).is_some_and(|of| legal.contains(&of) || of.starts_with(PREFIX))
        };
        self.file.refuse_unknown(&legal, |key| {
            legal.contains(&key) || key.starts_with(PROVENANCE) || key.starts_with(PREFIX) || is_error(key)
        })?;
        Ok(params)
    }

    pub(super) fn opening(&mut self) -> Result<Opening, NpzError> {
        let book = self.choice("opening.book", &["frozen", "live"])?;
        let levels = self.integer("opening.levels", 1, MAX_LEVELS as i64)? as usize;
        Ok(Opening {
            book: if book == "live" { OpeningBook::Live } else { OpeningBook::Frozen },
            centre: Centre {
                best_bid: Price(self.integer("opening.centre.best_bid", -MAX_PRICE, MAX_PRICE)?),
                best_ask: Price(self.integer("opening.centre.best_ask", -MAX_PRICE, MAX_PRICE)?),
            },
            levels,
            lead_in_seconds: self.number("opening.lead_in_seconds", Domain::NonNegative)?,
            shape: arrays(self.file, levels)?,
        })
    }

    pub(super) fn cancellation(&mut self) -> Result<CancellationRule, NpzError> {
        Ok(match self.choice("cancellation", &["newest_first", "oldest_first", "random_order"])? {
            "newest_first" => CancellationRule::NewestFirst,
            "oldest_first" => CancellationRule::OldestFirst,
            _ => CancellationRule::RandomOrder,
        })
    }

    pub(super) fn empty_side(&mut self) -> Result<EmptySide, NpzError> {
        Ok(EmptySide {
            delay_seconds: self.number("empty_side.delay_seconds", Domain::Positive)?,
            bid_price: Price(self.integer("empty_side.bid_price", -MAX_PRICE, MAX_PRICE)?),
            bid_lots: self.integer("empty_side.bid_lots", 1, MAX_SIZE as i64)? as u64,
        })
    }

    fn imbalance(&mut self) -> Result<Imbalance, NpzError> {
        if self.choice("imbalance", &["none", "linear"])? == "none" {
            return Ok(Imbalance::None);
        }
        Ok(Imbalance::Linear {
            decay: self.number("imbalance.linear.decay", Domain::NonNegative)?,
            gain: self.number("imbalance.linear.gain", Domain::NonNegative)?,
            market: self.flag("imbalance.linear.market")?,
            limit: self.flag("imbalance.linear.limit")?,
            cancel: self.flag("imbalance.linear.cancel")?,
        })
    }

    pub(super) fn size(&mut self, key: &str) -> Result<SizeDistribution, NpzError> {
        let kind = self.choice(key, &["half_normal", "log_normal", "empirical", "constant"])?;
        let at = |field: &str| format!("{key}.{kind}.{field}");
        let max = MAX_SIZE as i64;
        Ok(match kind {
            "half_normal" => SizeDistribution::HalfNormal {
                offset: self.number(&at("offset"), Domain::NonNegative)?,
                sigma: self.number(&at("sigma"), Domain::Positive)?,
                min: self.integer(&at("min"), 1, max)? as u64,
                max: self.integer(&at("max"), 1, max)? as u64,
            },
            "log_normal" => SizeDistribution::LogNormal {
                mu: self.number(&at("mu"), Domain::Finite)?,
                sigma: self.number(&at("sigma"), Domain::Positive)?,
                min: self.integer(&at("min"), 1, max)? as u64,
                max: self.integer(&at("max"), 1, max)? as u64,
            },
            "empirical" => {
                let full = self.key(&at("sizes"));
                let sizes = self.file.array_i64(&full, &[Dim::AtLeast(1)], 1..=max)?.data;
                SizeDistribution::Empirical {
                    weights: self.list(&at("weights"), Dim::Exactly(sizes.len()))?,
                    sizes: sizes.into_iter().map(|size| size as u64).collect(),
                }
            }
            _ => SizeDistribution::Constant { lots: self.integer(&at("lots"), 1, max)? as u64 },
        })
    }

    pub(super) fn profile(&mut self) -> Result<Profile, NpzError> {
        let kind = self.choice("profile", &["flat", "piecewise_constant", "piecewise_linear"])?;
        if kind == "flat" {
            return Ok(Profile::Flat);
        }
        let at = |field: &str| format!("profile.{kind}.{field}");
        let period_seconds = self.number(&at("period_seconds"), Domain::Positive)?;
        let normalised = self.flag(&at("normalised"))?;
        let times = self.list(&at("times"), Dim::AtLeast(1))?;
        let multipliers = self.list(&at("multipliers"), Dim::Exactly(times.len()))?;
        Ok(if kind == "piecewise_constant" {
            Profile::PiecewiseConstant { period_seconds, normalised, times, multipliers }
        } else {
            Profile::PiecewiseLinear { period_seconds, normalised, times, multipliers }
        })
    }

    /// A key in full; it counts as read.
    pub(super) fn key(&mut self, name: &str) -> String {
        let key = format!("{}{name}", self.prefix);
        self.read.push(key.clone());
        key
    }

    pub(super) fn by_distance(&mut self, key: &str) -> Result<PerSide<Vec<f64>>, NpzError> {
        Ok(PerSide {
            buy: self.list(&format!("{key}.buy"), Dim::AtLeast(1))?,
            sell: self.list(&format!("{key}.sell"), Dim::AtLeast(1))?,
        })
    }

    pub(super) fn list(&mut self, key: &str, length: Dim) -> Result<Vec<f64>, NpzError> {
        let key = self.key(key);
        Ok(self.file.array_f64(&key, &[length], Domain::NonNegative)?.data)
    }

    pub(super) fn number(&mut self, key: &str, domain: Domain) -> Result<f64, NpzError> {
        let key = self.key(key);
        self.file.scalar_f64(&key, domain)
    }

    pub(super) fn integer(&mut self, key: &str, min: i64, max: i64) -> Result<i64, NpzError> {
        let key = self.key(key);
        self.file.scalar_i64(&key, min..=max)
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<bool, NpzError> {
        let key = self.key(key);
        self.file.scalar_bool(&key)
    }

    /// A string that must be one of `legal`.
    pub(super) fn choice(&mut self, key: &str, legal: &[&'static str]) -> Result<&'static str, NpzError> {
        let key = self.key(key);
        let found = self.file.string(&key)?;
        legal.iter().copied().find(|&name| name == found).ok_or_else(|| {
            let expected = format!("one of {}", legal.join(", "));
            NpzError::key(
                self.file.path(),
                &key,
                NpzProblem::Value { index: 0, value: format!("{found:?}"), expected },
            )
        })
    }
}

pub(super) fn write_provenance(
    file: &mut NpzWriter,
    path: &Path,
    provenance: &Provenance,
) -> Result<(), NpzError> {
    for (name, text) in provenance {
        let plain =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !plain {
            let legal = "letters, digits, _ and -";
            let error = crate::ParameterError::new("provenance", format_args!("named {name:?}"), legal);
            return Err(NpzError::file(path, NpzProblem::Parameter(error)));
        }
        file.string(&format!("{PROVENANCE}{name}"), text)?;
    }
    Ok(())
}

pub(super) fn write_errors(file: &mut NpzWriter, errors: &StandardErrors) -> Result<(), NpzError> {
    errors
        .iter()
        .try_for_each(|(key, values)| file.array_f64(&format!("{ERROR}{key}"), &[values.len()], values))
}

/// Every structure is taken apart in full: a field that is added and forgotten here does not compile.
fn write_params(file: &mut NpzWriter, params: &FlowParams) -> Result<(), NpzError> {
    let FlowParams {
        market_intensity,
        limit_intensity,
        cancel_intensity,
        scale,
        imbalance,
        size: EventSizes { market, limit, cancel },
        cancellation,
        waiting_time,
        opening,
        profile,
        empty_side,
    } = params;
    write_shape(file, &opening.shape)?;
    file.scalar_f64("market_intensity.buy", market_intensity.buy)?;
    file.scalar_f64("market_intensity.sell", market_intensity.sell)?;
    for (key, lists) in [("limit_intensity", limit_intensity), ("cancel_intensity", cancel_intensity)] {
        file.array_f64(&format!("{key}.buy"), &[lists.buy.len()], &lists.buy)?;
        file.array_f64(&format!("{key}.sell"), &[lists.sell.len()], &lists.sell)?;
    }
    file.scalar_f64("scale", *scale)?;
    write_imbalance(file, imbalance)?;
    for (key, size) in [("size.market", market), ("size.limit", limit), ("size.cancel", cancel)] {
        write_size(file, key, size)?;
    }
    write_cancellation(file, "", *cancellation)?;
    let waiting_time = match waiting_time {
        WaitingTime::BeforeEffect => "before_effect",
        WaitingTime::AfterEffect => "after_effect",
    };
    file.string("waiting_time", waiting_time)?;
    write_opening(file, "", opening)?;
    write_profile(file, "profile", profile)?;
    write_empty_side(file, "", empty_side)
}

pub(super) fn write_cancellation(
    file: &mut NpzWriter,
    prefix: &str,
    rule: CancellationRule,
) -> Result<(), NpzError> {
    let cancellation = match rule {
        CancellationRule::NewestFirst => "newest_first",
        CancellationRule::OldestFirst => "oldest_first",
        CancellationRule::RandomOrder => "random_order",
    };
    file.string(&format!("{prefix}cancellation"), cancellation)
}

/// All but the shape, which has keys of its own.
pub(super) fn write_opening(file: &mut NpzWriter, prefix: &str, opening: &Opening) -> Result<(), NpzError> {
    let Opening { book, centre: Centre { best_bid, best_ask }, levels, lead_in_seconds, shape: _ } = opening;
    let book = match book {
        OpeningBook::Frozen => "frozen",
        OpeningBook::Live => "live",
    };
    file.string(&format!("{prefix}opening.book"), book)?;
    file.scalar_i64(&format!("{prefix}opening.centre.best_bid"), best_bid.0)?;
    file.scalar_i64(&format!("{prefix}opening.centre.best_ask"), best_ask.0)?;
    file.scalar_i64(&format!("{prefix}opening.levels"), *levels as i64)?;
    file.scalar_f64(&format!("{prefix}opening.lead_in_seconds"), *lead_in_seconds)
}

pub(super) fn write_empty_side(
    file: &mut NpzWriter,
    prefix: &str,
    empty_side: &EmptySide,
) -> Result<(), NpzError> {
    let EmptySide { delay_seconds, bid_price, bid_lots } = empty_side;
    file.scalar_f64(&format!("{prefix}empty_side.delay_seconds"), *delay_seconds)?;
    file.scalar_i64(&format!("{prefix}empty_side.bid_price"), bid_price.0)?;
    file.scalar_i64(&format!("{prefix}empty_side.bid_lots"), *bid_lots as i64)
}

pub(super) fn write_shape(file: &mut NpzWriter, shape: &Shape) -> Result<(), NpzError> {
    let Shape { bidv, askv, bidv_live, askv_live } = shape;
    let arrays = [Some(bidv), Some(askv), bidv_live.as_ref(), askv_live.as_ref()];
    for (key, array) in SHAPE.into_iter().zip(arrays) {
        if let Some(array) = array {
            file.array_f64(key, &[array.len()], array)?;
        }
    }
    Ok(())
}

fn write_imbalance(file: &mut NpzWriter, imbalance: &Imbalance) -> Result<(), NpzError> {
    match imbalance {
        Imbalance::None => file.string("imbalance", "none"),
        Imbalance::Linear { decay, gain, market, limit, cancel } => {
            file.string("imbalance", "linear")?;
            file.scalar_f64("imbalance.linear.decay", *decay)?;
            file.scalar_f64("imbalance.linear.gain", *gain)?;
            file.scalar_bool("imbalance.linear.market", *market)?;
            file.scalar_bool("imbalance.linear.limit", *limit)?;
            file.scalar_bool("imbalance.linear.cancel", *cancel)
        }
    }
}

pub(super) fn write_size(file: &mut NpzWriter, key: &str, size: &SizeDistribution) -> Result<(), NpzError> {
    let kind = size.name();
    file.string(key, kind)?;
    let at = |field: &str| format!("{key}.{kind}.{field}");
    match size {
        SizeDistribution::HalfNormal { offset: first, sigma, min, max }
        | SizeDistribution::LogNormal { mu: first, sigma, min, max } => {
            let name = if kind == "half_normal" { "offset" } else { "mu" };
            file.scalar_f64(&at(name), *first)?;
            file.scalar_f64(&at("sigma"), *sigma)?;
            file.scalar_i64(&at("min"), *min as i64)?;
            file.scalar_i64(&at("max"), *max as i64)
        }
        SizeDistribution::Empirical { sizes, weights } => {
            let sizes: Vec<i64> = sizes.iter().map(|&size| size as i64).collect();
            file.array_i64(&at("sizes"), &[sizes.len()], &sizes)?;
            file.array_f64(&at("weights"), &[weights.len()], weights)
        }
        SizeDistribution::Constant { lots } => file.scalar_i64(&at("lots"), *lots as i64),
    }
}

pub(super) fn write_profile(file: &mut NpzWriter, key: &str, profile: &Profile) -> Result<(), NpzError> {
    let kind = profile.name();
    file.string(key, kind)?;
    match profile {
        Profile::Flat => Ok(()),
        Profile::PiecewiseConstant { period_seconds, normalised, times, multipliers }
        | Profile::PiecewiseLinear { period_seconds, normalised, times, multipliers } => {
            let at = |field: &str| format!("{key}.{kind}.{field}");
            file.scalar_f64(&at("period_seconds"), *period_seconds)?;
            file.scalar_bool(&at("normalised"), *normalised)?;
            file.array_f64(&at("times"), &[times.len()], times)?;
            file.array_f64(&at("multipliers"), &[multipliers.len()], multipliers)
        }
    }
}
