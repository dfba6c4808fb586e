//! Arguments from Python, with errors that name the argument, its value and what is legal.

use lob::{Nanos, Owner, Price, Quantity, SelfTradePrevention, Side, TimeInForce};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The names of the sides, by their codes.
pub(crate) const SIDES: [&str; 2] = ["buy", "sell"];
/// The names of times in force, by their codes.
pub(crate) const TIMES_IN_FORCE: [&str; 4] = ["gtc", "ioc", "fok", "gtd"];
/// The names of the modes of self-trade prevention, by their codes.
pub(crate) const SELF_TRADE_PREVENTIONS: [&str; 5] =
    ["allow", "cancel_newest", "cancel_oldest", "cancel_both", "decrement"];

/// The modes of self-trade prevention, by their codes.
pub(crate) const MODES: [SelfTradePrevention; 5] = [
    SelfTradePrevention::Allow,
    SelfTradePrevention::CancelNewest,
    SelfTradePrevention::CancelOldest,
    SelfTradePrevention::CancelBoth,
    SelfTradePrevention::Decrement,
];

pub(crate) fn shown(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| "of a type without repr()".to_owned(), |text| text.to_string())
}

/// A `ValueError` in the form of all of them.
pub(crate) fn illegal(key: &str, value: impl std::fmt::Display, legal: &str) -> PyErr {
    PyValueError::new_err(format!("{key} is {value}; legal: {legal}"))
}

/// A number: `TypeError` for what is none, `ValueError` for one out of the type's range.
pub(crate) fn number<'py, T: for<'a> FromPyObject<'a, 'py>>(
    key: &str,
    value: &Bound<'py, PyAny>,
    legal: &str,
) -> PyResult<T> {
    value.extract::<T>().map_err(|error| {
        let error: PyErr = error.into();
        let text = format!("{key} is {}; legal: {legal}", shown(value));
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            PyValueError::new_err(text)
        } else {
            PyTypeError::new_err(text)
        }
    })
}

/// A code or its name.
fn code(key: &str, value: &Bound<'_, PyAny>, names: &[&str]) -> PyResult<usize> {
    let legal = || {
        let each = names.iter().enumerate().map(|(code, name)| format!("{name:?} ({code})"));
        each.collect::<Vec<_>>().join(", ")
    };
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_string();
        return names
            .iter()
            .position(|name| *name == text)
            .ok_or_else(|| illegal(key, format_args!("{text:?}"), &legal()));
    }
    let found: u64 = number(key, value, &legal())?;
    usize::try_from(found)
        .ok()
        .filter(|&code| code < names.len())
        .ok_or_else(|| illegal(key, found, &legal()))
}

/// A side: `"buy"` (0) or `"sell"` (1).
pub(crate) fn side(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Side> {
    Ok(Side::BOTH[code(key, value, &SIDES)?])
}

/// A side or `None` for both.
pub(crate) fn either_side(key: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Side>> {
    value.map(|value| side(key, value)).transpose()
}

/// A price in ticks.
pub(crate) fn price(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Price> {
    Ok(Price(number(key, value, "an integer number of ticks of 64 bits")?))
}

/// A quantity in lots. Zero goes through: the book refuses it, with a reason.
pub(crate) fn quantity(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Quantity> {
    Ok(Quantity(number(key, value, "an integer number of lots from 0 to 2^64 - 1")?))
}

/// An owner's number.
pub(crate) fn owner(value: &Bound<'_, PyAny>) -> PyResult<Owner> {
    Ok(Owner(number("owner", value, "an integer from 0 to 2^32 - 1, below the book's max_owners")?))
}

/// A time in nanoseconds.
pub(crate) fn nanos(key: &str, value: &Bound<'_, PyAny>) -> PyResult<Nanos> {
    Ok(Nanos(number(key, value, "an integer number of nanoseconds from 0 to 2^64 - 1")?))
}

/// A time in force with its expiry, which good-till-date orders have and no others.
pub(crate) fn time_in_force(
    value: &Bound<'_, PyAny>,
    expiry: Option<&Bound<'_, PyAny>>,
) -> PyResult<TimeInForce> {
    let code = code("time_in_force", value, &TIMES_IN_FORCE)?;
    match (code, expiry) {
        (3, Some(expiry)) => Ok(TimeInForce::Gtd(nanos("expiry", expiry)?)),
        (3, None) => Err(illegal("expiry", "None", "a time in nanoseconds, as time_in_force is \"gtd\"")),
        (_, Some(expiry)) => Err(illegal("expiry", shown(expiry), "None, unless time_in_force is \"gtd\"")),
        (1, None) => Ok(TimeInForce::Ioc),
        (2, None) => Ok(TimeInForce::Fok),
        _ => Ok(TimeInForce::Gtc),
    }
}

/// A mode of self-trade prevention.
pub(crate) fn self_trade_prevention(key: &str, value: &Bound<'_, PyAny>) -> PyResult<SelfTradePrevention> {
    Ok(MODES[code(key, value, &SELF_TRADE_PREVENTIONS)?])
}

/// A whole number of a range.
pub(crate) fn count(key: &str, value: &Bound<'_, PyAny>, least: u64, most: u64) -> PyResult<u64> {
    let legal = format!("an integer from {least} to {most}");
    let found: u64 = number(key, value, &legal)?;
    if (least..=most).contains(&found) { Ok(found) } else { Err(illegal(key, found, &legal)) }
}

/// A float, or its default.
pub(crate) fn float(key: &str, value: Option<&Bound<'_, PyAny>>, default: f64) -> PyResult<f64> {
    value.map_or(Ok(default), |value| number(key, value, "a number"))
}
