//! Azurite, Microsoft's emulator of Azure Blob: one process for all tests. It checks every signature as Azure does.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entente_destination::http::{Answer, Bytes, Http, Options, Request, percent};
use entente_destination::testkit::operator;
use hmac::{Hmac, KeyInit, Mac};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::HttpRequestBody;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::runtime::Runtime;

use crate::Files;

const ACCOUNT: &str = "luma";
pub const KEY: &str = "YSBrZXkgdGhhdCB3YXMgbWFkZSBmb3IgdGhlc2UgdGVzdHMsIGFuZCBpcyB1c2VkIG5vd2hlcmU=";

pub struct Azurite {
    url: String,
    containers: AtomicUsize,
    http: Http,
    runtime: Runtime,
    /// It ends when this is closed, as happens when the tests end.
    _stdin: ChildStdin,
    _stdout: BufReader<ChildStdout>,
    _process: Child,
}

/// The emulator, or `None` where it is not on this machine.
pub fn azurite() -> Option<&'static Azurite> {
    static AZURITE: OnceLock<Option<Azurite>> = OnceLock::new();
    AZURITE
        .get_or_init(|| std::env::var_os("ENTENTE_TEST_EMULATORS").and_then(|folder| start(folder.as_ref())))
        .as_ref()
        .or_else(|| {
            assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "Azurite is missing");
            eprintln!("left out: Azurite is not on this machine; .ci/run installs it");
            None
        })
}

fn start(folder: &Path) -> Option<Azurite> {
    let mut process = Command::new("node")
        .arg(folder.join("azurite.mjs"))
        .args(["--inMemoryPersistence", "--blobPort", "0", "--silent", "--disableTelemetry"])
        .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let (stdin, mut stdout) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
    let mut line = String::new();
    while stdout.read_line(&mut line).ok()? > 0 {
        if let Some((_, url)) = line.trim().split_once("listens on ") {
            let url = format!("{url}/{ACCOUNT}");
            return Some(Azurite {
                url,
                containers: AtomicUsize::new(0),
                http: Http::new(&operator(), Options { most_answer_bytes: 32 << 20, ..Options::default() }).ok()?,
                runtime: Runtime::new().ok()?,
                _stdin: stdin,
                _stdout: stdout,
                _process: process,
            });
        }
        line.clear();
    }
    None
}

impl Azurite {
    /// A container of its own.
    pub fn container(&'static self) -> Container {
        let name = format!("luma-{}", self.containers.fetch_add(1, Ordering::Relaxed));
        let answer = self.ask("PUT", &format!("/{name}?restype=container"));
        assert_eq!(answer.status().as_u16(), 201);
        Container { azurite: self, name }
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, &[], Bytes::new())
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(HttpRequestBody::empty()).unwrap();
        let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap());
        AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).unwrap();
        self.runtime.block_on(self.http.send(request.map(|_| body))).unwrap()
    }
}

/// A container, new for each trial.
pub struct Container {
    azurite: &'static Azurite,
    name: String,
}

impl Container {
    pub fn settings(&self) -> Value {
        json!({
            "url": format!("az://{}/audiences", self.name),
            "credentials": {"type": "account_key", "account": ACCOUNT, "key": KEY},
            "endpoint": self.azurite.url,
            "allow_plain_http": true,
        })
    }

    /// A signature for objects of the account, with these permissions.
    pub fn sas(permissions: &str) -> Value {
        Self::sas_until(permissions, "o", "2099-01-01T00:00:00Z")
    }

    /// A signature for resources of these types (`o` for objects, `c` for containers), until a time of ISO 8601.
    /// <https://learn.microsoft.com/en-us/rest/api/storageservices/create-account-sas>
    pub fn sas_until(permissions: &str, types: &str, end: &str) -> Value {
        let version = "2018-11-09";
        let signed = format!("{ACCOUNT}\n{permissions}\nb\n{types}\n\n{end}\n\nhttps,http\n{version}\n");
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
        mac.update(signed.as_bytes());
        let signature = percent(&STANDARD.encode(mac.finalize().into_bytes()));
        let token = format!(
            "sv={version}&ss=b&srt={types}&sp={permissions}&se={}&spr=https,http&sig={signature}",
            percent(end)
        );
        json!({"type": "sas_token", "account": ACCOUNT, "token": token})
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts an object, replacing what had its name.
    pub fn put(&self, name: &str, content: &[u8]) {
        let length = content.len().to_string();
        let headers = [("x-ms-blob-type", "BlockBlob"), ("content-length", &length)];
        let path = format!("/{}/{name}", self.name);
        let answer = self.azurite.send("PUT", &path, &headers, Bytes::copy_from_slice(content));
        assert_eq!(answer.status().as_u16(), 201);
    }

    /// Every object in the container.
    pub fn objects(&self) -> Files {
        self.objects_below("")
    }

    /// Every object whose name starts so.
    pub fn objects_below(&self, prefix: &str) -> Files {
        let read = |name: &str| self.azurite.ask("GET", &format!("/{}/{name}", self.name)).bytes().unwrap().to_vec();
        self.names_below(prefix).into_iter().map(|name| (name.clone(), read(&name))).collect()
    }

    /// The names of all objects that start so.
    pub fn names_below(&self, prefix: &str) -> Vec<String> {
        let path = format!("/{}?restype=container&comp=list&prefix={}", self.name, percent(prefix));
        let list = String::from_utf8(self.azurite.ask("GET", &path).bytes().unwrap().to_vec()).unwrap();
        list.split("<Name>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    }
}
