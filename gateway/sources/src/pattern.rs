//! Which files of a folder are read, by their names below it.

use globset::{GlobBuilder, GlobMatcher};

use crate::error::SourceError;

/// The longest pattern.
const MOST_CHARS: usize = 200;

/// A glob: `*` and `?` stand for anything but a slash, `**` for folders, `{a,b}` for one of several. Matching takes
/// time that is linear in the name.
#[derive(Clone, Debug)]
pub struct Pattern(Option<GlobMatcher>);

impl Pattern {
    /// Reads a pattern; none fits everything.
    ///
    /// # Errors
    /// `Settings` for what is none.
    pub fn parse(pattern: Option<&str>) -> Result<Self, SourceError> {
        let Some(pattern) = pattern else { return Ok(Self(None)) };
        let wrong = || {
            SourceError::Settings(format!(
                "`pattern` must be a glob of up to {MOST_CHARS} characters, such as **/*.csv"
            ))
        };
        if pattern.is_empty() || pattern.chars().count() > MOST_CHARS {
            return Err(wrong());
        }
        let glob =
            GlobBuilder::new(pattern).literal_separator(true).empty_alternates(true).build().map_err(|_| wrong())?;
        Ok(Self(Some(glob.compile_matcher())))
    }

    /// Whether a file of this name, with slashes, is read.
    pub fn takes(&self, name: &str) -> bool {
        let is_mark = |piece: &str| piece.starts_with(['.', '_']);
        !name.split('/').any(is_mark) && self.0.as_ref().is_none_or(|glob| glob.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_fit_or_do_not() {
        for (pattern, name, fits) in [
            (None, "a.csv", true),
            (None, "2026/11/a.csv", true),
            (None, "_SUCCESS", false),
            (None, "_temporary/0/a.csv", false),
            (None, "2026/.a.csv.crc", false),
            (Some("*.csv"), "a.csv", true),
            (Some("*.csv"), "2026/a.csv", false),
            (Some("**/*.csv"), "a.csv", true),
            (Some("**/*.csv"), "2026/11/a.csv", true),
            (Some("day=*/part-?.{csv,csv.gz}"), "day=7/part-1.csv.gz", true),
            (Some("day=*/part-?.{csv,csv.gz}"), "day=7/part-12.csv", false),
            (Some("a{,.gz}"), "a", true),
            (Some(".*"), ".a", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().takes(name), fits, "{pattern:?} {name}");
        }
        for wrong in ["", "[", "{a", &"a".repeat(201)] {
            assert_eq!(Pattern::parse(Some(wrong)).unwrap_err().kind(), "SETTINGS", "{wrong}");
        }
    }
}
