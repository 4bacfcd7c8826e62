//! Which documents are answered: any, those that were sent before by their hash, or only those of the operator's file.

use crate::{http::graphql_request::Refused, settings::Settings};
use async_graphql::{
    Request,
    parser::{
        parse_query,
        types::{ExecutableDocument, Selection, SelectionSet},
    },
};
use quick_cache::{Weighter, sync::Cache};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Names and aliases of a document take this many bytes at most; values belong into variables.
const LONGEST: usize = 64 << 10;
/// Bytes of documents that are kept to be asked for by their hash.
const KEPT: u64 = 16 << 20;
/// What a kept document takes beside its text.
const BESIDE: u64 = 128;

type Hash = [u8; 32];

const MALFORMED: Refused = Refused::malformed("`persistedQuery` is a `version` of 1 and a `sha256Hash` of 64 digits.");
const NOT_FOUND: Refused = Refused::document("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
const NOT_ALLOWED: Refused =
    Refused::document("DOCUMENT_NOT_ALLOWED", "This gateway answers only the documents that its operator listed.");
const NO_INTROSPECTION: Refused =
    Refused::document("INTROSPECTION_DISABLED", "Introspection is switched off. Read schema.graphql.");

/// The documents of this gateway.
pub struct Documents {
    trusted: HashMap<Hash, Arc<str>>,
    only_trusted: bool,
    introspection: bool,
    persisted: Cache<Hash, Arc<str>, Bytes>,
}

/// Weighs documents by their bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<Hash, Arc<str>> for Bytes {
    fn weight(&self, _: &Hash, document: &Arc<str>) -> u64 {
        document.len() as u64 + BESIDE
    }
}

/// A file of documents that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// It is not there, or not readable.
    #[error("the file of `documents`, {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It is something else.
    #[error("the file of `documents`, {0}, is not one JSON object of SHA-256 and document: {1}")]
    NotDocuments(PathBuf, serde_json::Error),
    /// A document's name is not its hash.
    #[error("the file of `documents`: `{0}` is not the SHA-256 of its document")]
    OtherHash(String),
    /// A document cannot be parsed.
    #[error("the file of `documents`: {0} is not a GraphQL document of at most 64 KiB")]
    NoDocument(String),
}

/// What a client sends as `extensions.persistedQuery`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery {
    version: u32,
    sha256_hash: String,
}

impl Documents {
    /// Reads the file that the settings name.
    pub fn read(settings: &Settings) -> Result<Self, DocumentsError> {
        let trusted = match settings.documents.as_str() {
            "" => HashMap::new(),
            path => trusted(Path::new(path))?,
        };
        Ok(Self {
            trusted,
            only_trusted: settings.documents_only,
            introspection: settings.introspection,
            persisted: Cache::with_weighter(1_000, KEPT, Bytes),
        })
    }

    /// Puts the document into a request that names it by its hash; refuses one that is not answered here.
    pub fn admit(&self, request: &mut Request) -> Result<(), Refused> {
        if request.query.len() > LONGEST {
            return Err(Refused::malformed("The document is longer than 64 KiB."));
        }
        let named = named(request)?;
        if request.query.is_empty() {
            let named = named.ok_or(Refused::malformed("`query` is empty."))?;
            request.query = self.by_hash(&named)?.as_ref().to_owned();
        } else if named.is_some() || self.only_trusted {
            let hash: Hash = Sha256::digest(&request.query).into();
            self.keep(hash, named, &request.query)?;
        }
        match request.parsed_query() {
            Ok(document) if !self.introspection && asks_for_introspection(document) => Err(NO_INTROSPECTION),
            _ => Ok(()),
        }
    }

    fn by_hash(&self, hash: &Hash) -> Result<Arc<str>, Refused> {
        match self.trusted.get(hash) {
            Some(document) => Ok(document.clone()),
            None if self.only_trusted => Err(NOT_ALLOWED),
            None => self.persisted.get(hash).ok_or(NOT_FOUND),
        }
    }

    /// Keeps a document that came with its hash.
    fn keep(&self, hash: Hash, named: Option<Hash>, document: &str) -> Result<(), Refused> {
        if named.is_some_and(|named| named != hash) {
            return Err(Refused::malformed("`sha256Hash` is not the SHA-256 of the document."));
        }
        match self.trusted.contains_key(&hash) {
            true => Ok(()),
            false if self.only_trusted => Err(NOT_ALLOWED),
            false => {
                self.persisted.insert(hash, document.into());
                Ok(())
            }
        }
    }
}

/// The hash by which a request names its document.
fn named(request: &mut Request) -> Result<Option<Hash>, Refused> {
    let Some(value) = request.extensions.remove("persistedQuery") else { return Ok(None) };
    let named: PersistedQuery = async_graphql::from_value(value).map_err(|_| MALFORMED)?;
    let hash = parse_hash(&named.sha256_hash).filter(|_| named.version == 1);
    Ok(Some(hash.ok_or(MALFORMED)?))
}

/// Reads the digits of a SHA-256, also as the identifier of a document that GraphQL over HTTP makes of them.
fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    hex::decode_to_slice(digits, &mut hash).ok().map(|()| hash)
}

/// The documents of a file, each by its hash.
fn trusted(path: &Path) -> Result<HashMap<Hash, Arc<str>>, DocumentsError> {
    let text = std::fs::read(path).map_err(|e| DocumentsError::Unreadable(path.to_owned(), e))?;
    let listed: HashMap<String, String> =
        serde_json::from_slice(&text).map_err(|e| DocumentsError::NotDocuments(path.to_owned(), e))?;
    let checked = listed.into_iter().map(|(name, document)| {
        let hash: Hash = Sha256::digest(&document).into();
        if parse_hash(&name) != Some(hash) {
            return Err(DocumentsError::OtherHash(name));
        }
        if document.len() > LONGEST || parse_query(&document).is_err() {
            return Err(DocumentsError::NoDocument(name));
        }
        Ok((hash, document.into()))
    });
    checked.collect()
}

/// Whether a document asks anywhere for the schema itself.
fn asks_for_introspection(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).any(selects_introspection)
}

fn selects_introspection(selected: &SelectionSet) -> bool {
    selected.items.iter().any(|item| match &item.node {
        Selection::Field(field) => {
            matches!(field.node.name.node.as_str(), "__schema" | "__type")
                || selects_introspection(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => selects_introspection(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => false,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use async_graphql::Variables;
    use std::io::Write;

    fn documents(trusted: HashMap<Hash, Arc<str>>, only_trusted: bool) -> Documents {
        Documents { trusted, only_trusted, introspection: false, persisted: Cache::with_weighter(10, KEPT, Bytes) }
    }

    fn asked(document: &str, hash: Option<Hash>) -> Request {
        let mut request = Request::new(document).variables(Variables::default());
        if let Some(hash) = hash {
            let named = async_graphql::value!({ "version": 1, "sha256Hash": (hex::encode(hash)) });
            request.extensions.insert("persistedQuery".to_owned(), named);
        }
        request
    }

    fn hash(document: &str) -> Hash {
        Sha256::digest(document).into()
    }

    #[test]
    fn a_document_is_known_by_its_hash_once_it_came_with_it() {
        let documents = documents(HashMap::new(), false);
        let (one, other) = ("{ viewer { kind } }", "{ __typename }");
        assert_eq!(documents.admit(&mut asked("", Some(hash(one)))), Err(NOT_FOUND));
        assert_eq!(documents.admit(&mut asked(other, Some(hash(one)))).unwrap_err().code, "BAD_REQUEST");
        assert_eq!(documents.admit(&mut asked("", Some(hash(one)))), Err(NOT_FOUND));
        documents.admit(&mut asked(one, Some(hash(one)))).unwrap();
        let mut again = asked("", Some(hash(one)));
        documents.admit(&mut again).unwrap();
        assert_eq!(again.query, one);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let documents = documents(HashMap::new(), false);
        for i in 0..400 {
            let document = format!("{{ a{i}: __typename {} }}", " ".repeat(60_000));
            documents.admit(&mut asked(&document, Some(hash(&document)))).unwrap();
        }
        assert!(documents.persisted.weight() <= KEPT, "{}", documents.persisted.weight());
    }

    #[test]
    fn only_what_is_listed_is_answered() {
        let listed = "{ viewer { kind } }";
        let documents = documents(HashMap::from([(hash(listed), listed.into())]), true);
        for (document, named, admitted) in [
            (listed, None, true),
            (listed, Some(hash(listed)), true),
            ("", Some(hash(listed)), true),
            ("{ __typename }", None, false),
            ("{ __typename }", Some(hash("{ __typename }")), false),
            ("", Some(hash("{ __typename }")), false),
        ] {
            let expected = if admitted { Ok(()) } else { Err(NOT_ALLOWED) };
            assert_eq!(documents.admit(&mut asked(document, named)), expected, "{document}");
        }
    }

    #[test]
    fn introspection_is_found_wherever_it_hides() {
        for (document, found) in [
            ("{ __schema { types { name } } }", true),
            ("{ a: __type(name: \"Query\") { name } }", true),
            ("{ ... { ... on Query { __schema { types { name } } } } }", true),
            ("query { ...f } fragment f on Query { __schema { types { name } } }", true),
            ("query A { viewer { kind } } query B { __schema { types { name } } }", true),
            ("{ __typename viewer { __typename } }", false),
            ("{ viewer { __schema: kind } }", false),
        ] {
            assert_eq!(asks_for_introspection(&parse_query(document).unwrap()), found, "{document}");
        }
    }

    #[test]
    fn a_file_that_does_not_keep_its_word_is_refused() {
        let refusal = |text: String| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            trusted(file.path()).map(|documents| documents.len()).map_err(|e| e.to_string())
        };
        let named = |name: &str, document: &str| serde_json::json!({ name: document }).to_string();
        let good = "{ viewer { kind } }";
        assert_eq!(refusal(named(&hex::encode(hash(good)), good)), Ok(1));
        assert_eq!(refusal(named(&format!("sha256:{}", hex::encode(hash(good))), good)), Ok(1));
        for (text, says) in [
            ("[]".to_owned(), "not one JSON object"),
            (named("1", good), "is not the SHA-256"),
            (named(&format!("sha1:{}", hex::encode(hash(good))), good), "is not the SHA-256"),
            (named(&hex::encode(hash("{")), "{"), "not a GraphQL document"),
        ] {
            assert!(refusal(text).unwrap_err().contains(says), "{says}");
        }
    }
}
