//! How folders and files of a delivery are called.

use super::Format;
use crate::destination::Delivery;
use crate::error::DestinationError;

/// Name of the manifest in a delivery's folder.
pub const MANIFEST: &str = "manifest.json";

/// The most folders below one another.
const MAX_DEPTH: usize = 10;
/// The most bytes in the name of one folder.
const MAX_NAME: usize = 100;

/// Name of the part that a batch becomes.
pub fn part_name(sequence: u64, format: Format) -> String {
    format!("part-{sequence:05}.{}", format.extension())
}

/// Names of the folders that a delivery is in: `<activation>/<generation>`.
///
/// # Errors
/// `Permanent` for ids that cannot be names of folders.
pub fn delivery_folder(delivery: &Delivery) -> Result<[&str; 2], DestinationError> {
    Ok([safe_id(&delivery.activation)?, safe_id(&delivery.generation)?])
}

fn safe_id(id: &str) -> Result<&str, DestinationError> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=MAX_NAME).contains(&id.len()) && id.bytes().all(safe) {
        return Ok(id);
    }
    Err(DestinationError::Permanent("the delivery's id cannot be the name of a folder".to_owned()))
}

/// Names of the folders of a relative path from above down, which may end with a slash. `setting` is what it is called.
///
/// # Errors
/// `Config` for a path that is empty, absolute, goes up, or has names that not every system takes.
pub fn folder_names<'a>(path: &'a str, setting: &str) -> Result<Vec<&'a str>, DestinationError> {
    let names: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    if names.len() > MAX_DEPTH || !names.iter().all(|name| is_safe_name(name)) {
        return Err(DestinationError::Config(format!(
            "{setting} must be a relative path of at most {MAX_DEPTH} names, none of them empty, starting with a dot, \
             longer than {MAX_NAME} bytes, or with a backslash, colon or control character"
        )));
    }
    Ok(names)
}

fn is_safe_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.chars().any(|character| character.is_control() || matches!(character, '/' | '\\' | ':'))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_paths_that_go_down_are_taken() {
        for (path, names) in [
            ("luma", &["luma"] as &[_]),
            ("audiences/luma/", &["audiences", "luma"]),
            ("Frühling 2026/tv tube", &["Frühling 2026", "tv tube"]),
        ] {
            assert_eq!(folder_names(path, "`folder`").unwrap(), names);
        }
        let (long, deep) = ("x".repeat(101), "x/".repeat(11));
        for path in [
            "",
            "/",
            "/etc",
            "..",
            "../luma",
            "luma/..",
            "luma/../..",
            ".",
            "./luma",
            "luma//x",
            "luma\\x",
            "c:luma",
            ".hidden",
            "luma/\0",
            "luma\n",
            &long,
            &deep,
        ] {
            assert!(matches!(folder_names(path, "`folder`"), Err(DestinationError::Config(_))), "{path:?}");
        }
    }

    #[test]
    fn ids_that_lead_elsewhere_are_refused() {
        let delivery = |activation: &str| Delivery {
            activation: activation.to_owned(),
            generation: "1".to_owned(),
            ..Delivery::default()
        };
        assert_eq!(delivery_folder(&delivery("0190f3c4-trial")).unwrap(), ["0190f3c4-trial", "1"]);
        for activation in ["", "..", "a/b", "a\0", "é", &"x".repeat(101)] {
            assert!(delivery_folder(&delivery(activation)).is_err(), "{activation:?}");
        }
    }
}
