//! Cargo's manifests and lock files for crates that leave the workspace.

use std::collections::{BTreeSet, VecDeque};

use toml::{Table, Value};

/// A manifest or lock file is not one.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not TOML.
    #[error("a manifest cannot be read: {}", .0.message())]
    Read(#[from] toml::de::Error),
    /// It cannot be written.
    #[error("a manifest cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
    /// Something is inherited that the workspace does not have.
    #[error("the workspace has no `{0}`")]
    NotInherited(String),
}

/// The manifest of a member of a workspace with everything in it that it inherits, and without what its tests need.
///
/// # Errors
/// [`ManifestError`].
pub fn self_standing(member: &str, workspace: &str) -> Result<String, ManifestError> {
    let mut manifest: Table = toml::from_str(member)?;
    let workspace = workspace_table(workspace)?;
    if let Some(Value::Table(package)) = manifest.get_mut("package") {
        for (name, value) in package.iter_mut() {
            if is_inherited(value) {
                *value = inherited(&workspace, "package", name)?;
            }
        }
    }
    for section in ["dev-dependencies", "test", "bench"] {
        manifest.remove(section);
    }
    for section in ["dependencies", "build-dependencies"] {
        let Some(Value::Table(dependencies)) = manifest.get_mut(section) else { continue };
        for (name, value) in dependencies.iter_mut() {
            if is_inherited(value) {
                *value = merged(inherited(&workspace, "dependencies", name)?, value);
            }
        }
    }
    if manifest.get("lints").is_some_and(is_inherited) {
        let lints = workspace.get("lints").cloned().ok_or_else(|| ManifestError::NotInherited("lints".to_owned()))?;
        manifest.insert("lints".to_owned(), lints);
    }
    Ok(toml::to_string(&manifest)?)
}

/// The manifest of a plugin that uses the SDK in its folder `sdk`.
///
/// # Errors
/// [`ManifestError`].
pub fn of_plugin(
    name: &str,
    workspace: &str,
    dependencies: &[&str],
    test_dependencies: &[&str],
) -> Result<String, ManifestError> {
    let workspace = workspace_table(workspace)?;
    let lines = |names: &[&str]| -> Result<String, ManifestError> {
        let line = |name: &&str| Ok(format!("{name} = {}\n", inherited(&workspace, "dependencies", name)?));
        names.iter().map(line).collect()
    };
    Ok(format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = {edition}
rust-version = {rust_version}
publish = false

[lib]
crate-type = ["cdylib", "rlib"]

# A workspace of its own, wherever the folder is.
[workspace]
exclude = ["sdk"]

[dependencies]
entente-destination = {{ path = "sdk", features = ["http"] }}
{dependencies}
[dev-dependencies]
{test_dependencies}"#,
        edition = inherited(&workspace, "package", "edition")?,
        rust_version = inherited(&workspace, "package", "rust-version")?,
        dependencies = lines(dependencies)?,
        test_dependencies = lines(test_dependencies)?,
    ))
}

fn workspace_table(manifest: &str) -> Result<Table, ManifestError> {
    let mut manifest: Table = toml::from_str(manifest)?;
    match manifest.remove("workspace") {
        Some(Value::Table(workspace)) => Ok(workspace),
        _ => Err(ManifestError::NotInherited("workspace".to_owned())),
    }
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn inherited(workspace: &Table, section: &str, name: &str) -> Result<Value, ManifestError> {
    let found = workspace.get(section).and_then(|section| section.get(name));
    found.cloned().ok_or_else(|| ManifestError::NotInherited(format!("{section}.{name}")))
}

/// The workspace's dependency with what the member adds to it: features, and whether it is optional.
fn merged(of_workspace: Value, of_member: &Value) -> Value {
    let mut merged = match of_workspace {
        Value::Table(table) => table,
        version => Table::from_iter([("version".to_owned(), version)]),
    };
    for (name, value) in of_member.as_table().into_iter().flatten().filter(|(name, _)| *name != "workspace") {
        match (merged.get_mut(name), value) {
            (Some(Value::Array(features)), Value::Array(more)) => features.extend(more.iter().cloned()),
            _ => {
                merged.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Table(merged)
}

/// A lock file with what some crates need, and nothing else.
pub struct Lock {
    /// The file.
    pub text: String,
    /// The names of all crates in it.
    pub names: BTreeSet<String>,
}

impl Lock {
    /// The part of a lock file that the crates `roots` need.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn of(lock: &str, roots: &[&str]) -> Result<Self, ManifestError> {
        let lock: Table = toml::from_str(lock)?;
        let packages = lock.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut needed = BTreeSet::new();
        let mut open: VecDeque<String> = roots.iter().map(|name| (*name).to_owned()).collect();
        while let Some(wanted) = open.pop_front() {
            let found = (0..packages.len()).filter(|index| is_meant(&packages[*index], &wanted));
            for index in found.filter(|index| needed.insert(*index)).collect::<Vec<_>>() {
                let dependencies = packages[index].get("dependencies").and_then(Value::as_array);
                open.extend(dependencies.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())));
            }
        }
        let kept: Vec<Value> = needed.into_iter().map(|index| packages[index].clone()).collect();
        let names = kept.iter().filter_map(|package| text(package, "name")).map(str::to_owned).collect();
        let version = lock.get("version").cloned().into_iter().map(|version| ("version".to_owned(), version));
        let part = Table::from_iter(version.chain([("package".to_owned(), Value::Array(kept))]));
        Ok(Self { text: toml::to_string(&part)?, names })
    }
}

/// Whether a package is the one that is wanted: by name, and where several have it by version too.
fn is_meant(package: &Value, wanted: &str) -> bool {
    let mut words = wanted.split(' ');
    words.next() == text(package, "name")
        && words.next().is_none_or(|version| text(package, "version") == Some(version))
}

fn text<'a>(package: &'a Value, field: &str) -> Option<&'a str> {
    package.get(field)?.as_str()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const WORKSPACE: &str = r#"
        [workspace.package]
        edition = "2024"
        rust-version = "1.95"
        [workspace.dependencies]
        arrow = { version = "59", default-features = false, features = ["ffi"] }
        hex = "0.4"
        [workspace.lints.rust]
        unused = "warn"
    "#;

    #[test]
    fn a_member_gets_what_it_inherits() {
        let member = r#"
            [package]
            name = "sdk"
            edition.workspace = true
            [dependencies]
            arrow = { workspace = true, features = ["json"], optional = true }
            hex.workspace = true
            own = { version = "1", features = ["x"] }
            [dev-dependencies]
            proptest.workspace = true
            [[test]]
            name = "header"
            [lints]
            workspace = true
        "#;
        let expected: Table = toml::from_str(
            r#"
            package = { name = "sdk", edition = "2024" }
            lints = { rust = { unused = "warn" } }
            [dependencies]
            arrow = { version = "59", default-features = false, features = ["ffi", "json"], optional = true }
            hex = { version = "0.4" }
            own = { version = "1", features = ["x"] }
        "#,
        )
        .unwrap();
        let written = self_standing(member, WORKSPACE).unwrap();
        assert_eq!(toml::from_str::<Table>(&written).unwrap(), expected);
    }

    #[test]
    fn what_the_workspace_does_not_have_is_told() {
        for member in ["dependencies = { luma = { workspace = true } }", "package = { version = { workspace = true } }"]
        {
            let error = self_standing(member, WORKSPACE).unwrap_err();
            assert!(matches!(&error, ManifestError::NotInherited(_)), "{error}");
        }
    }

    #[test]
    fn a_plugin_has_the_versions_of_the_workspace() {
        let manifest: Table = toml::from_str(&of_plugin("my-crm", WORKSPACE, &["arrow"], &["hex"]).unwrap()).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-crm"));
        assert_eq!(manifest["package"]["rust-version"].as_str(), Some("1.95"));
        assert_eq!(manifest["dependencies"]["arrow"]["version"].as_str(), Some("59"));
        assert_eq!(manifest["dev-dependencies"]["hex"].as_str(), Some("0.4"));
    }

    #[test]
    fn a_lock_keeps_what_is_needed_in_the_version_that_is_meant() {
        let lock = r#"
            version = 4
            package = [
                { name = "a", version = "1.0.0", dependencies = ["b 2.0.0", "c"] },
                { name = "b", version = "1.0.0" },
                { name = "b", version = "2.0.0", dependencies = ["a"] },
                { name = "c", version = "1.0.0" },
                { name = "d", version = "1.0.0" },
            ]
        "#;
        let lock = Lock::of(lock, &["a"]).unwrap();
        let written: Table = toml::from_str(&lock.text).unwrap();
        let kept = written["package"].as_array().unwrap().iter();
        let kept: Vec<_> = kept.map(|package| (text(package, "name"), text(package, "version"))).collect();
        assert_eq!(kept, [(Some("a"), Some("1.0.0")), (Some("b"), Some("2.0.0")), (Some("c"), Some("1.0.0"))]);
        assert_eq!(lock.names.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
