//! `entente plugin new`: a crate that builds, passes its tests and delivers.

use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Outcome;
use super::embedded::{self, NewFile};
use super::manifest::ManifestError;

/// Names that Cargo or the compiler keep for themselves.
const RESERVED: [&str; 58] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "sdk",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "unsafe",
    "use",
    "virtual",
    "where",
    "yield",
];

/// The longest id of a destination type.
const MAX_NAME: usize = 64;

/// What to make.
#[derive(Debug, Args)]
pub struct NewPlugin {
    /// The destination type's id: lower-case letters, digits and hyphens
    name: String,
    /// The folder to make; `NAME` in this folder by default
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// Why no crate was made.
#[derive(Debug, thiserror::Error)]
pub enum NewPluginError {
    /// The name cannot be an id.
    #[error("`{0}` is no id: 1 to 64 lower-case letters, digits and single hyphens, the first of them a letter")]
    NoId(String),
    /// The name is taken.
    #[error("`{0}` cannot be the name of a crate here, since Rust or a crate that plugins need is called so")]
    Taken(String),
    /// There is something already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The folder cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The program carries something that it cannot use.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl NewPlugin {
    /// Makes the crate and says what comes next.
    ///
    /// # Errors
    /// [`NewPluginError`].
    pub fn run(&self) -> Outcome {
        let folder = self.path.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        create(&self.name, &folder)?;
        let library = format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name.replace('-', "_"));
        println!(
            "Made {} with a destination that posts rows as JSON; its README says what is where. Next:\n",
            folder.display()
        );
        println!("  cd {}", folder.display());
        println!("  cargo build --release && cargo test --release");
        println!("  entente plugin check target/release/{library}");
        Ok(())
    }
}

/// Makes a crate for the destination type `name` at `folder`: all of it, or nothing.
///
/// # Errors
/// [`NewPluginError`].
pub fn create(name: &str, folder: &Path) -> Result<(), NewPluginError> {
    let lock = embedded::lock()?;
    admit(name, &lock.names)?;
    let io = |error: io::Error| NewPluginError::Io { path: folder.to_owned(), error };
    if fs::symlink_metadata(folder).is_ok() {
        return Err(NewPluginError::Exists(folder.to_owned()));
    }
    let mut files = vec![("Cargo.toml".to_owned(), embedded::manifest(name)?.into_bytes())];
    files.push(("Cargo.lock".to_owned(), lock.text.into_bytes()));
    files.extend(embedded::template().into_iter().map(|file| named(file, name)));
    files.extend(embedded::sdk()?);
    let folder = std::path::absolute(folder).map_err(io)?;
    let beside = folder.parent().unwrap_or(Path::new("/"));
    let everybody = Permissions::from_mode(0o777);
    let aside = tempfile::Builder::new().prefix(".new-plugin").permissions(everybody).tempdir_in(beside).map_err(io)?;
    files.iter().try_for_each(|file| write(aside.path(), file)).map_err(io)?;
    fs::rename(aside.path(), &folder).map_err(io)?;
    // It is no longer where it would be removed.
    let _ = aside.keep();
    Ok(())
}

fn admit(name: &str, taken: &BTreeSet<String>) -> Result<(), NewPluginError> {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_id = name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.bytes().all(sound);
    if !is_id {
        return Err(NewPluginError::NoId(name.to_owned()));
    }
    let same = |other: &String| other.replace('_', "-") == name;
    if RESERVED.contains(&name) || taken.iter().any(same) {
        return Err(NewPluginError::Taken(name.to_owned()));
    }
    Ok(())
}

fn write(folder: &Path, (path, content): &NewFile) -> io::Result<()> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content)
}

/// A file of the template with the new plugin's name in it.
fn named((path, content): NewFile, name: &str) -> NewFile {
    let path = if path == "gitignore" { ".gitignore".to_owned() } else { path };
    let words: Vec<&str> = name.split('-').collect();
    let text = String::from_utf8_lossy(&content)
        .replace("new-destination", name)
        .replace("new_destination", &words.join("_"))
        .replace("NewDestination", &words.iter().map(|word| capitalised(word)).collect::<String>())
        .replace("New destination", &capitalised(&words.join(" ")));
    (path, text.into_bytes())
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{}{rest}", first.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_is_an_id_that_no_crate_has() {
        let taken = BTreeSet::from(["serde_json".to_owned()]);
        for (name, outcome) in [
            ("my-crm", "made"),
            ("crm2", "made"),
            ("a", "made"),
            (&"a".repeat(64), "made"),
            (&"a".repeat(65), "no id"),
            ("", "no id"),
            ("2crm", "no id"),
            ("-crm", "no id"),
            ("crm-", "no id"),
            ("my--crm", "no id"),
            ("My-crm", "no id"),
            ("my_crm", "no id"),
            ("my crm", "no id"),
            ("../crm", "no id"),
            ("crm\n", "no id"),
            ("crm\"", "no id"),
            ("kürze", "no id"),
            ("fn", "taken"),
            ("test", "taken"),
            ("serde-json", "taken"),
        ] {
            let found = match admit(name, &taken) {
                Ok(()) => "made",
                Err(NewPluginError::NoId(_)) => "no id",
                Err(_) => "taken",
            };
            assert_eq!(found, outcome, "{name}");
        }
    }

    #[test]
    fn a_crate_is_made_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("crates");
        fs::create_dir(&made).unwrap();
        create("my-crm", &made.join("here")).unwrap();
        let lib = fs::read_to_string(made.join("here/src/lib.rs")).unwrap();
        assert!(lib.contains("export_destination!(MyCrm);"), "{lib}");
        for file in [".gitignore", "Cargo.lock", "README.md", "rows.csv", "examples/endpoint.rs", "sdk/src/http/mod.rs"]
        {
            assert!(made.join("here").join(file).is_file(), "{file}");
        }
        let sdk = fs::read_to_string(made.join("here/sdk/Cargo.toml")).unwrap();
        assert!(!sdk.contains("workspace"), "{sdk}");

        fs::write(made.join("here/src/lib.rs"), "mine").unwrap();
        fs::create_dir(made.join("empty")).unwrap();
        std::os::unix::fs::symlink("nowhere", made.join("link")).unwrap();
        for name in ["here", "empty", "link"] {
            assert!(matches!(create("my-crm", &made.join(name)), Err(NewPluginError::Exists(_))), "{name}");
        }
        assert!(matches!(create("my-crm", &made.join("missing/here")), Err(NewPluginError::Io { .. })));
        assert_eq!(fs::read_to_string(made.join("here/src/lib.rs")).unwrap(), "mine");
        assert_eq!(fs::read_dir(&made).unwrap().count(), 3, "something was left behind");
    }

    #[test]
    fn nothing_of_the_template_is_left_in_a_named_file() {
        for file in embedded::template() {
            let (path, content) = named(file, "luma-crm-2");
            let text = String::from_utf8(content).unwrap();
            let left = ["new-destination", "new_destination", "NewDestination", "New destination"];
            assert!(left.iter().all(|name| !text.contains(name)), "{path}");
        }
    }
}
