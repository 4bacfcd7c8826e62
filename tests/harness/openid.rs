//! A real OpenID provider on this machine: one process for all tests.

use super::tool_is_there;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

/// What the provider knows the gateways by.
pub const CLIENT: (&str, &str) = ("entente", "a secret of these tests");

pub struct OpenId {
    pub issuer: String,
    /// It ends when this is closed, as happens when the tests end.
    _stdin: ChildStdin,
    _stdout: BufReader<ChildStdout>,
    _process: Child,
}

/// The provider, or `None` where it is not on this machine.
pub fn openid() -> Option<&'static OpenId> {
    static PROVIDER: OnceLock<Option<OpenId>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulators");
        folder.join("node_modules/oidc-provider").exists().then(|| start(folder)).flatten()
    });
    tool_is_there("tests/emulators/node_modules/oidc-provider", provider.is_some())
        .then_some(provider.as_ref())
        .flatten()
}

fn start(folder: PathBuf) -> Option<OpenId> {
    let mut command = Command::new("node");
    command.arg("openid.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().ok()?;
    let (stdin, mut stdout) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
    let mut line = String::new();
    stdout.read_line(&mut line).ok()?;
    let issuer = line.trim().strip_prefix("listens on ")?.to_owned();
    Some(OpenId { issuer, _stdin: stdin, _stdout: stdout, _process: process })
}
