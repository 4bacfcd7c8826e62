//! What the program carries with it for new plugins: the SDK's source, a crate to begin with, and the versions of crates
//! that the SDK was tested with.

use include_dir::{Dir, DirEntry, include_dir};

use super::manifest::{self, ManifestError};

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk");
static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/plugin_author/template");
const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const LOCK: &str = include_str!("../../../Cargo.lock");

/// What a new plugin needs beside the SDK, to build and for its tests.
const DEPENDENCIES: [&str; 2] = ["serde", "serde_json"];
const TEST_DEPENDENCIES: [&str; 1] = ["hex"];

/// A file of a new crate: its path there, and what is in it.
pub type NewFile = (String, Vec<u8>);

/// The SDK, with a manifest that needs no workspace.
///
/// # Errors
/// [`ManifestError`] where the program was built from manifests that are none.
pub fn sdk() -> Result<Vec<NewFile>, ManifestError> {
    let mut files = Vec::new();
    collect(&SDK, &mut files);
    // Tests of the SDK's own, which need more of the repository.
    files.retain(|(path, _)| !path.starts_with("tests/"));
    for (path, content) in &mut files {
        if path == "Cargo.toml" {
            *content = manifest::self_standing(&String::from_utf8_lossy(content), WORKSPACE)?.into_bytes();
        }
        *path = format!("sdk/{path}");
    }
    Ok(files)
}

/// The crate to begin with, as its files are named in the template.
pub fn template() -> Vec<NewFile> {
    let mut files = Vec::new();
    collect(&TEMPLATE, &mut files);
    files
}

/// The manifest of a new plugin.
///
/// # Errors
/// As [`sdk`].
pub fn manifest(name: &str) -> Result<String, ManifestError> {
    manifest::of_plugin(name, WORKSPACE, &DEPENDENCIES, &TEST_DEPENDENCIES)
}

/// The versions of all crates that a new plugin needs: those that the SDK was tested with.
///
/// # Errors
/// As [`sdk`].
pub fn lock() -> Result<manifest::Lock, ManifestError> {
    let roots: Vec<&str> = [&["entente-destination"], &DEPENDENCIES[..], &TEST_DEPENDENCIES[..]].concat();
    manifest::Lock::of(LOCK, &roots)
}

fn collect(folder: &Dir<'_>, files: &mut Vec<NewFile>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(folder) => collect(folder, files),
            DirEntry::File(file) => files.push((file.path().to_string_lossy().into_owned(), file.contents().to_vec())),
        }
    }
}
