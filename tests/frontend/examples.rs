//! The frontends in `docs/examples`.

use crate::{
    demo::{Company, Demo},
    npm::{package, run},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

const EXAMPLES: [&str; 3] = ["apollo", "urql", "relay"];
/// As many connections as a page shows.
const OTHERS: usize = 5;

/// Each is built as it stands, and in a browser signs in, lists connections, follows their events, through a socket that is
/// cut, and reads Discover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_are_built_and_work_in_a_browser() {
    let examples: Option<Vec<_>> = EXAMPLES.iter().map(|name| package(&format!("docs/examples/{name}"))).collect();
    let (Some(examples), Some(browser)) = (examples, package("tests/browser")) else { return };
    let demo = Demo::start();
    let (luma, tv_tube) = (demo.company("Luma").await, demo.company("TV Tube").await);
    luma.connect(&tv_tube, "Spring").await;
    for number in 1..=OTHERS {
        luma.invite(&demo.new_publisher(&format!("Publisher {number}")).await).await;
    }
    for (name, folder) in EXAMPLES.iter().zip(&examples) {
        let (built, said) = run(folder, "npm", &["run", "build"]);
        assert!(built, "{said}");
        let page = Page::serve(folder, demo.url());
        drive(&demo, &luma, Driver::start(&browser, &page.url, &luma, &screenshot(name)), name).await;
        assert_screenshot(&screenshot(name));
    }
}

/// Lets happen what the page is to see.
async fn drive(demo: &Demo, luma: &Company, mut driver: Driver, name: &str) {
    let waiting = demo.new_publisher(&format!("Waiting for {name}")).await;
    let invited = luma.invite(&waiting).await;
    driver.says("following");
    // When a subscription has begun nothing tells; so something happens until the page has seen it.
    let mut news = vec![];
    while news.is_empty() || !driver.says_within("live", Duration::from_secs(1)) {
        assert!(news.len() < 20, "{name} sees no event");
        news.push(format!("News {} for {name}", news.len()));
        luma.invite(&demo.new_publisher(&news[news.len() - 1]).await).await;
    }
    driver.says("dropped");
    waiting.accept_invite(&invited).await;
    driver.go_on();
    let text = driver.rest();
    for expected in [
        &format!("Waiting for {name}\tPUBLISHER\tSETTINGS_TO_PROPOSE"),
        &format!("{}\tPUBLISHER\tINVITE_SENT", news[news.len() - 1]),
        "TV Tube\tPUBLISHER\tACTIVE",
        "Publisher 1\tPUBLISHER\tINVITE_SENT",
        &format!("INVITE_ACCEPTED Waiting for {name}"),
        "Discover: Spring",
        "Sports fans",
        " identities ± ",
    ] {
        assert!(text.contains(expected), "{name}: {expected} is not in\n{text}");
    }
    assert_eq!(text.matches("INVITE_ACCEPTED").count(), 1, "{name} shows an event twice:\n{text}");
}

fn screenshot(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("frontend-{name}.png"))
}

fn assert_screenshot(path: &Path) {
    let picture = std::fs::read(path).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > 20_000, "{}", picture.len());
}

/// A built example, served as behind one proxy with the gateway.
struct Page {
    process: Child,
    url: String,
}

impl Page {
    fn serve(folder: &Path, gateway: &str) -> Self {
        let mut process = Command::new("node")
            .args(["node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1"])
            .current_dir(folder)
            .env("ENTENTE_URL", gateway)
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| Some(line.split_once("Local:")?.1.trim().to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: url.expect("it says where it serves") }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `tests/browser/frontend.mjs`.
struct Driver {
    process: Child,
    says: Receiver<String>,
}

impl Driver {
    fn start(folder: &Path, page: &str, company: &Company, screenshot: &Path) -> Self {
        let mut process = Command::new("node")
            .args(["frontend.mjs", page, &company.client.token, screenshot.to_str().unwrap()])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, says) = channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, says }
    }

    /// Waits for a line; whether it came.
    fn says_within(&mut self, word: &str, time: Duration) -> bool {
        match self.says.recv_timeout(time) {
            Ok(line) if line == word => true,
            Err(RecvTimeoutError::Timeout) => false,
            Ok(line) => panic!("it says {line}, not {word}: {}", self.complaints()),
            Err(RecvTimeoutError::Disconnected) => panic!("it ended before it said {word}: {}", self.complaints()),
        }
    }

    fn says(&mut self, word: &str) {
        assert!(self.says_within(word, Duration::from_secs(60)), "it does not say {word}");
    }

    fn go_on(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// The page's text, once all was seen.
    fn rest(&mut self) -> String {
        let text: Vec<_> = self.says.iter().collect();
        let passed = self.process.wait().unwrap().success();
        assert!(passed, "{}\n{}", self.complaints(), text.join("\n"));
        text.join("\n")
    }

    fn complaints(&mut self) -> String {
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
