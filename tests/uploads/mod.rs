//! Uploads in parts: by the client that people use, by a shell, and by those who do not keep to the protocol.

mod command;
mod memory;
mod protocol;
mod proxy;

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases, tool_is_there},
    people::{self, Form},
    stories::Party,
};
use proxy::Proxy;
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// Where connections are cut off, in bytes of each: in the head of a request, at the borders of what is sealed at once, and
/// in between.
const CUTS: [u64; 16] =
    [1, 400, 900, 1_500, 20_000, 3_000, 65_535, 65_536, 66_000, 700, 31_111, 80_001, 1_200, 10_000, 50_000, 5];

/// A gateway behind a network that breaks off. It has the same address each time that it is started.
async fn behind_proxy(kind: Kind) -> (Gateway, Proxy) {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address: SocketAddr = free();
    let proxy = Proxy::before(address).await;
    let settings = vec![("ENTENTE_LISTEN", address.to_string()), ("ENTENTE_PUBLIC_URL", proxy.url())];
    (Gateway::start_with(kind, Options { settings }).await, proxy)
}

/// A file of customers.
fn customers(people: u32) -> (NamedTempFile, String) {
    let csv = people::customers(0..people, Form::Hashed, people::luma);
    let file = tempfile::Builder::new().prefix("customers").suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), &csv).unwrap();
    (file, csv)
}

fn rows(csv: &str) -> usize {
    csv.lines().count() - 1
}

/// The client, if it is installed.
fn client() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let there = folder.join("node_modules/tus-js-client").exists();
    tool_is_there("tests/clients/node_modules/tus-js-client", there).then_some(folder)
}

fn sending(folder: &Path, file: &Path, options: &Value, stop: Option<usize>) -> Command {
    let mut command = Command::new("node");
    command.current_dir(folder).arg("upload.mjs").arg(file).arg(options.to_string());
    command.args(stop.map(|bytes| bytes.to_string())).kill_on_drop(true).stdout(Stdio::piped());
    command
}

/// What the client printed: the last address, and how it ended.
async fn ended(mut command: Command) -> (String, String) {
    let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await.unwrap().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let url = printed.lines().rev().find_map(|line| line.strip_prefix("url ")).unwrap_or_default().to_owned();
    (url, printed.lines().last().unwrap_or_default().to_owned())
}

impl Party {
    /// Options of the client that creates an upload.
    fn tus(&self) -> Value {
        json!({
            "endpoint": format!("{}/uploads", self.client.base()),
            "headers": { "authorization": format!("Bearer {}", self.client.token) },
            "metadata": { "filename": "customers.csv", "accountId": self.account },
        })
    }

    /// What the API says of an upload.
    async fn shown(&self, upload: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Upload {
            fileName url size bytesReceived complete used } } }";
        self.client.query(query, json!({ "id": upload })).await["node"].clone()
    }

    /// Sources an upload; how many rows were read, and how many of them count.
    async fn sourced_rows(&self, upload: &str) -> (usize, usize) {
        let (data_connection, job) = self.create_data_connection(upload, Form::Hashed).await;
        let job = self.job(&job).await;
        assert_eq!(job["state"], "DONE", "{job}");
        let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { lastRefresh { rows acceptedRows } } } }";
        let data = self.client.query(query, json!({ "id": data_connection })).await;
        let rows = |field: &str| data["node"]["lastRefresh"][field].as_u64().unwrap() as usize;
        (rows("rows"), rows("acceptedRows"))
    }
}

/// The global id of the upload at an address.
fn upload_at(url: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let id = url.split_once("/uploads/").unwrap().1.split_once('/').unwrap().0;
    URL_SAFE_NO_PAD.encode(format!("Upload:{}", uuid::Uuid::try_parse(id).unwrap().simple()))
}

/// Waits until an upload has so many bytes; how many it has.
async fn reaches(party: &Party, url: &str, bytes: u64) -> u64 {
    let begun = Instant::now();
    loop {
        let head = party.client.http().head(url).header("tus-resumable", "1.0.0").send().await.unwrap();
        let offset = head.headers()["upload-offset"].to_str().unwrap().parse().unwrap();
        if offset >= bytes {
            return offset;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{offset} of {bytes} bytes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

on_both_databases! {
    /// The network breaks off again and again, in the head of a request and in the body, and every row arrives.
    async fn an_upload_that_is_cut_again_and_again_arrives_whole(kind: Kind) {
        let Some(folder) = client() else { return };
        let (gateway, proxy) = behind_proxy(kind).await;
        let (file, csv) = customers(4_000);
        for more in [json!({}), json!({ "uploadDataDuringCreation": true }), json!({ "chunkSize": 50_000 })] {
            let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let mut options = luma.tus();
            options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            proxy.cut(CUTS);
            let (url, end) = ended(sending(&folder, file.path(), &options, None)).await;
            assert_eq!((end.as_str(), proxy.left()), ("done", 0), "{more}");
            let upload = upload_at(&url);
            let shown = luma.shown(&upload).await;
            assert_eq!((&shown["bytesReceived"], &shown["size"]), (&json!(csv.len()), &json!(csv.len())), "{shown}");
            assert_eq!((&shown["complete"], &shown["fileName"]), (&json!(true), &json!("customers.csv")));
            assert_eq!(luma.sourced_rows(&upload).await, (rows(&csv), rows(&csv)), "{more}");
        }
    }
}

on_both_databases! {
    /// The gateway is killed in the middle, again and again; what it then says that it has is there, and the client goes on
    /// by itself.
    async fn an_upload_goes_on_after_the_gateway_was_killed(kind: Kind) {
        let Some(folder) = client() else { return };
        let (mut gateway, _proxy) = behind_proxy(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (file, csv) = customers(100_000);
        let mut options = luma.tus();
        options["chunkSize"] = json!(70_000);
        let mut client = sending(&folder, file.path(), &options, None).spawn().unwrap();
        let mut says = BufReader::new(client.stdout.take().unwrap()).lines();
        let first = says.next_line().await.unwrap().unwrap();
        let url = first.strip_prefix("url ").unwrap().to_owned();
        let mut killed_at = 0;
        for _ in 0..3 {
            let before = reaches(&luma, &url, killed_at + 100_000).await;
            gateway.kill();
            gateway.start_again();
            killed_at = reaches(&luma, &url, 0).await;
            // What was acknowledged and had not filled a chunk may be lost with the gateway.
            assert!(before < killed_at + 65_536 && killed_at < csv.len() as u64, "{before} {killed_at}");
        }
        let mut last = first;
        while let Some(line) = says.next_line().await.unwrap() {
            last = line;
        }
        assert_eq!(last, "done");
        assert_eq!(luma.sourced_rows(&upload_at(&url)).await, (rows(&csv), rows(&csv)));
    }
}

/// A client that ends goes on by the address it was given; so does one that has the address from the API alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_client_goes_on_where_the_first_ended() {
    let Some(folder) = client() else { return };
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let (file, csv) = customers(30_000);
    let mut options = luma.tus();
    options["chunkSize"] = json!(100_000);
    let (url, end) = ended(sending(&folder, file.path(), &options, Some(300_000))).await;
    assert_eq!(end, "stopped");
    let shown = luma.shown(&upload_at(&url)).await;
    assert_eq!(shown["complete"], false);
    assert!((200_000..csv.len() as u64).contains(&shown["bytesReceived"].as_u64().unwrap()), "{shown}");
    assert_eq!(shown["url"], json!(url));
    let (_, end) = ended(sending(&folder, file.path(), &json!({ "uploadUrl": url }), None)).await;
    assert_eq!(end, "done");
    assert_eq!(luma.sourced_rows(&upload_at(&url)).await, (rows(&csv), rows(&csv)));

    let document = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
        upload { id url } userErrors { code field message } } }";
    for (size, more) in [(json!(csv.len()), json!({})), (Value::Null, json!({ "uploadLengthDeferred": true }))] {
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let input = json!({ "accountId": luma.account, "fileName": "customers.csv", "size": size });
        let made = luma.client.mutate(document, input).await;
        let mut options = json!({ "uploadUrl": made["upload"]["url"] });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (_, end) = ended(sending(&folder, file.path(), &options, None)).await;
        assert_eq!(end, "done", "{more}");
        let upload = made["upload"]["id"].as_str().unwrap();
        assert_eq!(luma.sourced_rows(upload).await, (rows(&csv), rows(&csv)), "{more}");
    }
}
