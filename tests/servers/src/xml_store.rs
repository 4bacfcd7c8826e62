//! A stand-in for the buckets of the three clouds, which list in XML: S3, Google after it
//! (<https://cloud.google.com/storage/docs/xml-api/overview>; no emulator that is to be had speaks it), and Azure
//! (<https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs>). It lists in pages, gives ranges and heeds
//! conditions, and its credentials can end in the middle. What it says beside that, a test says. It checks no signature:
//! the servers that do are beside it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entente_destination::http::Bytes;
use entente_destination::testkit::{FakeServer, Recorded, Reply};
use serde_json::{Value, json};

use crate::snowflake::KEY;

/// The session token of the access key that S3 takes.
const SESSION_TOKEN: &str = "AQoDYXdzEJr";
/// The number of the key that Google takes.
const KEY_ID: &str = "7";
/// The signature that Azure takes.
const SIGNATURE: &str = "c2lnbmF0dXJl";

/// Whose interface it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    Amazon,
    Google,
    Azure,
}

impl Cloud {
    pub const ALL: [Self; 3] = [Self::Amazon, Self::Google, Self::Azure];

    /// The type of the sources that read from it.
    pub fn source_type(self) -> &'static str {
        match self {
            Self::Amazon => "s3",
            Self::Google => "google_cloud_storage",
            Self::Azure => "azure_blob",
        }
    }

    /// The setting that names the bucket.
    pub fn bucket_setting(self) -> &'static str {
        if self == Self::Azure { "container" } else { "bucket" }
    }

    /// The most names of a page.
    pub fn page(self) -> usize {
        if self == Self::Azure { 5_000 } else { 1_000 }
    }

    /// An answer that tells a code.
    pub fn error(self, status: u16, code: &str) -> Reply {
        let text = format!("<?xml version='1.0'?><Error><Code>{code}</Code><Message>s3cret</Message></Error>");
        let reply = Reply::status(status).header("content-type", "application/xml").body(text);
        if self == Self::Azure { reply.header("x-ms-error-code", code) } else { reply }
    }

    /// What is said of a bucket that is not there.
    fn no_such_bucket(self) -> Reply {
        self.error(404, if self == Self::Azure { "ContainerNotFound" } else { "NoSuchBucket" })
    }

    /// What is said of credentials that never were good.
    fn wrong(self) -> Reply {
        match self {
            Self::Amazon => self.error(403, "InvalidAccessKeyId"),
            Self::Google => self.error(401, "AuthenticationRequired"),
            Self::Azure => self.error(403, "AuthenticationFailed"),
        }
    }

    /// What is said of credentials that are good no longer.
    fn ended(self) -> Reply {
        match self {
            Self::Amazon => self.error(400, "ExpiredToken"),
            Self::Google | Self::Azure => self.wrong(),
        }
    }

    fn knows(self, request: &Recorded) -> bool {
        match self {
            Self::Amazon => {
                let signed = request.header("authorization").unwrap_or_default();
                let token = request.header("x-amz-security-token");
                signed.contains("Credential=AKIALUMA/") && token == Some(SESSION_TOKEN)
            }
            Self::Google => key_id(request).as_deref() == Some(KEY_ID),
            Self::Azure => field(request, "sig").as_deref() == Some(SIGNATURE),
        }
    }
}

/// The key that a request's token says it is signed with.
fn key_id(request: &Recorded) -> Option<String> {
    let head = request.header("authorization")?.strip_prefix("Bearer ")?.split('.').next()?;
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    Some(head["kid"].as_str()?.to_owned())
}

/// The store and its one bucket, `luma`, until it is dropped.
pub struct XmlStore {
    pub server: FakeServer,
    pub cloud: Cloud,
    shelf: Arc<Mutex<Shelf>>,
}

/// What the store has.
#[derive(Default)]
pub struct Shelf {
    /// Objects by their names, and how often each was put.
    pub objects: BTreeMap<String, (Bytes, u32)>,
    /// Ranges that are still given until the credentials end, where they do.
    pub ranges_left: Option<usize>,
}

impl XmlStore {
    pub fn start(cloud: Cloud) -> Self {
        let (server, shelf) = (FakeServer::start().unwrap(), Arc::new(Mutex::new(Shelf::default())));
        let held = shelf.clone();
        server.otherwise(move |request| held.lock().unwrap().answer(cloud, request));
        Self { server, cloud, shelf }
    }

    /// What it has, to be changed.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// Puts an object, or another version of it.
    pub fn put(&self, name: &str, content: impl Into<Vec<u8>>) {
        let mut shelf = self.shelf();
        let version = shelf.objects.get(name).map_or(1, |(_, version)| version + 1);
        shelf.objects.insert(name.to_owned(), (Bytes::from(content.into()), version));
    }

    /// Makes another version of each object whose name begins so, with the same content.
    pub fn touch(&self, prefix: &str) {
        let mut shelf = self.shelf();
        let named = shelf.objects.iter_mut().filter(|(name, _)| name.starts_with(prefix));
        named.for_each(|(_, (_, version))| *version += 1);
    }

    /// Settings of a source that may read it.
    pub fn settings(&self) -> Value {
        let endpoint = self.server.url("");
        match self.cloud {
            Cloud::Amazon => json!({"bucket": "luma", "endpoint": endpoint, "credentials": {
                "type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": "s3cret",
                "session_token": SESSION_TOKEN,
            }}),
            Cloud::Google => json!({"bucket": "luma", "endpoint": endpoint, "credentials": {
                "type": "service_account", "key": service_account(KEY_ID).to_string(),
            }}),
            Cloud::Azure => json!({"account": "luma", "container": "luma", "endpoint": endpoint, "credentials": {
                "type": "sas_token", "token": format!("sv=2022-11-02&sp=rl&sig={SIGNATURE}"),
            }}),
        }
    }

    /// Credentials that it never took.
    pub fn wrong_credentials(&self) -> Value {
        match self.cloud {
            Cloud::Amazon => {
                json!({"type": "access_key", "access_key_id": "AKIAOTHER", "secret_access_key": "s3cret"})
            }
            Cloud::Google => json!({"type": "service_account", "key": service_account("8").to_string()}),
            Cloud::Azure => json!({"type": "sas_token", "token": "sv=2022-11-02&sp=rl&sig=s3cret"}),
        }
    }
}

/// The file of a service account, with a key that was made for tests, and is used nowhere. It names addresses, which
/// nobody may follow.
fn service_account(key_id: &str) -> Value {
    json!({
        "type": "service_account",
        "client_email": "tvtube@luma.iam.gserviceaccount.example",
        "private_key": KEY,
        "private_key_id": key_id,
        "token_uri": "http://169.254.169.254/token",
        "gcs_base_url": "http://169.254.169.254",
        "disable_oauth": true,
    })
}

impl Shelf {
    fn answer(&mut self, cloud: Cloud, request: &Recorded) -> Reply {
        if !cloud.knows(request) {
            return cloud.wrong();
        }
        if self.ranges_left == Some(0) {
            return cloud.ended();
        }
        let path = decoded(request.uri.path());
        match path.strip_prefix("/luma") {
            Some("" | "/") => self.page(cloud, request),
            Some(object) if object.starts_with('/') => {
                self.ranges_left = self.ranges_left.map(|left| left - 1);
                self.range(&object[1..], cloud, request)
            }
            _ => cloud.no_such_bucket(),
        }
    }

    fn page(&self, cloud: Cloud, request: &Recorded) -> Reply {
        let is_azure = cloud == Cloud::Azure;
        let prefix = field(request, "prefix").unwrap_or_default();
        let after = field(request, if is_azure { "marker" } else { "continuation-token" });
        let after = after.map_or(Bound::Included(prefix.clone()), Bound::Excluded);
        let listed = self.objects.range((after, Bound::Unbounded));
        let mut listed = listed.take_while(|(name, _)| name.starts_with(&prefix)).peekable();
        let (mut text, mut last) = (String::new(), None);
        for (name, (content, version)) in listed.by_ref().take(cloud.page()) {
            text += &if is_azure { blob(name, content, *version) } else { object(name, content, *version) };
            last = Some(name);
        }
        let next = last.filter(|_| listed.peek().is_some()).map(|name| escaped(name));
        let text = match (is_azure, next) {
            (true, next) => format!(
                "<EnumerationResults><Blobs>{text}</Blobs><NextMarker>{}</NextMarker></EnumerationResults>",
                next.unwrap_or_default()
            ),
            (false, Some(next)) => format!(
                "<ListBucketResult>{text}<IsTruncated>true</IsTruncated><NextContinuationToken>{next}\
                 </NextContinuationToken></ListBucketResult>"
            ),
            (false, None) => format!("<ListBucketResult>{text}</ListBucketResult>"),
        };
        Reply::status(200).body(text)
    }

    fn range(&self, name: &str, cloud: Cloud, request: &Recorded) -> Reply {
        let Some((content, version)) = self.objects.get(name) else {
            return cloud.error(404, if cloud == Cloud::Azure { "BlobNotFound" } else { "NoSuchKey" });
        };
        let etag = format!("\"{version}\"");
        if request.header("if-match").is_some_and(|wanted| wanted != etag) {
            return cloud.error(412, if cloud == Cloud::Azure { "ConditionNotMet" } else { "PreconditionFailed" });
        }
        let of = |status| {
            let reply = Reply::status(status).header("etag", &etag);
            reply.header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        };
        let Some(asked) = request.header("range") else { return of(200).body(content.clone()) };
        let (start, end) = asked.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
        let end = end.min(content.len() - 1);
        of(206)
            .header("content-range", &format!("bytes {start}-{end}/{}", content.len()))
            .body(content.slice(start..=end))
    }
}

fn object(name: &str, content: &Bytes, version: u32) -> String {
    let (name, size, at) = (escaped(name), content.len(), "1994-11-06T08:49:37.000Z");
    format!(
        "<Contents><Key>{name}</Key><LastModified>{at}</LastModified><ETag>\"{version}\"</ETag><Size>{size}</Size></Contents>"
    )
}

fn blob(name: &str, content: &Bytes, version: u32) -> String {
    let (name, size, at) = (escaped(name), content.len(), "Sun, 06 Nov 1994 08:49:37 GMT");
    format!(
        "<Blob><Name>{name}</Name><Properties><Last-Modified>{at}</Last-Modified><Etag>{version}</Etag>\
         <Content-Length>{size}</Content-Length><Content-Type>text/csv</Content-Type></Properties></Blob>"
    )
}

/// A name in XML, as far as XML can have it.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '&' => text += "&amp;",
            '<' => text += "&lt;",
            letter if letter.is_control() => text += &format!("&#{};", u32::from(letter)),
            letter => text.push(letter),
        }
    }
    text
}

/// A field of a request's query, where a plus stands for a space.
fn field(request: &Recorded, name: &str) -> Option<String> {
    let query = request.uri.query().unwrap_or_default().replace('+', " ");
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(decoded))
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
