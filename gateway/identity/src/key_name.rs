//! Names of match keys as they stand in file names.

use std::fmt;

use thiserror::Error;

/// A safe name of a match key, such as `hashed_email` or `partner_id-liveramp`: 1 to 64 of `a-z`, `0-9`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The text is not a [`KeyName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a name of a match key")]
pub struct BadKeyName;

impl KeyName {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Self, BadKeyName> {
        let name = name.into();
        let safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(safe) { Err(BadKeyName) } else { Ok(Self(name)) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_names_pass() {
        for good in ["hashed_email", "partner_id-liveramp", "x9"] {
            assert!(KeyName::new(good).is_ok());
        }
        for bad in ["", "../x", "A", "a.b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(KeyName::new(bad), Err(BadKeyName));
        }
    }
}
