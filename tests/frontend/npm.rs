//! Packages of JavaScript that `.ci/run` installs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of a package, from the top of the project, where what it needs is installed; it has to be where
/// `ENTENTE_TEST_REQUIRE` is set.
pub fn package(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let found = folder.join("node_modules").exists();
    if !found {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "{name}/node_modules is missing");
        eprintln!("left out: {name}/node_modules is not on this machine; .ci/run installs it");
    }
    found.then_some(folder)
}

/// Runs a program in a package; whether it succeeded, and all that it said.
pub fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
