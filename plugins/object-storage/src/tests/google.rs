//! A stand-in for Google Cloud Storage, written after its documentation: no emulator that is to be had speaks the XML
//! API, <https://cloud.google.com/storage/docs/xml-api/overview>. It checks the tokens' signatures as Google does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entente_destination::testkit::{FakeServer, Recorded, Reply};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

/// A key that was made for tests, and is used nowhere.
const KEY: &str = include_str!("../../../snowflake/src/test_key.pem");
const ACCOUNT: &str = "tvtube@luma.iam.gserviceaccount.example";

#[derive(Default)]
struct Object {
    content: Vec<u8>,
    metadata: Vec<(String, String)>,
}

#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, (Object, BTreeMap<usize, Vec<u8>>)>,
}

/// The service with its one bucket, new for each trial.
pub struct Google {
    pub server: FakeServer,
    shelf: Arc<Mutex<Shelf>>,
}

impl Google {
    pub fn start() -> Self {
        let (server, shelf) = (FakeServer::start().unwrap(), Arc::new(Mutex::new(Shelf::default())));
        let answering = shelf.clone();
        server.otherwise(move |request| answering.lock().unwrap().answer(request));
        Self { server, shelf }
    }

    pub fn settings(&self) -> Value {
        json!({
            "url": "gs://luma/audiences",
            "credentials": {"type": "service_account", "key": service_account(ACCOUNT).to_string()},
            "endpoint": self.server.url(""),
            "allow_plain_http": true,
        })
    }

    /// Every object in the bucket.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let shelf = self.shelf.lock().unwrap();
        shelf.objects.iter().map(|(name, object)| (name.clone(), object.content.clone())).collect()
    }

    /// How many uploads in pieces were neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        self.shelf.lock().unwrap().uploads.len()
    }
}

/// The file of a service account. It names addresses, which nobody may follow.
pub fn service_account(email: &str) -> Value {
    json!({
        "type": "service_account",
        "client_email": email,
        "private_key": KEY,
        "private_key_id": "7",
        "token_uri": "http://169.254.169.254/token",
        "gcs_base_url": "http://169.254.169.254",
        "disable_oauth": true,
    })
}

fn is_genuine(request: &Recorded) -> bool {
    let claims = || {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        let (signed, signature) = token.rsplit_once('.')?;
        let pem: String = KEY.lines().filter(|line| !line.starts_with("--")).collect();
        let key = RsaKeyPair::from_pkcs8(&base64::engine::general_purpose::STANDARD.decode(pem).ok()?).ok()?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?)
            .ok()?;
        serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?).ok()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    claims().is_some_and(|claims| {
        claims["iss"] == ACCOUNT && claims["exp"].as_u64() > Some(now) && claims["scope"].as_str().is_some()
    })
}

fn error(status: u16, code: &str) -> Reply {
    let text =
        format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>s3cret</Message></Error>");
    Reply::status(status).header("content-type", "application/xml").body(text)
}

impl Shelf {
    fn answer(&mut self, request: &Recorded) -> Reply {
        if !is_genuine(request) {
            return error(401, "AuthenticationRequired");
        }
        let Some(name) = request.uri.path().strip_prefix("/luma/") else { return error(404, "NoSuchBucket") };
        let name = decoded(name);
        let query = request.uri.query().unwrap_or_default();
        let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(decoded));
        match (request.method.as_str(), of("uploadId"), of("partNumber")) {
            ("POST", None, None) if query.starts_with("uploads") => self.begin(&name, request),
            ("PUT", Some(id), Some(number)) => self.piece(&id, &number, request),
            ("POST", Some(id), None) => self.put_together(&name, &id),
            ("DELETE", Some(id), None) => {
                self.uploads.remove(&id).map_or_else(|| error(404, "NoSuchUpload"), |_| Reply::status(204))
            }
            ("PUT", None, None) => {
                let object = Object { content: request.body.to_vec(), metadata: metadata(request) };
                self.objects.insert(name, object);
                Reply::status(200).header("etag", "\"1\"")
            }
            ("HEAD", None, None) => self.head(&name),
            ("DELETE", None, None) => {
                self.objects.remove(&name).map_or_else(|| error(404, "NoSuchKey"), |_| Reply::status(204))
            }
            _ => error(400, "InvalidArgument"),
        }
    }

    fn head(&self, name: &str) -> Reply {
        let Some(object) = self.objects.get(name) else { return Reply::status(404) };
        let reply = Reply::status(200)
            .header("etag", "\"1\"")
            .header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
            .body(object.content.clone());
        object.metadata.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }

    fn begin(&mut self, name: &str, request: &Recorded) -> Reply {
        let id = format!("upload+{name}");
        self.uploads.insert(id.clone(), (Object { content: Vec::new(), metadata: metadata(request) }, BTreeMap::new()));
        let text = format!(
            "<InitiateMultipartUploadResult><Bucket>luma</Bucket><Key>{name}</Key><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        );
        Reply::status(200).body(text)
    }

    fn piece(&mut self, id: &str, number: &str, request: &Recorded) -> Reply {
        let Some((_, pieces)) = self.uploads.get_mut(id) else { return error(404, "NoSuchUpload") };
        pieces.insert(number.parse().unwrap(), request.body.to_vec());
        Reply::status(200).header("etag", &format!("\"{number}\""))
    }

    fn put_together(&mut self, name: &str, id: &str) -> Reply {
        let Some((mut object, pieces)) = self.uploads.remove(id) else { return error(404, "NoSuchUpload") };
        object.content = pieces.into_values().flatten().collect();
        self.objects.insert(name.to_owned(), object);
        let text = "<CompleteMultipartUploadResult><Location>x</Location><Bucket>luma</Bucket><Key>x</Key>\
                    <ETag>\"2\"</ETag></CompleteMultipartUploadResult>";
        Reply::status(200).body(text)
    }
}

fn metadata(request: &Recorded) -> Vec<(String, String)> {
    let own = request.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-goog-meta-"));
    own.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

/// Text of a path or query, which is escaped there.
fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let first = pieces.next().unwrap_or_default().as_bytes().to_vec();
    let bytes = pieces.fold(first, |mut bytes, piece| {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
        bytes
    });
    String::from_utf8(bytes).unwrap()
}
