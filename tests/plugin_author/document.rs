//! From nothing to a delivery, timed.

use crate::{client::Client, command::Installed};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long all of it may take, on a machine that does other things meanwhile.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// The blocks of a document in one language.
fn blocks(file: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The GraphQL operations of a document, by name.
fn operations(file: &str) -> BTreeMap<String, String> {
    let name =
        |document: &String| document.split_whitespace().nth(1).unwrap().split(['(', '{']).next().unwrap().to_owned();
    blocks(file, "graphql").into_iter().map(|document| (name(&document), document)).collect()
}

/// A shell in a clean folder, with nothing in its environment but what somebody has who installed Rust and the program.
struct Shell {
    folder: TempDir,
    installed: Installed,
    started: Vec<Child>,
}

impl Shell {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), installed: Installed::new(), started: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs the blocks one after another in one shell, up to the first that fails; what they printed, and how long each
    /// took goes to the test's output. What they started goes on.
    fn run(&mut self, folder: &str, blocks: &[String]) -> String {
        let step = |block: &String| format!("{block}\necho \"<< $SECONDS s\"\n");
        let script: String = blocks.iter().map(step).collect();
        let output = self.path("output");
        let log = File::create(&output).unwrap();
        let path = format!("{}:{}", self.installed.folder().display(), std::env::var("PATH").unwrap());
        let home = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
        let shell = Command::new("bash")
            .args(["-euxo", "pipefail", "-c", &script])
            .current_dir(self.path(folder))
            .env_clear()
            .envs(home.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("PATH", path)
            .env("ENTENTE_LISTEN", "127.0.0.1:0")
            // The crates were all fetched for the workspace, and are compiled once for all runs of this test.
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_BUILD_BUILD_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-plugin"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn();
        self.started.push(shell.unwrap());
        let shell = self.started.last_mut().unwrap();
        let began = Instant::now();
        let status = loop {
            match shell.try_wait().unwrap() {
                Some(status) => break status,
                None if began.elapsed() > PATIENCE => break shell.kill().and_then(|()| shell.wait()).unwrap(),
                None => std::thread::sleep(Duration::from_millis(100)),
            }
        };
        let printed = self.read("output");
        assert!(status.success(), "{status}: {printed}\n{}", self.read("gateway/gateway.log"));
        printed
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for shell in &self.started {
            // The endpoint and the gateway are in the groups of the shells that started them.
            let _ = rustix::process::kill_process_group(
                rustix::process::Pid::from_child(shell),
                rustix::process::Signal::KILL,
            );
        }
    }
}

/// A company of the demo.
struct Company {
    client: Client,
    operations: BTreeMap<String, String>,
    account: String,
}

impl Company {
    async fn of(log: &str, name: &str) -> Self {
        let url = log.lines().find_map(|line| line.split_once("GraphQL API")).unwrap().1.trim();
        let line = log.lines().find(|line| line.trim_start().starts_with(name) && line.contains("Bearer")).unwrap();
        let key = line.split("Bearer ").nth(1).unwrap().split('"').next().unwrap();
        let files = ["README.md", "docs/workflows.md", "docs/destinations.md"];
        let operations = files.into_iter().flat_map(operations).collect();
        let client = Client::new(url.trim_end_matches("/graphql"), key);
        let mut company = Self { client, operations, account: String::new() };
        let viewer = company.press("Start", json!({})).await;
        company.account = text(&viewer["accounts"]["nodes"][0]["id"]);
        company
    }

    /// Runs an operation of the documents as this company; the value of its field.
    async fn press(&self, name: &str, mut variables: Value) -> Value {
        variables["me"] = json!(self.account);
        let document = &self.operations[name];
        if !document.contains("$me") {
            variables.as_object_mut().unwrap().remove("me");
        }
        let answer = self.client.ask(document, variables).await;
        assert!(answer.get("errors").is_none(), "{name}: {answer}");
        let field = answer["data"].as_object().unwrap().values().next().unwrap().clone();
        assert!(field.get("userErrors").is_none_or(|errors| *errors == json!([])), "{name}: {field}");
        field
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Connects Luma and TV Tube and lets Luma send an audience; its id for TV Tube.
async fn send(luma: &Company, tv_tube: &Company) -> String {
    let directory = luma.press("Directory", json!({})).await;
    let found = directory["nodes"].as_array().unwrap().iter().find(|one| one["name"] == "TV Tube").unwrap();
    let invited = luma.press("Invite", json!({ "tvTube": found["id"] })).await;
    let connection = json!({ "connection": invited["connection"]["id"] });
    for (company, name) in [(tv_tube, "Accept"), (luma, "Propose"), (tv_tube, "Agree")] {
        company.press(name, connection.clone()).await;
    }
    let project = luma.press("Project", connection).await;
    let audience = luma.press("Mine", json!({})).await["audiences"]["nodes"][0]["id"].clone();
    luma.press("Send", json!({ "project": project["project"]["id"], "audience": audience })).await;
    text(&tv_tube.press("Received", json!({})).await["receivedAudiences"]["nodes"][0]["id"])
}

/// Sets the destination up and activates what Luma sent; how many rows were delivered.
async fn activate(log: &str, settings: &str) -> u64 {
    let (luma, tv_tube) = (Company::of(log, "Luma").await, Company::of(log, "TV Tube").await);
    let settings: Value = serde_json::from_str(settings).unwrap();
    let made = tv_tube.press("MyCrm", json!({ "settings": settings })).await;
    let sent = send(&luma, &tv_tube).await;
    let today = chrono::Utc::now().date_naive().to_string();
    let variables = json!({ "sent": sent, "destination": made["destination"]["id"], "today": today });
    let activation = json!({ "activation": tv_tube.press("Activate", variables).await["activation"]["id"] });
    let query = &tv_tube.operations["Delivered"];
    let ended = |data: &Value| !["SCHEDULED", "DELIVERING"].contains(&data["node"]["status"].as_str().unwrap());
    let activation = &tv_tube.client.until(query, activation, ended).await["node"];
    assert_eq!(activation["status"], "DELIVERED", "{activation}");
    activation["delivered"].as_u64().unwrap()
}

/// Rows that the endpoint said it was sent, in its lines from `from` on.
fn added(log: &str, from: usize) -> u64 {
    let rows = |line: &str| line.strip_prefix("POST 200 ")?.split(' ').next()?.parse::<u64>().ok();
    log.lines().skip(from).filter_map(rows).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_nothing_to_a_delivery() {
    let mut shell = Shell::new();
    let steps = blocks("docs/destinations.md", "sh");
    let (last, steps) = steps.split_last().unwrap();
    let began = Instant::now();
    let printed = shell.run("", steps);
    let seconds: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix("<< ")).collect();
    for said in [
        "test result: ok",
        "ok      it is a plugin",
        "ok      `token` as array is refused",
        "ok      the endpoint is asked: it takes the settings",
        "ok      the endpoint is asked: AUTH",
        "1 batches answered: 4 of 4 rows accepted, 0 rejected",
        "200000 rows in 4 batches: 200000 accepted, 0 rejected",
        "allowed libmy_crm.so",
    ] {
        assert!(printed.contains(said), "`{said}` is missing: {printed}");
    }
    assert!(!printed.contains("FAILED") && !printed.contains("warning"), "{printed}");
    let log = shell.read("my-crm/endpoint.log");
    assert!(log.contains("POST 200 3 rows added, 1 removed"), "{log}");

    let lines = log.lines().count();
    let delivered = activate(&shell.read("gateway/gateway.log"), &shell.read("my-crm/settings.json")).await;
    let took = began.elapsed();
    shell.run("gateway", std::slice::from_ref(last));
    assert!(delivered > 0);
    assert_eq!(added(&shell.read("my-crm/endpoint.log"), lines), delivered);
    println!(
        "from nothing to a delivery of {delivered} rows in {} s; its steps ended after {seconds:?}",
        took.as_secs()
    );
}
