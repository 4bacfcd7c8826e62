//! 10,000 subscribers of 100 accounts on one gateway: from an event in each account until the last of them has it, beside a
//! bare axum WebSocket that sends everybody text of the same size. `cargo bench --workspace --bench subscribers`; takes some
//! minutes and needs Linux, PostgreSQL and 10,500 open files for each of two processes. A number after `--` is how many
//! subscribers.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "what tests need and this does not")]
mod harness;
#[path = "../people.rs"]
#[expect(dead_code, reason = "what tests need and this does not")]
mod people;
#[path = "page_of_connections/postgres.rs"]
mod postgres;
#[path = "../stories.rs"]
#[expect(dead_code, reason = "what tests need and this does not")]
mod stories;

use axum::{
    Router,
    body::Bytes,
    extract::{
        State,
        ws::{Message as Sent, Utf8Bytes, WebSocketUpgrade},
    },
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use harness::{Gateway, Kind, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use stories::{Party, uuid_of};
use tokio::{net::TcpStream, sync::broadcast, sync::mpsc, task::JoinSet};
use tokio_postgres::NoTls;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

const SUBSCRIBERS: usize = 10_000;
const ACCOUNTS: usize = 100;
/// Events in each account that are measured, and those before them that are not.
const ROUNDS: usize = 10;
const WARM_UP: usize = 3;
/// The two servers take turns, since both at a time would be twice the open files.
const TURNS: usize = 2;
/// Sockets that are opened at a time.
const OPENING: usize = 64;
/// With this argument the program is the bare server.
const BARE: &str = "bare-axum";

const DOCUMENT: &str = "subscription($a: ID!, $after: String) { connectionEvents(accountId: $a, after: $after) {
    cursor kind at connection { id state standing(accountId: $a) } } }";

/// Another event in each account, like its first one.
const EVENT: &str = "WITH numbered AS (UPDATE event_counters SET last_number = last_number + 1
    WHERE account_id = ANY($1) RETURNING account_id, last_number),
    written AS (INSERT INTO events (account_id, number, stream, what, subject_kind, subject_id, at)
        SELECT account_id, numbered.last_number, stream, what, subject_kind, subject_id, now()
        FROM numbered JOIN events USING (account_id) WHERE number = 1 RETURNING account_id)
    SELECT pg_notify('entente_events', account_id) FROM written";

type Socket = WebSocketStream<TcpStream>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if arguments.iter().any(|a| a == BARE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(serve_barely());
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let subscribers = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(SUBSCRIBERS);
    let files = limit.maximum.map_or(usize::MAX, |files| files as usize);
    assert!(subscribers + 500 <= files, "only {files} files may be open; ask for fewer subscribers");
    if !postgres::is_named() {
        return postgres::Server::start().run_with_it();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(compare(subscribers));
}

async fn compare(subscribers: usize) {
    let settings = vec![
        ("ENTENTE_REQUESTS_PER_MINUTE", "100000000".to_owned()),
        // The clock of the program itself, which is no file that is read each time.
        ("TEST_CLOCK_FILE", String::new()),
    ];
    let gateway = Gateway::start_with(Kind::Postgres, Options { settings }).await;
    let accounts = accounts(&gateway).await;
    let (database, connection) = tokio_postgres::connect(&gateway.database().url(gateway.data()), NoTls).await.unwrap();
    tokio::spawn(connection);
    let ids: Vec<String> = accounts.iter().map(|party| uuid_of(&party.account)).collect();
    let event = database.prepare(EVENT).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    for turn in 0..TURNS {
        let before = memory(gateway.id().unwrap());
        let opened =
            open(subscribers, |n| subscribe(&gateway.url, &accounts[n % accounts.len()], turn * (WARM_UP + ROUNDS)))
                .await;
        let size = opened[0].1;
        ours.memory = ours.memory.max((memory(gateway.id().unwrap()) - before) / subscribers as i64);
        measure(opened, &mut ours, async || {
            assert_eq!(database.execute(&event, &[&ids]).await.unwrap(), ids.len() as u64)
        })
        .await;

        let bare = Bare::start();
        let before = memory(bare.process.id());
        let opened = open(subscribers, |_| connect(&bare.url)).await;
        theirs.memory = theirs.memory.max((memory(bare.process.id()) - before) / subscribers as i64);
        let text = "x".repeat(size);
        let tell = async || drop(http.post(format!("{}/tell", bare.url)).body(text.clone()).send().await.unwrap());
        measure(opened, &mut theirs, tell).await;
    }
    let accounts = accounts.len();
    println!("{subscribers} subscribers of {accounts} accounts, event to last delivery: {ours}");
    println!("bare axum, {subscribers} sockets, the same size: {theirs}");
    println!("ratio of the medians {:.2}, of the best {:.2}", ours.over(&theirs, 2), ours.over(&theirs, usize::MAX));
}

/// Accounts that are connected in pairs, so that each has an event.
async fn accounts(gateway: &Gateway) -> Vec<Party> {
    let mut accounts = vec![];
    for n in 0..ACCOUNTS / 2 {
        let luma = Party::create(gateway, &format!("Luma {n}"), "ADVERTISER").await;
        let tv_tube = Party::create(gateway, &format!("TV Tube {n}"), "PUBLISHER").await;
        luma.invite(&tv_tube).await;
        accounts.extend([luma, tv_tube]);
    }
    accounts
}

/// Opens sockets, some at a time.
async fn open<F: Future<Output = (Socket, usize)>>(count: usize, one: impl FnMut(usize) -> F) -> Vec<(Socket, usize)> {
    stream::iter((0..count).map(one)).buffer_unordered(OPENING).collect().await
}

async fn connect(base: &str) -> (Socket, usize) {
    let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "graphql-transport-ws".parse().unwrap());
    let tcp = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    (client_async_with_config(request, tcp, Some(config)).await.unwrap().0, 0)
}

/// A socket that has had the event after so many of its account, and how long that was.
async fn subscribe(base: &str, party: &Party, events: usize) -> (Socket, usize) {
    let (mut socket, _) = connect(base).await;
    let after = URL_SAFE_NO_PAD.encode(format!("e{events}"));
    let init =
        json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", party.client.token) } });
    let payload = json!({ "query": DOCUMENT, "variables": { "a": party.account, "after": after } });
    for message in [init, json!({ "type": "subscribe", "id": "1", "payload": payload })] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    let acknowledged = socket.try_next().await.unwrap().unwrap();
    assert!(acknowledged.to_text().unwrap().contains("connection_ack"), "{acknowledged}");
    let message = socket.try_next().await.unwrap().unwrap();
    assert!(message.to_text().unwrap().contains(r#""kind":"INVITED""#), "{message}");
    (socket, message.len())
}

/// Has every socket told, again and again, and notes how long it took until the last one had it.
async fn measure(opened: Vec<(Socket, usize)>, figures: &mut Figures, tell: impl AsyncFn()) {
    let (subscribers, count) = (opened.len(), Arc::new(AtomicUsize::new(0)));
    let (done, mut all) = mpsc::unbounded_channel();
    let mut readers = JoinSet::new();
    for (mut socket, _) in opened {
        let (count, done) = (count.clone(), done.clone());
        readers.spawn(async move {
            while let Ok(Some(message)) = socket.try_next().await {
                if message.is_text() && (count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(subscribers) {
                    done.send(Instant::now()).unwrap();
                }
            }
        });
    }
    for round in 0..WARM_UP + ROUNDS {
        let begin = Instant::now();
        tell().await;
        let last = tokio::time::timeout(Duration::from_secs(120), all.recv()).await.expect("all are told").unwrap();
        if round >= WARM_UP {
            figures.took.push(last - begin);
        }
    }
    readers.shutdown().await;
}

/// What was measured of a server.
#[derive(Default)]
struct Figures {
    took: Vec<Duration>,
    /// KiB a socket, as far as the process grew.
    memory: i64,
}

impl Figures {
    /// The time in the middle with 2, the best with a large number.
    fn at(&self, part: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        took[took.len() / part]
    }

    fn over(&self, other: &Self, part: usize) -> f64 {
        self.at(part).div_duration_f64(other.at(part))
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, best) = (self.at(2), self.at(usize::MAX));
        let worst = self.took.iter().max().unwrap();
        write!(f, "median {median:.1?}, best {best:.1?}, worst {worst:.1?}; {} KiB of memory each", self.memory)
    }
}

/// What a process has in memory, in KiB.
fn memory(process: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// The bare server, in a process of its own.
struct Bare {
    process: Child,
    url: String,
}

impl Bare {
    fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut process = Command::new(program).arg(BARE).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Sends what it is told to every socket, until it is killed.
async fn serve_barely() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/graphql", get(listen)).route("/tell", post(tell));
    axum::serve(listener, router.with_state(broadcast::Sender::new(16))).await.unwrap();
}

async fn listen(
    State(told): State<broadcast::Sender<Utf8Bytes>>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    let mut told = told.subscribe();
    upgrade.protocols(["graphql-transport-ws"]).on_upgrade(async move |mut socket| {
        while let Ok(text) = told.recv().await {
            if socket.send(Sent::Text(text)).await.is_err() {
                return;
            }
        }
    })
}

async fn tell(State(told): State<broadcast::Sender<Utf8Bytes>>, body: Bytes) {
    told.send(Utf8Bytes::try_from(body).unwrap()).unwrap();
}
