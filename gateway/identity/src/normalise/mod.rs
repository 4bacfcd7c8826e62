//! From an identifier as written in a file to a [`Digest`]: the published rule of each kind, then SHA-256.

mod printable;

use std::net::Ipv4Addr;

use hex_simd::AsOut;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::digest::Digest;
use printable::printable;

pub use rlibphonenumber::Region;

const EMAIL_BYTES: usize = 254;
const PHONE_BYTES: usize = 64;
const ID_BYTES: usize = 256;
const UNSET_DEVICE_ID: &str = "00000000-0000-0000-0000-000000000000";

/// The kinds of identifier, each with a rule of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An e-mail address: trimmed, lower case.
    HashedEmail,
    /// A phone number: E.164. Numbers written without a country code are read as of `region`.
    HashedPhone {
        /// Where numbers without a country code are from; `None` accepts only international ones.
        region: Option<Region>,
    },
    /// An IPv4 address in dotted decimal.
    HashedIpv4,
    /// Apple's advertising id, a UUID.
    Idfa,
    /// Google's advertising id, a UUID.
    Gaid,
    /// Adobe's Experience Cloud id.
    Ecid,
    /// An id of a customer-relationship system.
    CrmId,
    /// An id of a loyalty programme.
    LoyaltyId,
    /// An id named by its provider.
    PartnerId,
}

/// What a mapping does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The value is a SHA-256 digest in 64 hex digits of either case.
    AsHashed,
    /// The value is plain: normalise, then SHA-256.
    Transform,
}

/// Why a value cannot be what its match key needs. Never holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Fault {
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Longer than the identifier can be.
    #[error("too long")]
    TooLong,
    /// Holds control characters.
    #[error("holds control characters")]
    ControlCharacter,
    /// Not one e-mail address.
    #[error("not an e-mail address")]
    EmailInvalid,
    /// Not a phone number that can be dialled, or one without a country code where no region is given.
    #[error("not a phone number")]
    PhoneInvalid,
    /// Not an IPv4 address.
    #[error("not an IPv4 address")]
    Ipv4Invalid,
    /// Not a device id (a UUID with hyphens).
    #[error("not a device id")]
    DeviceIdInvalid,
    /// The device id of those who have switched it off.
    #[error("a device id that is all zeros")]
    DeviceIdUnset,
    /// Not 64 hex digits.
    #[error("not a SHA-256 digest of 64 hex digits")]
    DigestInvalid,
    /// The SHA-256 of an empty text.
    #[error("the digest of an empty value")]
    DigestOfNothing,
}

impl Fault {
    /// A stable name, for APIs and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotUtf8 => "NOT_UTF8",
            Self::TooLong => "TOO_LONG",
            Self::ControlCharacter => "CONTROL_CHARACTER",
            Self::EmailInvalid => "EMAIL_INVALID",
            Self::PhoneInvalid => "PHONE_INVALID",
            Self::Ipv4Invalid => "IPV4_INVALID",
            Self::DeviceIdInvalid => "DEVICE_ID_INVALID",
            Self::DeviceIdUnset => "DEVICE_ID_UNSET",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::DigestOfNothing => "DIGEST_OF_NOTHING",
        }
    }
}

/// The identity behind a value; `None` where the value is empty or blank, which is an absence and not a fault.
pub fn identity(form: Form, take: Take, value: &[u8]) -> Result<Option<Digest>, Fault> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return Ok(None);
    }
    match take {
        Take::AsHashed => as_hashed(form, value).map(Some),
        Take::Transform => {
            if let Some(normal) = printable(form, value, &mut [0; ID_BYTES]) {
                return Ok(Some(Digest(Sha256::digest(normal?).into())));
            }
            let text = std::str::from_utf8(value).map_err(|_| Fault::NotUtf8)?;
            let normal = normalise(form, text)?;
            Ok((!normal.is_empty()).then(|| Digest(Sha256::digest(normal.as_bytes()).into())))
        }
    }
}

/// The text that is hashed for a value of a form; empty for a blank value. Normalising it again changes nothing.
pub fn normalise(form: Form, value: &str) -> Result<String, Fault> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(String::new());
    }
    match form {
        Form::HashedEmail => email(value),
        Form::HashedPhone { region } => phone(value, region),
        Form::HashedIpv4 => value.parse::<Ipv4Addr>().map(|ip| ip.to_string()).map_err(|_| Fault::Ipv4Invalid),
        Form::Idfa | Form::Gaid => device_id(value),
        Form::Ecid | Form::CrmId | Form::LoyaltyId | Form::PartnerId => lower(value, ID_BYTES),
    }
}

fn lower(value: &str, limit: usize) -> Result<String, Fault> {
    if value.len() > limit {
        return Err(Fault::TooLong);
    }
    if value.chars().any(char::is_control) {
        return Err(Fault::ControlCharacter);
    }
    let lower = value.to_lowercase();
    // A few letters take more bytes in lower case.
    if lower.len() > limit { Err(Fault::TooLong) } else { Ok(lower) }
}

fn email(value: &str) -> Result<String, Fault> {
    let lower = lower(value, EMAIL_BYTES)?;
    let (name, domain) = lower.split_once('@').ok_or(Fault::EmailInvalid)?;
    let labels = domain.split('.');
    let domain_is_sound = labels.clone().count() >= 2 && labels.clone().all(|label| !label.is_empty());
    if name.is_empty() || !domain_is_sound || domain.contains('@') || lower.chars().any(char::is_whitespace) {
        return Err(Fault::EmailInvalid);
    }
    Ok(lower)
}

fn phone(value: &str, region: Option<Region>) -> Result<String, Fault> {
    if value.len() > PHONE_BYTES {
        return Err(Fault::TooLong);
    }
    let number = PHONE_NUMBER_UTIL.parse(value, region).map_err(|_| Fault::PhoneInvalid)?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return Err(Fault::PhoneInvalid);
    }
    Ok(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

fn device_id(value: &str) -> Result<String, Fault> {
    if !is_uuid(value.as_bytes()) {
        return Err(Fault::DeviceIdInvalid);
    }
    if value == UNSET_DEVICE_ID {
        return Err(Fault::DeviceIdUnset);
    }
    Ok(value.to_ascii_lowercase())
}

/// Whether the text is a UUID as it is usually written: 8-4-4-4-12 hex digits.
pub(crate) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn as_hashed(form: Form, value: &[u8]) -> Result<Digest, Fault> {
    let mut bytes = [0; 32];
    if value.len() != 2 * bytes.len() {
        return Err(Fault::DigestInvalid);
    }
    hex_simd::decode(value, bytes.as_mut_slice().as_out()).map_err(|_| Fault::DigestInvalid)?;
    // Two digests of nobody that are seen in real files: of an empty cell, and of a device id that was switched off.
    if bytes == SHA256_OF_NOTHING {
        return Err(Fault::DigestOfNothing);
    }
    if matches!(form, Form::Idfa | Form::Gaid) && bytes == SHA256_OF_UNSET_DEVICE_ID {
        return Err(Fault::DeviceIdUnset);
    }
    Ok(Digest(bytes))
}

const SHA256_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

const SHA256_OF_UNSET_DEVICE_ID: [u8; 32] = [
    0x12, 0xb9, 0x37, 0x7c, 0xbe, 0x7e, 0x5c, 0x94, 0xe8, 0xa7, 0x0d, 0x9d, 0x23, 0x92, 0x95, 0x23, 0xd1, 0x4a, 0xfa,
    0x95, 0x47, 0x93, 0x13, 0x0f, 0x8a, 0x39, 0x59, 0xc7, 0xb8, 0x49, 0xac, 0xa8,
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    const GB: Form = Form::HashedPhone { region: Some(Region::GB) };
    const ABROAD: Form = Form::HashedPhone { region: None };

    #[test]
    fn each_form_has_its_rule() {
        let cases: &[(Form, &str, Result<&str, Fault>)] = &[
            (Form::HashedEmail, "  Alice.Smith+x@Example.COM ", Ok("alice.smith+x@example.com")),
            (Form::HashedEmail, "alice", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "alice@example", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "@example.com", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "alice@", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "alice@.com", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "alice@example.", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "alice@bob@example.com", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "ali ce@example.com", Err(Fault::EmailInvalid)),
            (Form::HashedEmail, "alice@exam\u{7}ple.com", Err(Fault::ControlCharacter)),
            (GB, "020 7946 0018", Ok("+442079460018")),
            (GB, "+1 (650) 253-0000", Ok("+16502530000")),
            (GB, "(0)20-7946.0018", Ok("+442079460018")),
            (GB, "12", Err(Fault::PhoneInvalid)),
            (GB, "not a number", Err(Fault::PhoneInvalid)),
            (ABROAD, "+44 20 7946 0018", Ok("+442079460018")),
            (ABROAD, "020 7946 0018", Err(Fault::PhoneInvalid)),
            (Form::HashedIpv4, " 192.0.2.7 ", Ok("192.0.2.7")),
            (Form::HashedIpv4, "192.0.2.256", Err(Fault::Ipv4Invalid)),
            (Form::HashedIpv4, "2001:db8::1", Err(Fault::Ipv4Invalid)),
            (Form::Idfa, "6D92078A-8246-4BA4-AE5B-76104861E7DC", Ok("6d92078a-8246-4ba4-ae5b-76104861e7dc")),
            (Form::Gaid, UNSET_DEVICE_ID, Err(Fault::DeviceIdUnset)),
            (Form::Gaid, "6d92078a82464ba4ae5b76104861e7dc", Err(Fault::DeviceIdInvalid)),
            (Form::CrmId, " C-001 ", Ok("c-001")),
            (Form::LoyaltyId, "ÄÖ1", Ok("äö1")),
            (Form::PartnerId, "\u{2003}", Ok("")),
        ];
        for (form, value, expected) in cases {
            assert_eq!(normalise(*form, value).as_deref().map_err(|f| *f), *expected, "{form:?} {value:?}");
        }
    }

    #[test]
    fn limits_hold() {
        assert_eq!(normalise(Form::CrmId, &"x".repeat(257)), Err(Fault::TooLong));
        assert!(normalise(Form::CrmId, &"x".repeat(256)).is_ok());
        let domain = format!("{}.com", "d".repeat(245));
        assert_eq!(normalise(Form::HashedEmail, &format!("abcde@{domain}")), Err(Fault::TooLong));
        assert!(normalise(Form::HashedEmail, &format!("abcd@{domain}")).is_ok());
        assert_eq!(normalise(GB, &"1".repeat(65)), Err(Fault::TooLong));
    }

    #[test]
    fn plain_and_hashed_values_meet() {
        let plain = identity(Form::HashedEmail, Take::Transform, b" Alice@Example.com ").unwrap().unwrap();
        let hashed = hex::encode(Sha256::digest(b"alice@example.com"));
        for value in [hashed.to_uppercase(), hashed.clone(), format!(" {hashed} ")] {
            assert_eq!(identity(Form::HashedEmail, Take::AsHashed, value.as_bytes()), Ok(Some(plain)));
        }
    }

    #[test]
    fn digests_of_nobody_are_faults() {
        let nothing = hex::encode(Sha256::digest(b""));
        let unset = hex::encode(Sha256::digest(UNSET_DEVICE_ID.as_bytes()));
        let read = |form, value: &str| identity(form, Take::AsHashed, value.as_bytes());
        assert_eq!(read(Form::HashedEmail, &nothing), Err(Fault::DigestOfNothing));
        assert_eq!(read(Form::Idfa, &unset), Err(Fault::DeviceIdUnset));
        assert!(read(Form::CrmId, &unset).is_ok());
        assert_eq!(read(Form::CrmId, &unset[..63]), Err(Fault::DigestInvalid));
        assert_eq!(read(Form::CrmId, &"zz".repeat(32)), Err(Fault::DigestInvalid));
    }

    #[test]
    fn empty_is_absent_and_bad_bytes_are_a_fault() {
        for take in [Take::AsHashed, Take::Transform] {
            assert_eq!(identity(Form::HashedEmail, take, b" \t"), Ok(None));
        }
        assert_eq!(identity(Form::CrmId, Take::Transform, b"\xff"), Err(Fault::NotUtf8));
        assert_eq!(identity(Form::CrmId, Take::Transform, "\u{2003}".as_bytes()), Ok(None));
    }

    /// All regions with a numbering plan, found by their codes.
    fn regions() -> Vec<Region> {
        let codes = ('A'..='Z').flat_map(|first| ('A'..='Z').map(move |second| format!("{first}{second}")));
        codes.filter_map(|code| Region::from_code(&code).ok()).collect()
    }

    fn forms() -> impl Strategy<Value = Form> {
        let others = prop::sample::select(vec![
            Form::HashedEmail,
            ABROAD,
            Form::HashedIpv4,
            Form::Idfa,
            Form::Gaid,
            Form::Ecid,
            Form::CrmId,
            Form::LoyaltyId,
            Form::PartnerId,
        ]);
        let phones = prop::sample::select(regions()).prop_map(|region| Form::HashedPhone { region: Some(region) });
        prop_oneof![2 => others, 1 => phones]
    }

    /// Texts of any kind, and such as are nearly what a form wants.
    fn values() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "\\PC{0,40}",
            " ?[A-Za-z.İßΣǅﬁ]{1,9}@[A-ZÀ-Þ]{1,5}\\.[a-zİ]{2,3} ?",
            "\\PC{1,8}@\\PC{1,8}\\.\\PC{1,4}",
            "\\+?[0-9 ()-]{5,18}",
            "[+＋]?[0-9０-９٠-٩ ().-]{5,18}",
            "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
            "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        ]
    }

    #[test]
    fn an_example_of_each_region_is_idempotent() {
        assert!(regions().len() > 200);
        let mut valid = 0;
        for region in regions() {
            let form = Form::HashedPhone { region: Some(region) };
            for national in ["020 7946 0018", "(650) 253-0000", "030 901820", "02 9374 4000", "12345678", "0912345678"]
            {
                if let Ok(once) = normalise(form, national) {
                    valid += 1;
                    assert!(
                        once.starts_with('+') && once[1..].bytes().all(|b| b.is_ascii_digit()),
                        "{region:?} {once}"
                    );
                    assert_eq!(normalise(form, &once), Ok(once.clone()), "{region:?}");
                    assert_eq!(normalise(ABROAD, &once), Ok(once), "{region:?}");
                }
            }
        }
        assert!(valid > 100, "{valid}");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(form in forms(), value in values()) {
            if let Ok(once) = normalise(form, &value) {
                prop_assert_eq!(normalise(form, &once), Ok(once.clone()));
            }
        }

        #[test]
        fn both_ways_lead_to_the_same(form in forms(), value in prop_oneof![values(), "[ -~]{0,12}", "[a-c@. A]{0,9}"]) {
            let value = value.trim_ascii();
            if let Some(normal) = printable(form, value.as_bytes(), &mut [0; ID_BYTES]) {
                let normal = normal.map(|normal| String::from_utf8_lossy(normal).into_owned());
                prop_assert_eq!(normal, normalise(form, value));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(form in forms(), value in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = identity(form, Take::AsHashed, &value);
            let _ = identity(form, Take::Transform, &value);
        }
    }
}
