//! The program `entente`.

fn main() -> std::process::ExitCode {
    entente::cli::main()
}
