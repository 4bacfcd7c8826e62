//! What looks like an identifier, so that a preview can hide it. Hides too much rather than too little.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::normalise::is_uuid;

/// What stands in the place of a hidden value.
pub(super) const MASK: &str = "***";

const LONG_DIGITS: usize = 7;
const LONG_HEX: usize = 16;

/// Words of a header behind which identifiers are to be expected.
const TELLING_WORDS: &[&str] = &[
    "email",
    "mail",
    "emails",
    "phone",
    "phones",
    "mobile",
    "msisdn",
    "tel",
    "telephone",
    "cell",
    "ip",
    "ipv4",
    "ipv6",
    "ipaddress",
    "idfa",
    "gaid",
    "aaid",
    "adid",
    "maid",
    "ecid",
    "crm",
    "crmid",
    "loyalty",
    "loyaltyid",
    "customer",
    "customerid",
    "member",
    "memberid",
    "subscriber",
    "user",
    "userid",
    "username",
    "person",
    "personid",
    "device",
    "deviceid",
    "cookie",
    "hash",
    "hashed",
    "sha",
    "sha256",
    "md5",
    "digest",
    "uuid",
    "guid",
    "identity",
    "identifier",
    "firstname",
    "lastname",
    "surname",
    "fullname",
    "address",
    "street",
    "postcode",
    "ssn",
    "passport",
    "birthday",
];

/// Whether a value looks like an e-mail address, a phone number, an IP address, a digest, a UUID or a long number.
pub(super) fn looks_like_identifier(value: &str) -> bool {
    let value = value.trim();
    if is_date(value) {
        return false;
    }
    value.contains('@')
        || value.parse::<IpAddr>().is_ok()
        || is_uuid(value.as_bytes())
        || longest_run(value, |c| c.is_numeric()) >= LONG_DIGITS
        || longest_run(value, |c| c.is_ascii_hexdigit()) >= LONG_HEX
        || is_written_like_a_phone(value)
}

/// Whether a header announces identifiers: `Customer E-Mail`, `hashed_phone`, `deviceId`.
pub(super) fn header_tells(name: &str) -> bool {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase();
    }
    let joined = words.concat();
    words.iter().chain([&joined]).any(|word| TELLING_WORDS.contains(&word.as_str()))
}

/// Whether a value is a day or an instant as computers write them.
pub(super) fn is_date(value: &str) -> bool {
    NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok() || is_instant(value)
}

/// Whether a value is an instant, with or without a zone.
pub(super) fn is_instant(value: &str) -> bool {
    DateTime::parse_from_rfc3339(value).is_ok()
        || ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .any(|format| NaiveDateTime::parse_from_str(value, format).is_ok())
}

fn is_written_like_a_phone(value: &str) -> bool {
    let digits = value.chars().filter(|c| c.is_numeric()).count();
    digits >= LONG_DIGITS && value.chars().all(|c| c.is_numeric() || " +-()./".contains(c))
}

fn longest_run(value: &str, wanted: impl Fn(char) -> bool) -> usize {
    value.split(|c| !wanted(c)).map(|run| run.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_seen_whatever_they_are_in() {
        for value in [
            "alice@example.com",
            "Alice <alice@example.com>",
            "+44 20 7946 0018",
            "(650) 253-0000",
            "02079460018",
            "192.0.2.7",
            "2001:db8::1",
            "6D92078A-8246-4BA4-AE5B-76104861E7DC",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "sha:9f86d081884c7d659a2f",
            "C-00123456789",
        ] {
            assert!(looks_like_identifier(value), "{value}");
        }
        for value in [
            "Runners",
            "2026-01-31",
            "2026-01-31T10:00:00Z",
            "2026-01-31 10:00:00",
            "12.50",
            "true",
            "",
            "GB",
            "123456",
        ] {
            assert!(!looks_like_identifier(value), "{value}");
        }
    }

    #[test]
    fn headers_announce_identifiers() {
        for name in ["E-Mail", "Customer E-Mail", "hashed_phone", "deviceId", "IDFA", "sha256", "First Name", "user.id"]
        {
            assert!(header_tells(name), "{name}");
        }
        for name in ["audience", "segment name", "country", "score", "audience_id", "trip", ""] {
            assert!(!header_tells(name), "{name}");
        }
    }
}
