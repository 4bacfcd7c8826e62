//! A PostgreSQL server of the bench's own, unless one is named.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const NAMED: &str = "ENTENTE_TEST_POSTGRES";

/// Whether a server is named.
pub fn is_named() -> bool {
    std::env::var(NAMED).is_ok_and(|url| !url.is_empty())
}

/// A server that ends with the bench.
pub struct Server {
    cluster: TempDir,
    programs: PathBuf,
    url: String,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("postgres://entente@127.0.0.1:{port}/postgres");
        let server = Self { cluster: tempfile::tempdir().unwrap(), programs: programs(), url };
        let folder = server.cluster.path().to_owned();
        if rustix::process::geteuid().is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
        }
        let data = folder.join("data");
        let data = data.to_str().unwrap();
        server.run("initdb", &["-D", data, "-A", "trust", "-U", "entente", "--no-sync"]);
        let options = format!("-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off", folder.display());
        let log = folder.join("log");
        server.run("pg_ctl", &["-D", data, "-w", "-l", log.to_str().unwrap(), "-o", &options, "start"]);
        server
    }

    /// Runs this program again with the server's name in its environment, where the harness finds it.
    pub fn run_with_it(&self) {
        let program = std::env::current_exe().unwrap();
        let done = Command::new(program).args(std::env::args().skip(1)).env(NAMED, &self.url).status().unwrap();
        assert!(done.success());
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        // It does not run as root.
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let done = command.args(arguments).current_dir(self.cluster.path()).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "{command:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.cluster.path().join("data");
        self.run("pg_ctl", &["-D", data.to_str().unwrap(), "-m", "immediate", "stop"]);
    }
}

/// Where the newest version's programs are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed; .ci/run does it");
    let version = |path: &Path| path.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok());
    let newest = versions.filter_map(|v| v.ok().map(|v| v.path())).max_by_key(|p| version(p)).unwrap();
    newest.join("bin")
}
