//! Snowflake's SQL API on this machine, as far as reading goes, written from its documentation: the service itself is
//! nowhere to be had. Beside each quirk stands the page that tells of it, by its title, below
//! <https://docs.snowflake.com/en/developer-guide/sql-api/>.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use entente_destination::testkit::{FakeServer, Recorded, Reply};
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

/// The key of the user `LUMA`. It was made for tests, and is used nowhere.
pub const KEY: &str = include_str!("../../../plugins/snowflake/src/test_key.pem");
/// What `openssl` says is the fingerprint of its public key.
const FINGERPRINT: &str = "q04cpgFLWG3+thzgXUYakzPRlWNwMiaxt2SxaniltQ0=";
/// The one table.
pub const TABLE: &str = "\"DB\".\"PUBLIC\".\"AUDIENCES\"";

/// The API of the account `MYORG-ACCOUNT1`, until it is dropped.
pub struct Snowflake {
    pub server: FakeServer,
    shelf: Arc<Mutex<Shelf>>,
}

/// Rows as the API has them: columns by name and type, and values that are all text.
#[derive(Clone, Default)]
pub struct Rows {
    pub columns: Vec<(String, String)>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// What the account has.
pub struct Shelf {
    /// Tables by their quoted names, and what queries give by their texts.
    pub rows: BTreeMap<String, Rows>,
    /// When the tables last changed, in nanoseconds since 1970.
    pub changed: u64,
    /// Rows of one partition.
    pub partition: usize,
    /// Answers that a statement is still executed, before it has been.
    pub patience: Vec<u16>,
    /// The code that every statement fails with.
    pub failure: Option<String>,
    /// Whether the user's key is assigned no longer.
    pub revoked: bool,
    /// What was executed, and its rows in partitions.
    pub executed: Vec<String>,
    kept: BTreeMap<String, Kept>,
}

struct Kept {
    columns: Vec<(String, String)>,
    partitions: Vec<Vec<Vec<Option<String>>>>,
    asked: usize,
}

/// Rows of texts, as in most tests.
pub fn texts(columns: &[&str], rows: &[&[&str]]) -> Rows {
    let columns = columns.iter().map(|name| ((*name).to_owned(), "text".to_owned())).collect();
    let row = |row: &&[&str]| row.iter().map(|value| Some((*value).to_owned())).collect();
    Rows { columns, rows: rows.iter().map(row).collect() }
}

impl Snowflake {
    pub fn start() -> Self {
        let server = FakeServer::start().unwrap();
        let shelf = Shelf {
            rows: BTreeMap::new(),
            changed: 1_800_000_000_000_000_000,
            partition: usize::MAX,
            patience: vec![],
            failure: None,
            revoked: false,
            executed: vec![],
            kept: BTreeMap::new(),
        };
        let shelf = Arc::new(Mutex::new(shelf));
        let held = shelf.clone();
        server.otherwise(move |request| held.lock().unwrap().answer(request));
        Self { server, shelf }
    }

    /// What it has, to be changed.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// Puts other rows into the table.
    pub fn put(&self, rows: Rows) {
        let mut shelf = self.shelf();
        shelf.rows.insert(TABLE.to_owned(), rows);
        shelf.changed += 1_000;
    }

    /// Keeps nothing any longer of what statements gave, as after a day.
    pub fn forget(&self) {
        self.shelf().kept.clear();
    }

    pub fn settings(&self) -> Value {
        json!({
            "account": "myorg-account1", "user": "luma", "private_key": KEY, "role": "READER", "warehouse": "WH",
            "database": "DB", "schema": "PUBLIC", "rows": {"type": "table", "table": "AUDIENCES"},
            "endpoint": self.server.url(""),
        })
    }
}

impl Shelf {
    fn answer(&mut self, request: &Recorded) -> Reply {
        // "Authenticating": what the token is of must be said.
        let is_key_pair = request.header("x-snowflake-authorization-token-type") == Some("KEYPAIR_JWT");
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if self.revoked || !is_key_pair || token.and_then(signed_in).is_none() {
            return Reply::status(401).json(&json!({"code": "390144", "message": "JWT token is invalid: s3cret."}));
        }
        let path = request.uri.path().strip_prefix("/api/v2/statements").unwrap();
        match (request.method.as_str(), path.strip_prefix('/')) {
            ("POST", None) => self.submit(&serde_json::from_slice(&request.body).unwrap()),
            ("GET", Some(handle)) => match request.uri.query().and_then(|query| query.strip_prefix("partition=")) {
                Some(number) => self.partition(handle, number.parse().unwrap()),
                None => self.status(handle),
            },
            _ => Reply::status(405),
        }
    }

    fn submit(&mut self, body: &Value) -> Reply {
        // "Handling errors": a failure's message repeats the statement.
        let failed = |code: &str| {
            Reply::status(422)
                .json(&json!({"code": code, "sqlState": "42S02", "message": "SQL compilation error: s3cret"}))
        };
        let statement = body["statement"].as_str().unwrap();
        self.executed.push(statement.to_owned());
        if let Some(code) = &self.failure {
            return failed(code);
        }
        if body["warehouse"] != "WH" || body["role"] != "READER" {
            return failed(if body["role"] == "READER" { "000606" } else { "003001" });
        }
        assert_eq!((&body["database"], &body["schema"]), (&json!("DB"), &json!("PUBLIC")));
        match self.rows_of(statement) {
            Some(rows) => self.execute(rows),
            None => failed("002003"),
        }
    }

    fn rows_of(&self, statement: &str) -> Option<Rows> {
        if let Some(rest) = statement.strip_prefix("SELECT TO_VARCHAR(SYSTEM$LAST_CHANGE_COMMIT_TIME('") {
            self.rows.get(rest.strip_suffix("'))")?)?;
            return Some(texts(&["CHANGED"], &[&[&self.changed.to_string()]]));
        }
        let (from, most) = match statement.strip_suffix(" LIMIT 1") {
            Some(rest) => (rest, 1),
            None => (statement, usize::MAX),
        };
        let from = from.strip_prefix("SELECT * FROM ")?;
        let name = from.strip_prefix("(\n").and_then(|query| query.strip_suffix("\n)")).unwrap_or(from);
        let mut rows = self.rows.get(name)?.clone();
        rows.rows.truncate(most);
        Some(rows)
    }

    fn execute(&mut self, rows: Rows) -> Reply {
        let handle = format!("01b2c3d4-0000-0000-0000-{:012}", self.executed.len());
        let mut partitions: Vec<_> = rows.rows.chunks(self.partition).map(<[_]>::to_vec).collect();
        // "Handling responses": the first partition is there also where there are no rows.
        if partitions.is_empty() {
            partitions.push(vec![]);
        }
        self.kept.insert(handle.clone(), Kept { columns: rows.columns, partitions, asked: 0 });
        self.status(&handle)
    }

    fn status(&mut self, handle: &str) -> Reply {
        let Some(kept) = self.kept.get_mut(handle) else { return gone() };
        kept.asked += 1;
        // "Handling responses": whoever asks before it is executed is answered 202, or 429.
        match self.patience.get(kept.asked - 1) {
            Some(status) => Reply::status(*status).json(&json!({
                "code": "333334", "message": "Asynchronous execution in progress.", "statementHandle": handle,
                "statementStatusUrl": format!("/api/v2/statements/{handle}"),
            })),
            None => Reply::status(200).json(&kept.result_set(handle)),
        }
    }

    /// "Handling responses": partitions come compressed, and without metadata.
    fn partition(&self, handle: &str, number: usize) -> Reply {
        let Some(rows) = self.kept.get(handle).and_then(|kept| kept.partitions.get(number)) else { return gone() };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(json!({"data": rows}).to_string().as_bytes()).unwrap();
        let body = gzip.finish().unwrap();
        Reply::status(200).header("content-type", "application/json").header("content-encoding", "gzip").body(body)
    }
}

/// "Handling responses": results are kept for a day.
fn gone() -> Reply {
    Reply::status(404).json(&json!({"code": "000709", "message": "Statement s3cret not found", "sqlState": "02000"}))
}

impl Kept {
    fn result_set(&self, handle: &str) -> Value {
        let column =
            |(name, kind): &(String, String)| json!({"name": name, "type": kind, "nullable": true, "scale": null});
        // "Handling responses": the first partition, which is not compressed, has no compressed size.
        let partition = |(number, rows): (usize, &Vec<_>)| {
            let size = json!(rows).to_string().len();
            match number {
                0 => json!({"rowCount": rows.len(), "uncompressedSize": size}),
                _ => json!({"rowCount": rows.len(), "uncompressedSize": size, "compressedSize": size / 4}),
            }
        };
        json!({
            "code": "090001", "sqlState": "00000", "message": "successfully executed",
            "statementHandle": handle, "createdOn": 1_597_090_533_987_u64,
            "statementStatusUrl": format!("/api/v2/statements/{handle}"),
            "resultSetMetaData": {
                "numRows": self.partitions.iter().map(Vec::len).sum::<usize>(),
                "format": "jsonv2",
                "rowType": self.columns.iter().map(column).collect::<Vec<_>>(),
                "partitionInfo": self.partitions.iter().enumerate().map(partition).collect::<Vec<_>>(),
            },
            "data": self.partitions.first(),
        })
    }
}

/// Whether a token is the user's, by its signature too. "Authenticating": who issues it is the account and the user in
/// capitals and the fingerprint of the public key, and it is good for an hour at the most.
fn signed_in(token: &str) -> Option<()> {
    let (signed, signature) = token.rsplit_once('.')?;
    let body = KEY.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?;
    let der = STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()?;
    let pair = RsaKeyPair::from_pkcs8(&der).ok()?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?).ok()?;
    let life = claims["exp"].as_u64()?.checked_sub(claims["iat"].as_u64()?)?;
    let is_luma = claims["sub"] == "MYORG-ACCOUNT1.LUMA"
        && claims["iss"] == format!("MYORG-ACCOUNT1.LUMA.SHA256:{FINGERPRINT}")
        && life <= 3_600;
    is_luma.then_some(())
}
