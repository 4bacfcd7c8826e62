//! The program, with a clock that tests can shift, coins that they can switch off, and batches of the size they like.

use entente_landing_zone as _;
use entente_object_storage as _;
use entente_sftp as _;
use entente_webhook as _;

fn main() -> std::process::ExitCode {
    entente::cli::main()
}
