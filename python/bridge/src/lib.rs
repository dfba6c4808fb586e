//! What the two Python extensions have in common: [`settings`] from Python and back, [`errors`] as exceptions, and long calls that
//! Ctrl-C can end ([`interrupt`]).

pub mod errors;
pub mod interrupt;
pub mod settings;
