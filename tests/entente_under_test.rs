//! The program, with a clock that tests can shift.

use entente_landing_zone as _;

fn main() -> std::process::ExitCode {
    entente::cli::main()
}
