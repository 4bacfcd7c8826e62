//! The lines that a table's query is answered by, each a JSON object with one field that says what it is.
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md#api-response-actions-in-parquet-format>

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::SourceError;

/// The longest id of a file.
const MOST_ID_BYTES: usize = 512;
/// The longest address of a file, with its signature.
const MOST_URL_BYTES: usize = 16 << 10;
/// The longest token for the next page.
const MOST_TOKEN_BYTES: usize = 64 << 10;

/// What of Delta cannot be read as Parquet files alone: rows that were deleted would be read, or columns under other
/// names.
pub const FEATURES: SourceError = SourceError::Format(
    "the table uses deletion vectors, column mapping or another feature of Delta that is not supported: whoever shares it \
     can turn it off, or share a plain copy",
);

/// Files of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the server's order.
    pub files: Vec<File>,
    /// What is asked with for the next page, where there is one.
    pub next: Option<String>,
}

/// A file of a table. It never changes: another content has another id.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Printable ASCII without a slash.
    pub id: String,
    /// Where it is read, as long as the signature in it is good.
    pub url: String,
    /// Its bytes.
    pub size: u64,
    /// When the signature ends, in milliseconds since 1970, where that is told.
    pub until: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    protocol: Option<Protocol>,
    #[serde(default)]
    meta_data: Option<Metadata>,
    #[serde(default)]
    file: Option<FileLine>,
    #[serde(default)]
    end_stream_action: Option<End>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    #[serde(default)]
    min_reader_version: Option<u64>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    format: Option<Provider>,
    #[serde(default)]
    configuration: HashMap<String, Value>,
}

#[derive(Deserialize)]
struct Provider {
    provider: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileLine {
    #[serde(default)]
    id: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    expiration_timestamp: Option<i64>,
    /// There in Delta's own format, which was not asked for.
    #[serde(default)]
    delta_single_action: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct End {
    #[serde(default)]
    next_page_token: Option<String>,
    #[serde(default)]
    error_message: Option<IgnoredAny>,
}

/// Reads a page. The first has to say how the table is kept; each has to end as the server said that it would.
///
/// # Errors
/// `FEATURES` for a table that cannot be read, `Name` for a file that cannot be asked for, `Unreachable` for what broke
/// off, and `Unexpected` for anything else.
pub fn page(body: &[u8], is_first: bool, has_end: bool) -> Result<Page, SourceError> {
    let mut page = Page::default();
    let (mut protocol, mut metadata, mut ended) = (!is_first, !is_first, false);
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if ended {
            return Err(strange());
        }
        match serde_json::from_slice(line).map_err(|_| strange())? {
            Line { protocol: Some(found), .. } => {
                protocol = true;
                found.checked()?;
            }
            Line { meta_data: Some(found), .. } => {
                metadata = true;
                found.checked()?;
            }
            Line { file: Some(found), .. } => page.files.push(found.checked()?),
            Line { end_stream_action: Some(end), .. } => {
                ended = true;
                page.next = end.checked()?;
            }
            _ => return Err(strange()),
        }
    }
    match protocol && metadata {
        true if has_end && !ended => Err(broken_off()),
        true => Ok(page),
        false => Err(strange()),
    }
}

impl Protocol {
    fn checked(&self) -> Result<(), SourceError> {
        // Delta's own format, which was not asked for, tells no version here.
        if self.min_reader_version == Some(1) { Ok(()) } else { Err(FEATURES) }
    }
}

impl Metadata {
    fn checked(&self) -> Result<(), SourceError> {
        let is = |key: &str, value: &str| {
            let held = self.configuration.get(key).and_then(Value::as_str);
            held.is_some_and(|held| held.eq_ignore_ascii_case(value))
        };
        let maps_columns = self.configuration.contains_key("delta.columnMapping.mode");
        if is("delta.enableDeletionVectors", "true") || (maps_columns && !is("delta.columnMapping.mode", "none")) {
            return Err(FEATURES);
        }
        match &self.format {
            Some(format) if format.provider.eq_ignore_ascii_case("parquet") => Ok(()),
            Some(_) => Err(SourceError::Format("the table is not kept in Parquet files")),
            None => Err(FEATURES),
        }
    }
}

impl FileLine {
    fn checked(self) -> Result<File, SourceError> {
        if self.delta_single_action.is_some() {
            return Err(FEATURES);
        }
        let sound = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        if !(1..=MOST_ID_BYTES).contains(&self.id.len()) || !self.id.bytes().all(sound) {
            return Err(SourceError::Name);
        }
        if self.url.is_empty() || self.url.len() > MOST_URL_BYTES {
            return Err(strange());
        }
        Ok(File { id: self.id, url: self.url, size: self.size, until: self.expiration_timestamp })
    }
}

impl End {
    fn checked(self) -> Result<Option<String>, SourceError> {
        if self.error_message.is_some() {
            return Err(broken_off());
        }
        match self.next_page_token {
            Some(token) if token.len() > MOST_TOKEN_BYTES => Err(strange()),
            token => Ok(token.filter(|token| !token.is_empty())),
        }
    }
}

fn broken_off() -> SourceError {
    SourceError::Unreachable("the server of the share broke off while it told the table's files".to_owned())
}

/// What it means that an answer is none of the protocol. The reader's own message may quote what it read.
pub fn strange() -> SourceError {
    SourceError::Unexpected("the server of the share did not answer as the protocol says".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn head() -> [Value; 2] {
        [
            json!({"protocol": {"minReaderVersion": 1}}),
            json!({"metaData": {"id": "t", "format": {"provider": "parquet"}, "schemaString": "", "partitionColumns": []}}),
        ]
    }

    fn file(id: &str) -> Value {
        let stats = "{\"numRecords\":1,\"minValues\":{\"email\":\"ada@example.com\"}}";
        let url = "https://luma.example/a.parquet?signature=s3cret";
        json!({"file": {
            "id": id, "url": url, "size": 573, "partitionValues": {}, "stats": stats, "expirationTimestamp": 1,
        }})
    }

    fn read(lines: &[Value]) -> Result<Page, SourceError> {
        let text: Vec<_> = lines.iter().map(Value::to_string).collect();
        page(text.join("\n").as_bytes(), true, false)
    }

    fn with_head(line: Value) -> Result<Page, SourceError> {
        let [protocol, metadata] = head();
        read(&[protocol, metadata, line])
    }

    #[test]
    fn files_and_the_token_of_the_next_page_are_read() {
        let [protocol, metadata] = head();
        let end = json!({"endStreamAction": {"nextPageToken": "t0ken", "minUrlExpirationTimestamp": 1, "new": {}}});
        let page = read(&[protocol, metadata, file("a"), file("b"), end]).unwrap();
        assert_eq!(page.files.iter().map(|file| file.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((page.files[0].size, page.files[0].until), (573, Some(1)));
        assert_eq!(page.next.as_deref(), Some("t0ken"));
        assert_eq!(with_head(json!({"endStreamAction": {"nextPageToken": ""}})).unwrap(), Page::default());
        let later = super::page(file("c").to_string().as_bytes(), false, false).unwrap();
        assert_eq!(later.files[0].id, "c");
    }

    #[test]
    fn tables_that_cannot_be_read_are_refused() {
        let format = json!({"provider": "parquet"});
        let configured =
            |key: &str, value: &str| json!({"metaData": {"format": format, "configuration": {key: value}}});
        for (line, kind) in [
            (configured("delta.enableDeletionVectors", "true"), "FORMAT"),
            (configured("delta.enableDeletionVectors", "false"), "-"),
            (configured("delta.columnMapping.mode", "name"), "FORMAT"),
            (configured("delta.columnMapping.mode", "none"), "-"),
            (configured("enableChangeDataFeed", "true"), "-"),
            (json!({"metaData": {"format": {"provider": "orc"}}}), "FORMAT"),
            (json!({"metaData": {"deltaMetadata": {"partitionColumns": []}}}), "FORMAT"),
            (json!({"protocol": {"minReaderVersion": 3}}), "FORMAT"),
            (
                json!({"protocol": {"deltaProtocol": {"minReaderVersion": 3, "readerFeatures": ["deletionVectors"]}}}),
                "FORMAT",
            ),
            (json!({"file": {"id": "a", "deltaSingleAction": {"add": {"deletionVector": {}}}}}), "FORMAT"),
            (json!({"file": {"id": "a", "size": 1}}), "UNEXPECTED"),
            (json!({"file": {"id": "a", "url": "u".repeat(MOST_URL_BYTES + 1), "size": 1}}), "UNEXPECTED"),
            (json!({"file": {"id": "a", "url": "u", "size": -1}}), "UNEXPECTED"),
            (file(""), "NAME"),
            (file("../a"), "NAME"),
            (file("a\nb"), "NAME"),
            (file(&"a".repeat(MOST_ID_BYTES + 1)), "NAME"),
            (json!({"remove": {"id": "a"}}), "UNEXPECTED"),
            (json!({}), "UNEXPECTED"),
            (json!([]), "UNEXPECTED"),
            (json!({"endStreamAction": {"errorMessage": "s3cret"}}), "UNREACHABLE"),
            (json!({"endStreamAction": {"nextPageToken": "t".repeat(MOST_TOKEN_BYTES + 1)}}), "UNEXPECTED"),
        ] {
            let told = with_head(line.clone());
            assert_eq!(told.as_ref().map_or_else(SourceError::kind, |_| "-"), kind, "{line}");
            assert!(!told.is_err_and(|error| error.to_string().contains("s3cret")));
        }
    }

    #[test]
    fn an_answer_has_a_head_and_the_end_that_was_promised() {
        let [protocol, metadata] = head();
        let end = json!({"endStreamAction": {}});
        for lines in [vec![], vec![protocol.clone()], vec![metadata.clone()], vec![protocol.clone(), file("a")]] {
            assert_eq!(read(&lines).unwrap_err().kind(), "UNEXPECTED");
        }
        assert_eq!(
            read(&[protocol.clone(), metadata.clone(), end.clone(), file("a")]).unwrap_err().kind(),
            "UNEXPECTED"
        );
        let body = format!("{protocol}\r\n{metadata}\n\n{}\n", file("a"));
        assert!(page(body.as_bytes(), true, false).is_ok());
        assert_eq!(page(body.as_bytes(), true, true).unwrap_err().kind(), "UNREACHABLE");
        assert!(page(format!("{body}{end}\n").as_bytes(), true, true).is_ok());
        assert_eq!(page(&body.as_bytes()[..body.len() - 9], true, false).unwrap_err().kind(), "UNEXPECTED");
    }

    proptest! {
        #[test]
        fn any_cut_is_read_in_part_or_told(
            ids in proptest::collection::vec("[a-z0-9-]{1,20}", 0..5),
            cut in 0..3000usize,
        ) {
            let lines = head().into_iter().chain(ids.iter().map(|id| file(id)));
            let lines: Vec<_> = lines.map(|line| line.to_string()).collect();
            let body = lines.join("\n");
            let cut = cut.min(body.len());
            if let Ok(page) = page(&body.as_bytes()[..cut], true, false) {
                let read: Vec<_> = page.files.iter().map(|file| &file.id).collect();
                prop_assert_eq!(read, ids.iter().take(page.files.len()).collect::<Vec<_>>());
            }
        }

        #[test]
        fn hostile_lines_are_read_or_told(text in "[\\PC\n\\\\\"{}:]{0,200}", bytes: Vec<u8>) {
            let _ = page(text.as_bytes(), true, true);
            let _ = page(&bytes, false, false);
        }
    }
}
