//! The program as somebody has it who installed it: in a folder with the plugins that come with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const PLUGINS: [&str; 2] = ["libentente_landing_zone.so", "libentente_webhook.so"];

/// The program in a folder of its own.
pub struct Installed(TempDir);

impl Installed {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let exe = Path::new(env!("CARGO_BIN_EXE_entente-under-test"));
        // Not a symbolic link: the program looks for plugins where its file is.
        let here = folder.path().join("entente");
        std::fs::hard_link(exe, &here).or_else(|_| std::fs::copy(exe, &here).map(drop)).unwrap();
        for plugin in PLUGINS {
            let built = exe.parent().unwrap();
            let places = [built.join("deps"), built.to_owned()].map(|folder| folder.join(plugin));
            let found = places.into_iter().find(|file| file.exists()).expect("the plugins are built with the tests");
            std::fs::copy(found, folder.path().join(plugin)).unwrap();
        }
        Self(folder)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn webhook(&self) -> PathBuf {
        self.folder().join("libentente_webhook.so")
    }

    /// The program, to be run.
    pub fn entente(&self) -> Command {
        let mut command = Command::new(self.folder().join("entente"));
        command.env_clear();
        command
    }
}
