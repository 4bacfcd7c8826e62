//! The JSON that crosses the boundary beside the values of [`crate::destination`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::destination::{Delivery, Operator};
use crate::renewal::RefreshToken;

/// Request of `check`.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckRequest {
    pub settings: Value,
    #[serde(default)]
    pub operator: Operator,
}

/// Request of `open`.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenRequest {
    pub settings: Value,
    #[serde(default)]
    pub operator: Operator,
    pub delivery: Delivery,
}

/// Answer of a call that failed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Failure {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What the answer of any call may have beside the rest.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Renewed {
    #[serde(default)]
    pub refresh_token: Option<RefreshToken>,
}

/// A duration as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(|value| u64::try_from(value.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
