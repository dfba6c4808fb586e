//! Files that markets are made from.
//!
//! [`NpzFile`] reads and [`NpzWriter`] writes archives of NumPy arrays. Nothing in a file is ever executed, and no size
//! that a file declares is believed before it has been checked. [`market`] reads what exchanges publish.

mod array;
mod csv;
mod error;
mod header;
pub mod market;
mod npz;
mod write;

pub use array::{Array, Dim, Domain, RawArray};
pub use csv::{CsvError, read_csv_column};
pub use error::{NpzError, NpzProblem};
pub use npz::{DEFAULT_MAX_BYTES, NpzFile};
pub use write::NpzWriter;
