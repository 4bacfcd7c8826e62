//! A server of Delta Sharing on this machine, written from the protocol's text: the reference server is a Java program
//! that no package registry has. Its authors' client in Python was tried, and reads what is here. It is also the store
//! of the files that it signs addresses for, and knows ranges and ETags as those do.
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use entente_destination::testkit::{FakeServer, Recorded, Reply};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub const TOKEN: &str = "faaie590d541265bcab1f2de9813274bf233";
/// A token of somebody whom nothing is shared with.
pub const STRANGERS_TOKEN: &str = "0b5fd1e8c1b6461cae14e3ab6f2e5b57";
const TABLE: &str = "/delta-sharing/shares/luma/schemas/default/tables/audiences";

/// The server, with the one table `luma.default.audiences`, until it is dropped.
pub struct DeltaSharing {
    pub server: FakeServer,
    shelf: Arc<Mutex<Shelf>>,
}

/// What the server has.
#[derive(Default)]
pub struct Shelf {
    /// The table's files, by their ids.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The version of the table.
    pub version: u64,
    /// What the table is configured by, as `delta.enableDeletionVectors`.
    pub configuration: BTreeMap<String, String>,
    /// Whether it answers in Delta's own format whatever it is asked for, as no server may.
    pub only_delta: bool,
    /// Whether it is of the first version of the protocol, which knows neither pages nor capabilities.
    pub is_first_version: bool,
    /// The most files of a page, whatever is asked for.
    pub page: usize,
    /// Signatures of all before are no longer good.
    pub generation: u64,
    /// How long addresses are good, as far as it says so.
    pub lifetime: Option<Duration>,
    /// Whether files are refused whatever is signed.
    pub refuses_files: bool,
    /// Whether all tokens are.
    pub revoked: bool,
    /// Whether each page is of another version.
    pub changes_while_listed: bool,
    base: String,
}

impl DeltaSharing {
    pub fn start() -> Self {
        let server = FakeServer::start().unwrap();
        let shelf = Shelf { version: 1, page: usize::MAX, base: server.url(""), ..Shelf::default() };
        let shelf = Arc::new(Mutex::new(shelf));
        let held = shelf.clone();
        server.otherwise(move |request| held.lock().unwrap().answer(request));
        Self { server, shelf }
    }

    /// What it has, to be changed.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// Adds a file, which is another version of the table.
    pub fn put(&self, id: &str, content: &[u8]) {
        let mut shelf = self.shelf();
        shelf.files.insert(id.to_owned(), content.to_vec());
        shelf.version += 1;
    }

    /// Takes a file away, which is another version of the table.
    pub fn remove(&self, id: &str) {
        let mut shelf = self.shelf();
        shelf.files.remove(id);
        shelf.version += 1;
    }

    /// Lets all addresses end that it gave.
    pub fn end_addresses(&self) {
        self.shelf().generation += 1;
    }

    /// The profile file of somebody.
    pub fn profile(&self, token: &str) -> Value {
        json!({
            "shareCredentialsVersion": 1,
            "endpoint": self.server.url("/delta-sharing/"),
            "bearerToken": token,
            "expirationTime": "2999-11-12T00:12:29.0Z",
        })
    }

    pub fn settings(&self) -> Value {
        let profile = self.profile(TOKEN).to_string();
        json!({"profile": profile, "share": "luma", "schema": "default", "table": "audiences"})
    }
}

impl Shelf {
    fn answer(&mut self, request: &Recorded) -> Reply {
        if self.changes_while_listed {
            self.version += 1;
        }
        match request.uri.path().strip_prefix("/files/") {
            Some(id) => self.file(id, request),
            None => self.query(request),
        }
    }

    fn query(&self, request: &Recorded) -> Reply {
        let refusal = |status: u16, code: &str| {
            Reply::status(status).json(&json!({"errorCode": code, "message": "s3cret: see the server's log"}))
        };
        match request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
            Some(TOKEN) if !self.revoked => {}
            Some(STRANGERS_TOKEN) => return refusal(403, "PERMISSION_DENIED"),
            _ => return refusal(401, "UNAUTHENTICATED"),
        }
        // Names are case-insensitive ("Read Data from a Table", URL Parameters).
        let asked = request.uri.path().to_ascii_lowercase();
        match (request.method.as_str(), asked.strip_prefix(TABLE)) {
            ("POST", Some("/query")) | ("GET", Some("/metadata")) => {}
            _ => return refusal(404, "RESOURCE_DOES_NOT_EXIST"),
        }
        if self.configuration.contains_key("delta.enableDeletionVectors") && !self.only_delta && !self.is_first_version
        {
            let message = "DS_UNSUPPORTED_DELTA_TABLE_FEATURES: Table features delta.enableDeletionVectors are found";
            return Reply::status(400).json(&json!({"errorCode": "BAD_REQUEST", "message": message}));
        }
        if request.method == "GET" {
            return self.lines(&self.head().map(|line| line.to_string()));
        }
        match serde_json::from_slice(&request.body) {
            Ok(asked) => self.page(&asked, request),
            Err(_) => refusal(400, "MALFORMED_REQUEST"),
        }
    }

    /// A page of lines. Its token is the id of the last file before it.
    fn page(&self, asked: &Value, request: &Recorded) -> Reply {
        let capabilities = request.header("delta-sharing-capabilities").unwrap_or_default().to_lowercase();
        let ends = !self.is_first_version && capabilities.contains("includeendstreamaction=true");
        let most = match asked["maxFiles"].as_u64() {
            Some(most) if !self.is_first_version => self.page.min(most as usize),
            _ => usize::MAX,
        };
        let after = asked["pageToken"].as_str();
        let mut files = self.files.iter().filter(|(id, _)| after.is_none_or(|after| id.as_str() > after)).peekable();
        let mut lines: Vec<String> =
            if after.is_none() { self.head().map(|line| line.to_string()).into() } else { vec![] };
        let mut last = None;
        for (id, content) in files.by_ref().take(most) {
            lines.push(self.line(id, content).to_string());
            last = Some(id);
        }
        let next = files.peek().and(last);
        // "EndStreamAction" may come whether it was asked for or not: where there is another page, it does.
        if ends || next.is_some() {
            lines.push(
                json!({"endStreamAction": {"nextPageToken": next, "minUrlExpirationTimestamp": null}}).to_string(),
            );
        }
        let reply = self.lines(&lines);
        match self.is_first_version {
            true => reply,
            false => reply.header(
                "delta-sharing-capabilities",
                if ends { "responseformat=parquet;includeendstreamaction=true" } else { "responseformat=parquet" },
            ),
        }
    }

    fn lines(&self, lines: &[String]) -> Reply {
        Reply::status(200)
            .header("content-type", "application/x-ndjson; charset=utf-8")
            .header("delta-table-version", &self.version.to_string())
            .body(lines.join("\n") + "\n")
    }

    fn head(&self) -> [Value; 2] {
        let schema = json!({"type": "struct", "fields": [
            {"name": "email", "type": "string", "nullable": true, "metadata": {}},
        ]});
        let metadata = json!({
            "id": "f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2",
            "format": {"provider": "parquet"},
            "schemaString": schema.to_string(),
            "partitionColumns": [],
            "configuration": self.configuration,
        });
        match self.only_delta {
            true => [
                json!({"protocol": {"deltaProtocol": {"minReaderVersion": 3, "readerFeatures": ["deletionVectors"]}}}),
                json!({"metaData": {"deltaMetadata": metadata}}),
            ],
            false => [json!({"protocol": {"minReaderVersion": 1}}), json!({"metaData": metadata})],
        }
    }

    /// Where a file is read for now.
    pub fn address(&self, id: &str) -> String {
        let (base, generation) = (&self.base, self.generation);
        format!("{base}/files/{id}?generation={generation}&signature={}", signature(id, generation))
    }

    fn line(&self, id: &str, content: &[u8]) -> Value {
        let until = self.lifetime.map(|lifetime| {
            (SystemTime::now() + lifetime).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
        });
        json!({"file": {
            "url": self.address(id), "id": id, "partitionValues": {}, "size": content.len(), "stats": "{\"numRecords\":1}",
            "expirationTimestamp": until,
        }})
    }

    /// A range of a file, where the signature is good. Nothing else may sign requests in: a store refuses two ways at
    /// once.
    fn file(&self, id: &str, request: &Recorded) -> Reply {
        let signed = format!("generation={}&signature={}", self.generation, signature(id, self.generation));
        if self.refuses_files || request.header("authorization").is_some() || request.uri.query() != Some(&signed) {
            let text = "<Error><Code>AccessDenied</Code><Message>Request has expired: s3cret</Message></Error>";
            return Reply::status(403).body(text);
        }
        let Some(content) = self.files.get(id) else { return Reply::status(404) };
        let etag = format!("\"{}\"", signature(id, content.len() as u64));
        let Some((start, end)) = request.header("range").and_then(range) else {
            return Reply::status(200).header("etag", &etag).body(content.clone());
        };
        if start >= content.len() {
            return Reply::status(416);
        }
        let end = end.min(content.len() - 1);
        Reply::status(206)
            .header("etag", &etag)
            .header("content-range", &format!("bytes {start}-{end}/{}", content.len()))
            .body(content[start..=end].to_vec())
    }
}

fn range(header: &str) -> Option<(usize, usize)> {
    let (start, end) = header.strip_prefix("bytes=")?.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

fn signature(id: &str, generation: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the server's own").unwrap();
    mac.update(format!("{id} {generation}").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
