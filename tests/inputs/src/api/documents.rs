//! GraphQL documents.

use super::gateway::ask;
use serde_json::{Value, json};

/// A document is answered or refused.
pub fn documents(input: &[u8]) {
    answered(&String::from_utf8_lossy(input), Value::Null);
}

/// Asks, and sees that there is an answer or a refusal.
pub fn answered(document: &str, variables: Value) {
    for (status, answer) in ask(json!({ "query": document, "variables": variables }).to_string().as_bytes()) {
        let refused = answer["errors"].as_array().is_some_and(|errors| !errors.is_empty());
        assert!(refused || answer["data"].is_object(), "{status} {answer}");
    }
}
