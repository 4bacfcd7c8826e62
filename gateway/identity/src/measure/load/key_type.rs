//! Which match key the identities of a row are of, where a column says so.

use crate::key_name::KeyName;

/// Whether a key type names a match key: by its name, or as ADMaP does, whose advertising ids are of either system.
pub(super) fn names(key_type: &str, key: &KeyName) -> bool {
    let is = |name| key_type.eq_ignore_ascii_case(name);
    let key = key.as_str();
    is(key)
        || match key {
            "hashed_email" => is("email"),
            "hashed_phone" => is("phone"),
            "hashed_ipv4" => is("ip"),
            "idfa" | "gaid" => is("advertising_id"),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn key_types_name_match_keys() {
        for (key_type, key, named) in [
            ("email", "hashed_email", true),
            ("Email", "hashed_email", true),
            ("HASHED_EMAIL", "hashed_email", true),
            ("email", "hashed_phone", false),
            ("phone", "hashed_phone", true),
            ("ip", "hashed_ipv4", true),
            ("advertising_id", "idfa", true),
            ("advertising_id", "gaid", true),
            ("advertising_id", "hashed_email", false),
            ("partner_id-liveramp", "partner_id-liveramp", true),
            ("cookie", "hashed_email", false),
        ] {
            assert_eq!(names(key_type, &KeyName::new(key).unwrap()), named, "{key_type}, {key}");
        }
    }
}
