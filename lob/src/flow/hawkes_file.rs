//! The Hawkes flow's part of an order-flow file. `docs/data_format.md` defines it.

use std::path::Path;

use super::file::{
    ERROR, PROVENANCE, Reader, SHAPE, write_cancellation, write_empty_side, write_errors, write_opening,
    write_profile, write_provenance, write_shape, write_size,
};
use super::{CancelSize, EVENT_TYPES, FORMAT_VERSION, HawkesParams, Opening, Provenance, StandardErrors};
use crate::data::{Dim, Domain, NpzError, NpzFile, NpzProblem, NpzWriter};

/// Before the name of every parameter of a Hawkes flow.
pub(super) const PREFIX: &str = "hawkes.";
/// What only the noise and tactical flow's part of a file has.
const REFERENCE: &str = "market_intensity.buy";

impl HawkesParams {
    /// Whether an order-flow file has the parameters of a Hawkes flow.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn is_in_npz(path: impl AsRef<Path>) -> Result<bool, NpzError> {
        Ok(NpzFile::open(path)?.keys().iter().any(|key| key.starts_with(PREFIX)))
    }

    /// Reads all parameters from an order-flow file that has them, alone or beside those of a noise or tactical flow.
    ///
    /// # Errors
    /// An error that names the file, the key and what was expected.
    pub fn from_npz(path: impl AsRef<Path>) -> Result<Self, NpzError> {
        let mut file = NpzFile::open(path)?;
        file.scalar_i64("format_version", FORMAT_VERSION..=FORMAT_VERSION)?;
        let reader = Reader { file: &mut file, prefix: PREFIX, read: Vec::new() };
        let params = read(reader)?;
        params.validate().map_err(|error| {
            NpzError::file(file.path(), NpzProblem::Parameter(error.within(PREFIX.trim_end_matches('.'))))
        })?;
        Ok(params)
    }

    /// Writes an order-flow file with these parameters alone, and where they came from.
    ///
    /// # Errors
    /// If the parameters are not legal, a name in `provenance` is no plain word, or writing fails. An existing file
    /// is replaced as a whole or left as it was.
    pub fn to_npz(
        &self,
        path: impl AsRef<Path>,
        errors: &StandardErrors,
        provenance: &Provenance,
    ) -> Result<(), NpzError> {
        self.validate().map_err(|error| NpzError::file(path.as_ref(), NpzProblem::Parameter(error)))?;
        let mut file = NpzWriter::create(&path)?;
        file.scalar_i64("format_version", FORMAT_VERSION)?;
        write_provenance(&mut file, path.as_ref(), provenance)?;
        write_shape(&mut file, &self.opening.shape)?;
        self.write(&mut file, errors)?;
        file.finish()
    }

    /// Adds the keys `hawkes.*`, and the standard errors, whose keys begin like that too, to a file that has a version and a shape. The shape of the opening
    /// book is the file's: its own is not written.
    ///
    /// # Errors
    /// If writing fails. Does not check the parameters.
    pub fn write(&self, file: &mut NpzWriter, errors: &StandardErrors) -> Result<(), NpzError> {
        // In full: a field that is added and forgotten here does not compile.
        let Self {
            baseline,
            excitation,
            decay,
            limit_distance,
            cancel_distance,
            market_size,
            limit_size,
            cancel_size,
            cancellation,
            opening,
            profile,
            empty_side,
        } = self;
        let key = |name: &str| format!("{PREFIX}{name}");
        file.array_f64(&key("baseline"), &[EVENT_TYPES], baseline)?;
        file.array_f64(&key("excitation"), &[EVENT_TYPES, EVENT_TYPES], excitation.as_flattened())?;
        file.array_f64(&key("decay"), &[EVENT_TYPES], decay)?;
        for (name, lists) in [("limit_distance", limit_distance), ("cancel_distance", cancel_distance)] {
            file.array_f64(&key(&format!("{name}.buy")), &[lists.buy.len()], &lists.buy)?;
            file.array_f64(&key(&format!("{name}.sell")), &[lists.sell.len()], &lists.sell)?;
        }
        write_size(file, &key("market_size"), market_size)?;
        write_size(file, &key("limit_size"), limit_size)?;
        match cancel_size {
            CancelSize::Lots(size) => {
                file.string(&key("cancel_size"), "lots")?;
                write_size(file, &key("cancel_size.lots"), size)?;
            }
            CancelSize::Share(share) => {
                file.string(&key("cancel_size"), "share")?;
                file.scalar_f64(&key("cancel_size.share"), *share)?;
            }
        }
        write_cancellation(file, PREFIX, *cancellation)?;
        write_opening(file, PREFIX, opening)?;
        write_profile(file, &key("profile"), profile)?;
        write_empty_side(file, PREFIX, empty_side)?;
        write_errors(file, errors)
    }
}

fn read(mut reader: Reader<'_>) -> Result<HawkesParams, NpzError> {
    let opening: Opening = reader.opening()?;
    let params = HawkesParams {
        baseline: numbers(&mut reader, "baseline", Domain::NonNegative)?,
        excitation: {
            let (key, six) = (reader.key("excitation"), Dim::Exactly(EVENT_TYPES));
            let entries = reader.file.array_f64(&key, &[six, six], Domain::NonNegative)?.data;
            std::array::from_fn(|row| std::array::from_fn(|column| entries[row * EVENT_TYPES + column]))
        },
        decay: numbers(&mut reader, "decay", Domain::Positive)?,
        limit_distance: reader.by_distance("limit_distance")?,
        cancel_distance: reader.by_distance("cancel_distance")?,
        market_size: reader.size("market_size")?,
        limit_size: reader.size("limit_size")?,
        cancel_size: match reader.choice("cancel_size", &["lots", "share"])? {
            "lots" => CancelSize::Lots(reader.size("cancel_size.lots")?),
            _ => CancelSize::Share(reader.number("cancel_size.share", Domain::Positive)?),
        },
        cancellation: reader.cancellation()?,
        opening,
        profile: reader.profile()?,
        empty_side: reader.empty_side()?,
    };
    let Reader { file, read, .. } = reader;
    let mut legal: Vec<&str> = read.iter().map(String::as_str).collect();
    legal.push("format_version");
    legal.extend(SHAPE);
    legal.push("provenance.*");
    // The other part of a file is checked by whoever reads that.
    let whole = file.contains(REFERENCE);
    // An error belongs to a parameter of the file.
    let is_error = |key: &str| key.strip_prefix(ERROR).is_some_and(|of| legal.contains(&of));
    file.refuse_unknown(&legal, |key| {
        legal.contains(&key)
            || key.starts_with(PROVENANCE)
            || is_error(key)
            || (whole && !key.starts_with(PREFIX))
    })?;
    Ok(params)
}

fn numbers(reader: &mut Reader<'_>, name: &str, domain: Domain) -> Result<[f64; EVENT_TYPES], NpzError> {
    let key = reader.key(name);
    let list = reader.file.array_f64(&key, &[Dim::Exactly(EVENT_TYPES)], domain)?.data;
    Ok(std::array::from_fn(|index| list[index]))
}
