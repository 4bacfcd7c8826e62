//! What was delivered, as files.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Files by their path, with slashes, below where they were looked for.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The path of every file below a folder, which may not be there.
pub fn names(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// Every file below a folder, which may not be there. One that goes meanwhile is left out.
pub fn files(root: &Path) -> Files {
    let read = |name: String| match fs::read(root.join(&name)) {
        Ok(content) => Some((name, content)),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
            None
        }
    };
    names(root).into_iter().filter_map(read).collect()
}

/// The files of the one delivery below a folder, by their names alone.
pub fn files_of_one_delivery(root: &Path) -> Files {
    by_last_name(files(root))
}

/// The files of one delivery by their names alone.
pub fn by_last_name(files: Files) -> Files {
    let last = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    files.into_iter().map(|(name, content)| (last(&name), content)).collect()
}
