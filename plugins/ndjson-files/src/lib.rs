//! Compiles the plugin for tests. The plugin itself is C: see `plugin.c`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the sources and their Makefile are.
const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// Whether there are a C compiler, make and jansson on this machine.
pub fn can_be_compiled() -> bool {
    let succeeds = |command: &mut Command| {
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        silent.status().is_ok_and(|status| status.success())
    };
    succeeds(Command::new("make").arg("--version"))
        && succeeds(Command::new("cc").args(["-E", "-include", "jansson.h", "-x", "c", "-"]))
}

/// Compiles the plugin into `folder`, with every warning an error; `flags` are the compiler's. The plugin's file.
///
/// # Errors
/// What make and the compiler say where it does not compile.
pub fn compile(folder: &Path, flags: &str) -> io::Result<PathBuf> {
    let out = format!("OUT={}", folder.display());
    let mut make = Command::new("make");
    make.args(["-C", SOURCES, &out, &format!("CFLAGS=-Werror {flags}")]);
    make.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = make.output()?;
    if output.status.success() {
        return Ok(folder.join("libentente_ndjson_files.so"));
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}
