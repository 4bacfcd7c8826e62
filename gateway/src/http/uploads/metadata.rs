//! The header `Upload-Metadata`: pairs of a key and a value in Base64.

use super::refused::Refused;
use base64::{Engine, engine::general_purpose::STANDARD};

/// The longest header that is read, in bytes.
const LONGEST: usize = 10 << 10;

/// What is told of an upload when it is created. All else is for clients alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// As clients of tus say it: `filename`.
    pub file_name: Option<String>,
    /// The global id of the account whose it will be: `accountId`.
    pub account: Option<String>,
}

impl Metadata {
    /// Reads the header.
    ///
    /// # Errors
    /// Where it is too long, or not as the protocol has it.
    pub fn parse(header: &[u8]) -> Result<Self, Refused> {
        let malformed = || {
            Refused::Malformed(
                "Upload-Metadata is pairs of a key and a value in Base64, separated by commas; each key once.",
            )
        };
        if header.len() > LONGEST {
            return Err(Refused::Malformed("Upload-Metadata has at most 10 KiB."));
        }
        let mut metadata = Self::default();
        let mut seen = Vec::new();
        let header = std::str::from_utf8(header).map_err(|_| malformed())?;
        for pair in header.split(',') {
            let (key, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
            if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) || seen.contains(&key) {
                return Err(malformed());
            }
            seen.push(key);
            let value = STANDARD.decode(value).map_err(|_| malformed())?;
            let known = match key {
                "filename" => &mut metadata.file_name,
                "accountId" => &mut metadata.account,
                _ => continue,
            };
            *known = Some(String::from_utf8(value).map_err(|_| malformed())?);
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_read() {
        for (header, file_name, account) in [
            ("filename Y3VzdG9tZXJzLmNzdg==,accountId QQ==", Some("customers.csv"), Some("A")),
            ("filename Y3VzdG9tZXJzLmNzdg==, accountId QQ==,is_confidential", Some("customers.csv"), Some("A")),
            ("filename 44GC", Some("あ"), None),
            ("filename ", Some(""), None),
            ("filename", Some(""), None),
            ("Filename QQ==,other /w==", None, None),
        ] {
            let expected = Metadata { file_name: file_name.map(str::to_owned), account: account.map(str::to_owned) };
            assert_eq!(Metadata::parse(header.as_bytes()).unwrap(), expected, "{header}");
        }
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        let long = format!("filename {}", "QUFB".repeat(LONGEST / 4));
        let many = "a,".repeat(LONGEST / 2);
        for header in
            ["", ",", "filename QQ==,", "filename QQ", "filename Q Q=", "filename /w==", "a,a", "é QQ==", &long, &many]
        {
            assert!(Metadata::parse(header.as_bytes()).is_err(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_too_odd(header in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Metadata::parse(&header);
        }
    }
}
