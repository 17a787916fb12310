//! The values of options.

use std::error::Error;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::str::FromStr;

use lexopt::ValueExt as _;

/// Parses the value of an option; an error names the option, and what its value should be.
pub(crate) fn value<T>(arguments: &mut lexopt::Parser, option: &str) -> Result<T, lexopt::Error>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
{
    let value = arguments.value()?;
    value.parse().map_err(|error| format!("--{option}: {}", explained(error)).into())
}

/// The standard library's errors do not say that a number has no unit.
fn explained(error: lexopt::Error) -> lexopt::Error {
    let lexopt::Error::ParsingFailed { value, error } = error else { return error };
    let wanted = match error.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::Zero) => "1 or more",
        Some(IntErrorKind::PosOverflow) => "a smaller number",
        Some(_) => "a whole number without a unit, such as 10",
        None if error.is::<ParseFloatError>() => "a number without a unit, such as 0.5",
        None => return lexopt::Error::ParsingFailed { value, error },
    };
    format!("{value:?} should be {wanted}").into()
}
