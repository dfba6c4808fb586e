//! The event layout of the hftbacktest package: an npz archive whose array `data` has 64-byte records `ev` (u8), `exch_ts`,
//! `local_ts` (i8), `px`, `qty` (f8), `order_id` (u8), `ival` (i8), `fval` (f8). See docs/data_format.md, "Market events".

mod read;
mod sort;
mod write;

pub use read::HftReader;
pub use write::{EventsWriter, WrittenEvents, write_events};

/// The fields of a record.
const FIELDS: [(&str, &str); 8] = [
    ("ev", "<u8"),
    ("exch_ts", "<i8"),
    ("local_ts", "<i8"),
    ("px", "<f8"),
    ("qty", "<f8"),
    ("order_id", "<u8"),
    ("ival", "<i8"),
    ("fval", "<f8"),
];

/// Bytes of a record.
const RECORD: usize = 64;

/// The package's numbers: the kind is the lowest byte of `ev`, the rest are flags.
mod code {
    pub(super) const DEPTH: u64 = 1;
    pub(super) const TRADE: u64 = 2;
    pub(super) const DEPTH_CLEAR: u64 = 3;
    pub(super) const DEPTH_SNAPSHOT: u64 = 4;
    pub(super) const DEPTH_BBO: u64 = 5;
    pub(super) const ADD_ORDER: u64 = 10;
    pub(super) const CANCEL_ORDER: u64 = 11;
    pub(super) const MODIFY_ORDER: u64 = 12;
    pub(super) const FILL: u64 = 13;
    pub(super) const EXCH: u64 = 1 << 31;
    pub(super) const LOCAL: u64 = 1 << 30;
    pub(super) const BUY: u64 = 1 << 29;
    pub(super) const SELL: u64 = 1 << 28;
}

/// `ival` of a record that this crate wrote: what the package's kinds cannot say. Bit 0 is set, then the kind (8 bits) and flags (8 bits);
/// bit 17: a record that only the package needs.
const OURS: i64 = 1;
const FOR_PACKAGE: i64 = 1 << 17;
