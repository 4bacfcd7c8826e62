//! What a plugin prints to its standard error, as events of the gateway's log: so many lines of so many characters, and
//! with none of the settings in them.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tracing::info;

/// The most lines of one worker that are kept.
const MAX_LINES: usize = 200;
/// The most bytes of a line.
const MAX_LINE: u64 = 2000;
/// Shorter settings occur in lines by chance.
const MIN_SETTING: usize = 4;

/// The texts that must not be logged.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden(Arc<Mutex<Vec<String>>>);

impl Hidden {
    /// Hides every text in `settings` from now on.
    pub fn hide(&self, settings: &Value) {
        let mut found = Vec::new();
        collect(settings, &mut found);
        let mut hidden = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.extend(found);
        // Longer ones first, so that none is left over in part.
        hidden.sort_unstable_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        hidden.dedup();
    }

    fn apply(&self, line: &str) -> String {
        let hidden = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.iter().fold(line.to_owned(), |line, text| line.replace(text.as_str(), "[setting]"))
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= MIN_SETTING => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// Logs what comes until it ends; beyond the bounds it is read and dropped, so that the plugin never waits for us.
pub(super) async fn log(stderr: impl AsyncRead + Unpin, plugin: String, hidden: Hidden) {
    let mut reader = BufReader::new(stderr);
    for _ in 0..MAX_LINES {
        let mut line = Vec::new();
        match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let line = hidden.apply(String::from_utf8_lossy(&line).trim_end());
                info!(%plugin, %line, "plugin printed");
            }
        }
    }
    let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_not_logged() {
        let hidden = Hidden::default();
        hidden.hide(&json!({"token": "hunter2", "nested": [{"key": "hunter2-long"}], "short": "abc", "number": 7}));
        assert_eq!(hidden.apply("tried hunter2-long, then hunter2; abc 7"), "tried [setting], then [setting]; abc 7");
    }
}
