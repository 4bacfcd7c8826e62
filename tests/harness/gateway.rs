//! A running gateway.

use super::{Client, Database, Kind};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What is not as usual about a gateway.
#[derive(Clone, Default)]
pub struct Options {
    /// Settings by their environment variable.
    pub settings: Vec<(&'static str, String)>,
}

/// A gateway process with its data folder and its database. It can be killed and started again.
pub struct Gateway {
    process: Option<Child>,
    pub url: String,
    operator: String,
    data: Arc<TempDir>,
    database: Arc<Database>,
    options: Options,
}

impl Gateway {
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(kind, Options::default()).await
    }

    pub async fn start_with(kind: Kind, options: Options) -> Self {
        let mut gateway = Self {
            process: None,
            url: String::new(),
            operator: String::new(),
            data: Arc::new(tempfile::tempdir().unwrap()),
            database: Arc::new(Database::new(kind)),
            options,
        };
        gateway.start_again();
        gateway
    }

    /// Another gateway on the same PostgreSQL and data folder.
    pub fn beside(&self) -> Self {
        let mut other = Self {
            process: None,
            url: String::new(),
            operator: self.operator.clone(),
            data: self.data.clone(),
            database: self.database.clone(),
            options: self.options.clone(),
        };
        other.start_again();
        other
    }

    /// What an operator backs up of a gateway that is stopped, and restores elsewhere: database, key and identities. The
    /// restored one is not started.
    pub fn restored(&self) -> Self {
        assert!(self.process.is_none(), "a gateway that runs is not copied file by file");
        let data = tempfile::tempdir().unwrap();
        for folder in ["secrets", "accounts"] {
            let done =
                Command::new("cp").arg("-a").arg(self.data.path().join(folder)).arg(data.path()).status().unwrap();
            assert!(done.success());
        }
        Self {
            process: None,
            url: String::new(),
            operator: String::new(),
            database: Arc::new(self.database.copy(self.data.path(), data.path())),
            data: Arc::new(data),
            options: self.options.clone(),
        }
    }

    /// Waits for the program to end by itself; whether it says that all went well.
    pub fn ended(&mut self) -> bool {
        let mut process = self.process.take().unwrap();
        let started = Instant::now();
        loop {
            match process.try_wait().unwrap() {
                Some(status) => return status.success(),
                None => assert!(started.elapsed() < Duration::from_secs(30), "the gateway does not end"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a command of the program, with more in its environment; whether it succeeded, and all that it said.
    pub fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
        let mut command = self.command();
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Starts the program on what is there, with other settings.
    pub fn start_again_with(&mut self, options: Options) {
        self.options = options;
        self.start_again();
    }

    /// Starts the program on what is there.
    pub fn start_again(&mut self) {
        let mut process = self.command().arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let started = Instant::now();
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, url)) = line.split_once("GraphQL API") {
                self.url = url.trim().trim_end_matches("/graphql").to_owned();
            }
            if let Some((_, token)) = line.split_once("Operator key") {
                self.operator = token.trim().to_owned();
            }
            if line.contains("Ctrl-C") {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the gateway does not start");
        }
        assert!(!self.url.is_empty(), "the gateway ended: {}", self.log());
        std::thread::spawn(move || lines.for_each(drop));
        self.process = Some(process);
    }

    /// The program, with its settings and nothing else in its environment.
    pub fn command(&self) -> Command {
        let exe = env!("CARGO_BIN_EXE_entente-under-test");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = Command::new(exe);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ENTENTE_LISTEN", "127.0.0.1:0")
            .env("ENTENTE_DATA", self.data.path())
            .env("ENTENTE_PLUGINS", self.plugins())
            .env("DATABASE_URL", self.database.url(self.data.path()))
            .env("TEST_CLOCK_FILE", self.clock_path())
            .envs(self.options.settings.iter().map(|(k, v)| (*k, v.clone())))
            .stderr(log);
        command
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Asks it to stop; how long that took.
    pub fn stop(&mut self) -> Duration {
        let mut process = self.process.take().unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        let asked = Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(process.wait().unwrap().success());
        asked.elapsed()
    }

    /// Allows a plugin that the build made and that is not allowed by itself, and starts the program again with it.
    pub fn allow(&mut self, plugin: &str) {
        let file = self.plugins().join(plugin);
        std::fs::copy(built(plugin), &file).unwrap();
        let (allowed, said) = self.run(&["plugin", "allow", file.to_str().unwrap()], &[]);
        assert!(allowed, "{said}");
        self.stop();
        self.start_again();
    }

    /// The process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Lets time pass for the program, by the clock that says what time it is; what it waits for takes as long as ever.
    pub fn pass(&self, time: Duration) {
        let passed = std::fs::read_to_string(self.clock_path()).map_or(0, |text| text.parse().unwrap());
        let next = self.clock_path().with_extension("next");
        std::fs::write(&next, (passed + time.as_millis()).to_string()).unwrap();
        std::fs::rename(next, self.clock_path()).unwrap();
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    fn clock_path(&self) -> PathBuf {
        self.data.path().join("clock")
    }

    fn log_path(&self) -> PathBuf {
        self.data.path().join("log")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub fn operator(&self) -> Client {
        Client::new(&self.url, &self.operator)
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, "")
    }

    /// A new user.
    pub async fn user(&self, name: &str) -> Client {
        let email = format!("{}-{}@example.com", name.to_lowercase().replace(' ', "."), uuid::Uuid::now_v7().simple());
        let made = self
            .operator()
            .mutate(
                "mutation($input: CreateUserInput!) { createUser(input: $input) { token userErrors { code message } } }",
                serde_json::json!({ "email": email, "name": name }),
            )
            .await;
        Client::new(&self.url, made["token"].as_str().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(3_000);
            eprintln!("the gateway's log ends:\n{}", log.get(from..).unwrap_or(&log));
        }
    }
}

impl Gateway {
    /// A folder with the bundled plugins and nothing else.
    fn plugins(&self) -> PathBuf {
        let folder = self.data.path().join("program");
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            for plugin in PLUGINS {
                std::fs::copy(built(plugin), folder.join(plugin)).unwrap();
            }
        }
        folder
    }
}

const PLUGINS: [&str; 2] = ["libentente_landing_zone.so", "libentente_webhook.so"];

/// Where the build put a plugin.
pub fn built(plugin: &str) -> PathBuf {
    let exe = Path::new(env!("CARGO_BIN_EXE_entente-under-test"));
    let folder = exe.parent().unwrap();
    let found = [folder.join("deps"), folder.to_owned()].map(|f| f.join(plugin)).into_iter().find(|f| f.exists());
    found.expect("the plugins are built with the tests")
}
