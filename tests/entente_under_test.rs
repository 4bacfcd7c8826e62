//! The program, with a clock that tests can shift and coins that they can switch off.

use entente_landing_zone as _;
use entente_webhook as _;

fn main() -> std::process::ExitCode {
    entente::cli::main()
}
