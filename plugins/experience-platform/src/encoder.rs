//! What is in a file: a profile a line, as XDM has it.
//! <https://experienceleague.adobe.com/en/docs/experience-platform/xdm/field-groups/profile/segmentation>
//!
//! ```json
//! {
//!   "identityMap": {"Email_LC_SHA256": [{"id": "ba7816bf…", "primary": true}]},
//!   "segmentMembership": {
//!     "Entente": {"spring-shoes": {"status": "realized", "lastQualificationTime": "2026-01-31T12:00:00Z"}}
//!   }
//! }
//! ```

use chrono::{DateTime, SecondsFormat, Utc};
use entente_destination::rows::{Change, Row};
use entente_destination::{DestinationError, IdentityFormat};
use serde_json::json;

use crate::config::Settings;

/// The lines of a file.
///
/// # Errors
/// `Config` for a match key without a namespace.
pub fn lines(settings: &Settings, rows: &[Row<'_>], now: DateTime<Utc>) -> Result<String, DestinationError> {
    let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut lines = String::with_capacity(rows.len() * 256);
    for row in rows {
        let status = match row.change {
            Change::Added => "realized",
            Change::Removed => "exited",
        };
        let identity = json!([{"id": IdentityFormat::Hex.write(row.identity), "primary": true}]);
        let membership = json!({"status": status, "lastQualificationTime": now});
        let profile = json!({
            "identityMap": {settings.namespace(row.match_key)?: identity},
            "segmentMembership": {&settings.audience_namespace: {&settings.audience_id: membership}},
        });
        lines.push_str(&profile.to_string());
        lines.push('\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::Value;

    use super::*;

    #[test]
    fn profiles_are_written_as_documented() {
        let settings: Settings = serde_json::from_value(json!({
            "organization_id": "A@AdobeOrg", "client_id": "", "client_secret": "", "dataset_id": "d",
            "audience_namespace": "Entente", "audience_id": "spring-shoes", "namespaces": {"crm_id": "LumaCrm"},
        }))
        .unwrap();
        let row = |match_key, change| Row { match_key, identity: &[0xab; 32], change };
        let rows = [row("hashed_email", Change::Added), row("crm_id", Change::Removed)];
        let now = DateTime::from_timestamp(1_769_860_800, 5).unwrap();
        let lines = lines(&settings, &rows, now).unwrap();
        let profiles: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let profile = |namespace: &str, status: &str| {
            let membership = json!({"status": status, "lastQualificationTime": "2026-01-31T12:00:00Z"});
            json!({
                "identityMap": {namespace: [{"id": "ab".repeat(32), "primary": true}]},
                "segmentMembership": {"Entente": {"spring-shoes": membership}},
            })
        };
        assert_eq!(profiles, [profile("Email_LC_SHA256", "realized"), profile("LumaCrm", "exited")]);
    }
}
