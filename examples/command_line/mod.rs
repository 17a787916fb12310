//! The common parts of the examples' command lines: help, errors and exit codes.

use std::error::Error;
use std::process::ExitCode;

/// Runs a program: `parse` reads the arguments (`None` for `--help`), and `run` does the work.
///
/// The exit code is 0, 1 if the work failed, or 2 if the arguments are wrong.
pub(crate) fn main<Options>(
    help: &str,
    parse: impl FnOnce(lexopt::Parser) -> Result<Option<Options>, lexopt::Error>,
    run: impl FnOnce(Options) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let name = env!("CARGO_BIN_NAME");
    match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => match run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{name}: {error}");
                ExitCode::FAILURE
            }
        },
        Ok(None) => {
            print!("{help}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{name}: {error}\nTry {name} --help.");
            ExitCode::from(2)
        }
    }
}
