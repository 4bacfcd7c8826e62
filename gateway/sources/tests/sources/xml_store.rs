//! A stand-in for a service with the XML interface that S3 has and Google after it: it lists in pages, gives ranges,
//! and heeds conditions. What it says beside that, a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use entente_destination::testkit::{FakeServer, Recorded, Reply};
use serde_json::{Value, json};

type Objects = BTreeMap<String, (Vec<u8>, u32)>;

pub struct XmlStore {
    pub server: FakeServer,
    objects: Arc<Mutex<Objects>>,
}

impl XmlStore {
    /// With one bucket, which answers those alone that `knows` lets.
    pub fn start(knows: impl Fn(&Recorded) -> bool + Send + 'static) -> Self {
        let (server, objects) = (FakeServer::start().unwrap(), Arc::new(Mutex::new(Objects::new())));
        let held = objects.clone();
        server.otherwise(
            move |request| if knows(request) { answer(&held.lock().unwrap(), request) } else { refusal(401) },
        );
        Self { server, objects }
    }

    /// Puts an object, or another version of it.
    pub fn put(&self, name: &str, content: &[u8]) {
        let mut objects = self.objects.lock().unwrap();
        let version = objects.get(name).map_or(1, |(_, version)| version + 1);
        objects.insert(name.to_owned(), (content.to_vec(), version));
    }

    /// Settings for S3.
    pub fn settings(&self) -> Value {
        json!({
            "bucket": "luma",
            "endpoint": self.server.url(""),
            "credentials": {"type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": "s3cret"},
        })
    }
}

fn refusal(status: u16) -> Reply {
    error(status, "AuthenticationRequired")
}

/// An answer that tells a code.
pub fn error(status: u16, code: &str) -> Reply {
    let text = format!("<?xml version='1.0'?><Error><Code>{code}</Code><Message>s3cret</Message></Error>");
    Reply::status(status).header("content-type", "application/xml").body(text)
}

fn answer(objects: &Objects, request: &Recorded) -> Reply {
    let path = decoded(request.uri.path());
    match path.strip_prefix("/luma") {
        Some("" | "/") => page(objects, request),
        Some(object) if object.starts_with('/') => range(objects, &object[1..], request),
        _ => error(404, "NoSuchBucket"),
    }
}

fn page(objects: &Objects, request: &Recorded) -> Reply {
    let query = request.uri.query().unwrap_or_default();
    let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(decoded));
    let (prefix, after) = (of("prefix").unwrap_or_default(), of("continuation-token").unwrap_or_default());
    let mut listed = objects.iter().filter(|(name, _)| name.starts_with(&prefix) && **name > after).peekable();
    let mut text = String::from("<ListBucketResult>");
    let mut last = None;
    for (name, (content, version)) in listed.by_ref().take(1_000) {
        let name = name.replace('&', "&amp;").replace('<', "&lt;");
        let (size, at) = (content.len(), "1994-11-06T08:49:37.000Z");
        text += &format!(
            "<Contents><Key>{name}</Key><LastModified>{at}</LastModified><ETag>\"{version}\"</ETag><Size>{size}</Size></Contents>"
        );
        last = Some(name);
    }
    if let (Some(last), Some(_)) = (last, listed.peek()) {
        text += &format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>");
    }
    Reply::status(200).body(text + "</ListBucketResult>")
}

fn range(objects: &Objects, name: &str, request: &Recorded) -> Reply {
    let Some((content, version)) = objects.get(name) else { return error(404, "NoSuchKey") };
    let etag = format!("\"{version}\"");
    if request.header("if-match").is_some_and(|wanted| wanted != etag) {
        return error(412, "PreconditionFailed");
    }
    let asked = request.header("range").unwrap().strip_prefix("bytes=").unwrap();
    let (start, end) = asked.split_once('-').unwrap();
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
    let end = end.min(content.len() - 1);
    Reply::status(206)
        .header("etag", &etag)
        .header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("content-range", &format!("bytes {start}-{end}/{}", content.len()))
        .body(content[start..=end].to_vec())
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
