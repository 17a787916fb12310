//! The values of options.

use std::error::Error;
use std::str::FromStr;

use lexopt::ValueExt as _;

/// Parses the value of an option; an error names the option.
pub(crate) fn value<T>(arguments: &mut lexopt::Parser, option: &str) -> Result<T, lexopt::Error>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
{
    let value = arguments.value()?;
    value.parse().map_err(|error| format!("--{option}: {error}").into())
}
