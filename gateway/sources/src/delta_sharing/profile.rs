//! The profile file that whoever shares a table hands out.
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md#profile-file-format>

use chrono::{DateTime, NaiveDateTime, Utc};
use entente_destination::Secret;
use serde::Deserialize;

use crate::bucket::{checked_endpoint, is_plain};
use crate::error::SourceError;

/// Where tables are shared, and the token that is asked for.
#[derive(Debug)]
pub struct Profile {
    /// The server's address, without a slash at its end.
    pub endpoint: String,
    token: Secret<String>,
    until: Option<DateTime<Utc>>,
}

/// The file. What else is in it is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    share_credentials_version: u64,
    /// How to sign in, from version 2 on.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    endpoint: String,
    #[serde(default)]
    bearer_token: Option<Secret<String>>,
    #[serde(default)]
    expiration_time: Option<String>,
}

impl Profile {
    /// Reads the content of a profile file.
    ///
    /// # Errors
    /// `Settings` for what is none, and for one that signs in by anything but a bearer token.
    pub fn parse(content: &str) -> Result<Self, SourceError> {
        let wrong = |what: &str| SourceError::Settings(format!("`profile` {what}"));
        let unreadable = || {
            wrong("is not the content of a profile file: JSON with shareCredentialsVersion, endpoint and bearerToken")
        };
        let file: File = serde_json::from_str(content).map_err(|_| unreadable())?;
        match (file.share_credentials_version, file.kind.as_deref()) {
            (1, _) | (2, Some("bearer_token")) => {}
            (2, _) => return Err(wrong("signs in by OAuth or a password; ask for one with a bearer token")),
            _ => return Err(wrong("is of a version that is not known: 1 and 2 are")),
        }
        let token = file.bearer_token.filter(|token| is_plain(token.reveal())).ok_or_else(unreadable)?;
        let endpoint = checked_endpoint(Some(&file.endpoint))?.ok_or_else(unreadable)?;
        let until = file.expiration_time.as_deref().map(|time| moment(time).ok_or_else(unreadable)).transpose()?;
        Ok(Self { endpoint, token, until })
    }

    /// The value of the header that signs requests in.
    ///
    /// # Errors
    /// `Credentials` where the token has run out.
    pub fn authorization(&self, now: DateTime<Utc>) -> Result<Secret<String>, SourceError> {
        match self.until {
            Some(until) if until <= now => {
                let until = until.format("%Y-%m-%d %H:%M:%S");
                let why = format!("the profile's token was good until {until} UTC; ask for a new profile");
                Err(SourceError::Credentials(why))
            }
            _ => Ok(Secret::new(format!("Bearer {}", self.token.reveal()))),
        }
    }
}

/// A moment as ISO 8601 writes it, in UTC where it does not say.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let with_zone = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    with_zone.or_else(|| Some(text.parse::<NaiveDateTime>().ok()?.and_utc()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::{Value, json};

    fn profile(field: &str, value: Value) -> Result<Profile, SourceError> {
        let mut profile = json!({
            "shareCredentialsVersion": 1,
            "endpoint": "https://sharing.luma.example/delta-sharing/",
            "bearerToken": "s3cret",
            "expirationTime": "2026-11-12T00:12:29.0Z",
            "icebergEndpoint": "https://sharing.luma.example/iceberg",
        });
        profile[field] = value;
        Profile::parse(&profile.to_string())
    }

    #[test]
    fn profiles_with_a_bearer_token_are_taken() {
        let taken = profile("shareCredentialsVersion", json!(1)).unwrap();
        assert_eq!(taken.endpoint, "https://sharing.luma.example/delta-sharing");
        let mut second = json!({
            "shareCredentialsVersion": 2, "type": "bearer_token", "endpoint": "https://a.example", "bearerToken": "a",
        });
        assert!(Profile::parse(&second.to_string()).is_ok());
        second["type"] = json!("oauth_client_credentials");
        let told = Profile::parse(&second.to_string()).unwrap_err();
        assert!(told.to_string().contains("OAuth"), "{told}");
    }

    #[test]
    fn others_are_refused_without_telling_the_token() {
        for (field, value) in [
            ("shareCredentialsVersion", json!(3)),
            ("shareCredentialsVersion", json!(2)),
            ("shareCredentialsVersion", json!("1")),
            ("endpoint", json!("ftp://sharing.luma.example")),
            ("endpoint", json!("https://luma:s3cret@sharing.luma.example")),
            ("endpoint", json!("https://sharing.luma.example/?token=s3cret")),
            ("bearerToken", json!(null)),
            ("bearerToken", json!("")),
            ("bearerToken", json!("s3cret\r\nx: y")),
            ("bearerToken", json!(["s3cret"])),
            ("expirationTime", json!("tomorrow s3cret")),
        ] {
            let told = profile(field, value).unwrap_err();
            assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("SETTINGS", false), "{field}: {told}");
        }
        for text in ["", "s3cret", "[1]", "{\"shareCredentialsVersion\": 1}"] {
            assert_eq!(Profile::parse(text).unwrap_err().kind(), "SETTINGS");
        }
    }

    #[test]
    fn a_token_is_used_until_it_ends() {
        let at = |text: &str| moment(text).unwrap();
        for until in ["2026-11-12T00:12:29.0Z", "2026-11-12T01:12:29+01:00", "2026-11-12T00:12:29"] {
            let profile = profile("expirationTime", json!(until)).unwrap();
            assert!(profile.authorization(at("2026-11-12T00:12:28Z")).is_ok(), "{until}");
            let told = profile.authorization(at("2026-11-12T00:12:29Z")).unwrap_err();
            assert_eq!(told.kind(), "CREDENTIALS", "{until}");
            assert!(told.to_string().contains("2026-11-12 00:12:29 UTC"), "{told}");
        }
        let endless = profile("expirationTime", json!(null)).unwrap();
        assert_eq!(endless.authorization(at("2999-01-01T00:00:00Z")).unwrap().reveal(), "Bearer s3cret");
    }
}
