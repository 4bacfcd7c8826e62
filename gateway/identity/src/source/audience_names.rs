//! The audiences that a file names, numbered in the order in which they are met.

use std::collections::HashMap;

use super::fault::{RowFault, SourceFault};

/// The most audiences that one file may name.
pub const MAX_AUDIENCES: usize = 1_000;
/// The longest name of an audience, in characters.
pub const MAX_AUDIENCE_NAME: usize = 200;

#[derive(Default)]
pub(super) struct AudienceNames {
    ordinals: HashMap<Vec<u8>, u16>,
    names: Vec<String>,
}

/// Whether a trimmed text can name an audience.
pub(super) fn is_audience_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_AUDIENCE_NAME && !name.chars().any(char::is_control)
}

impl AudienceNames {
    /// The ordinal of the audience named by a field; `Ok(Err(_))` when it names none.
    pub(super) fn ordinal(&mut self, field: &[u8]) -> Result<Result<u16, RowFault>, SourceFault> {
        if let Some(ordinal) = self.ordinals.get(field) {
            return Ok(Ok(*ordinal));
        }
        let Ok(text) = std::str::from_utf8(field) else {
            return Ok(Err(RowFault::AudienceInvalid));
        };
        let name = text.trim();
        if name.is_empty() {
            return Ok(Err(RowFault::AudienceMissing));
        }
        if name.len() != field.len() {
            return self.ordinal(name.as_bytes());
        }
        if !is_audience_name(name) {
            return Ok(Err(RowFault::AudienceInvalid));
        }
        if self.names.len() == MAX_AUDIENCES {
            return Err(SourceFault::TooManyAudiences);
        }
        let ordinal = self.names.len() as u16;
        self.names.push(name.to_owned());
        self.ordinals.insert(field.to_vec(), ordinal);
        Ok(Ok(ordinal))
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_numbered_once() {
        let mut names = AudienceNames::default();
        for (field, expected) in [
            ("Runners", Ok(0)),
            (" Runners\t", Ok(0)),
            ("runners", Ok(1)),
            ("  ", Err(RowFault::AudienceMissing)),
            ("", Err(RowFault::AudienceMissing)),
            ("a\u{1}b", Err(RowFault::AudienceInvalid)),
            (&"é".repeat(200), Ok(2)),
            (&"é".repeat(201), Err(RowFault::AudienceInvalid)),
        ] {
            assert_eq!(names.ordinal(field.as_bytes()).ok(), Some(expected), "{field:?}");
        }
        assert_eq!(names.ordinal(b"\xff").ok(), Some(Err(RowFault::AudienceInvalid)));
        assert_eq!(names.into_names().len(), 3);
    }

    #[test]
    fn too_many_audiences_are_refused() {
        let mut names = AudienceNames::default();
        for i in 0..MAX_AUDIENCES {
            assert!(matches!(names.ordinal(format!("a{i}").as_bytes()), Ok(Ok(_))));
        }
        assert!(matches!(names.ordinal(b"a7"), Ok(Ok(7))));
        assert!(matches!(names.ordinal(b"one more"), Err(SourceFault::TooManyAudiences)));
    }
}
