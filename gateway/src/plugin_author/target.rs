//! What the commands share: the plugin's file, the settings to use it with, and what the operator would allow.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use entente_destination::{Description, Operator, Reaches};
use indicatif::ProgressBar;
use ipnet::IpNet;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::destinations::confinement::Reach;
use crate::destinations::contract::{Launcher, WorkerError};
use crate::destinations::plugin::FileHash;
use crate::destinations::process::{PluginFile, ProcessLauncher, Workers};

/// The most bytes of settings.
const MAX_SETTINGS: u64 = 1024 * 1024;

/// What an operator would allow a destination.
#[derive(Debug, Args)]
pub struct OperatorOptions {
    /// A network that is not public and may be sent to all the same, such as 127.0.0.0/8; may be repeated
    #[arg(long, value_name = "CIDR")]
    allow_network: Vec<IpNet>,
    /// The folder of this machine below which the plugin may write; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    local_root: Option<PathBuf>,
}

impl OperatorOptions {
    /// What it says, with the folder made.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn operator(&self) -> io::Result<Operator> {
        let local_root = self.local_root.as_ref().map(std::path::absolute).transpose()?;
        local_root.as_ref().map(std::fs::create_dir_all).transpose()?;
        Ok(Operator { local_root, networks: self.allow_network.clone(), ..Operator::default() })
    }

    /// The folder that the plugin may write to.
    pub fn local_root(&self) -> Option<&Path> {
        self.local_root.as_deref()
    }
}

/// A command cannot use a file that it was given.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The settings are no JSON. What is in them is not told.
    #[error("the settings are not JSON: line {line}, column {column}")]
    NoJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// Starts workers for a plugin's file as it is now, which nobody needs to have allowed: it is the author's own.
///
/// # Errors
/// [`TargetError`].
pub fn launcher(file: &Path) -> Result<ProcessLauncher, TargetError> {
    let unread = |error| TargetError::Io { path: file.to_owned(), error };
    let hash = FileHash::of(file).map_err(unread)?;
    let plugin = PluginFile { file: std::path::absolute(file).map_err(unread)?, hash };
    Ok(ProcessLauncher { workers: Workers::of_this_program().map_err(unread)?, plugin })
}

/// Asks a plugin what it is. It reaches nothing meanwhile.
///
/// # Errors
/// [`WorkerError`].
pub async fn describe(launcher: &dyn Launcher) -> Result<Description, WorkerError> {
    launcher.launch(&Reach::default()).await?.describe().await
}

/// What a plugin says it reaches, for people.
pub fn reaches(of: &Reaches) -> String {
    let hosts = match of.hosts.as_slice() {
        [] => "connects to no host".to_owned(),
        hosts if hosts.iter().any(|host| host == "*") => "connects to any host that its settings name".to_owned(),
        hosts => format!("connects to {}", hosts.join(", ")),
    };
    let folder = if of.folder { "writes into the folder set aside for it" } else { "writes no files" };
    format!("it {hosts}, and {folder}")
}

/// Reads settings from a file, or from standard input where it is `-`.
///
/// # Errors
/// [`TargetError`].
pub fn settings(path: &Path) -> Result<Value, TargetError> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(MAX_SETTINGS + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_SETTINGS + 1).read_to_string(&mut text))
    };
    let unread = |error| TargetError::Io { path: path.to_owned(), error };
    if read.map_err(unread)? as u64 > MAX_SETTINGS {
        return Err(unread(io::ErrorKind::FileTooLarge.into()));
    }
    serde_json::from_str(&text).map_err(|error| TargetError::NoJson { line: error.line(), column: error.column() })
}

/// Shows what the plugin prints, and what a delivery waits for, above the progress bar.
pub fn show_events(bar: &ProgressBar) {
    let events = tracing_subscriber::fmt()
        .with_env_filter("entente::destinations=info")
        .with_writer(Above(bar.clone()))
        .without_time()
        .with_target(false)
        .with_level(false);
    // Where something listens already, as in tests, it goes on.
    let _ = events.try_init();
}

/// Standard error above a progress bar.
#[derive(Clone)]
struct Above(ProgressBar);

impl<'a> MakeWriter<'a> for Above {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn settings_are_json_and_never_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        std::fs::write(&path, r#"{"token": "s3cret"}"#).unwrap();
        assert_eq!(settings(&path).unwrap()["token"], "s3cret");
        std::fs::write(&path, "{\"token\":\n s3cret}").unwrap();
        assert_eq!(settings(&path).unwrap_err().to_string(), "the settings are not JSON: line 2, column 2");
        std::fs::write(&path, [b'1'; MAX_SETTINGS as usize + 1]).unwrap();
        assert!(matches!(settings(&path), Err(TargetError::Io { .. })));
        std::fs::write(&path, [0xff]).unwrap();
        assert!(matches!(settings(&path), Err(TargetError::Io { .. })));
    }
}
