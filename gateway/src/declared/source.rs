//! The file that is applied: its text, where in it something is, and the secrets that it refers to.

use super::{
    format::{Reference, SecretFile, SetUp, With},
    tidy::tidy,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Bytes that a set-up may have.
const LARGEST: u64 = 4 * 1024 * 1024;
/// Bytes that a secret in a file may have.
const LARGEST_SECRET: u64 = 64 * 1024;
/// How a secret has to be written.
const REFERENCE: &str = "a secret is written as \"${NAME}\" or { file = \"…\" }";

/// What is wrong with a set-up: where, and what.
#[derive(Debug, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Wrong {
    pub at: String,
    pub what: String,
}

/// A set-up and where it was read from.
pub struct Source {
    path: PathBuf,
    text: String,
    pub set_up: SetUp,
}

impl Source {
    /// Reads a set-up: TOML, or JSON where the file's name ends so.
    ///
    /// # Errors
    /// Where it cannot be read, or is none; with line and column.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let name = path.display().to_string();
        let wrong = |what: String| Wrong { at: name.clone(), what };
        let text = text_of(path, LARGEST).map_err(wrong)?;
        let mut set_up: SetUp = if path.extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(&text).map_err(|error| {
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or_default().to_owned();
                Wrong { at: format!("{name}:{}:{}", error.line(), error.column()), what }
            })?
        } else {
            toml::from_str(&text).map_err(|error| {
                let (line, column) = line_and_column(&text, error.span().map_or(0, |span| span.start));
                Wrong { at: format!("{name}:{line}:{column}"), what: error.message().to_owned() }
            })?
        };
        tidy(&mut set_up);
        let source = Self { path: path.to_owned(), text, set_up };
        source.check()?;
        Ok(source)
    }

    /// Where something of the file is, such as `luma.toml:12:7 accounts[0].destinations[1].settings.url`: with line and
    /// column of as much of the path as there is, in TOML.
    pub fn at(&self, path: &str) -> String {
        let name = self.path.display();
        match self.position(path) {
            Some((line, column)) => format!("{name}:{line}:{column} {path}"),
            None => format!("{name} {path}"),
        }
    }

    fn position(&self, path: &str) -> Option<(usize, usize)> {
        let whole = DeTable::parse(&self.text).ok()?;
        let mut start = None;
        let mut table: Option<&DeTable<'_>> = Some(whole.get_ref());
        for part in path.split('.') {
            let (key, index) = match part.split_once('[') {
                Some((key, index)) => (key, index.strip_suffix(']').and_then(|index| index.parse::<usize>().ok())),
                None => (part, None),
            };
            let mut value: &Spanned<DeValue<'_>> = match table.and_then(|table| table.get(key)) {
                Some(value) => value,
                None => break,
            };
            if let Some(item) = index.and_then(|index| value.get_ref().as_array()?.get(index)) {
                value = item;
            }
            start = Some(value.span().start);
            table = value.get_ref().as_table();
        }
        start.map(|start| line_and_column(&self.text, start))
    }

    /// A file that the set-up names.
    pub fn file(&self, named: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(named)
    }

    /// What a reference leads to.
    ///
    /// # Errors
    /// Where there is nothing, or nothing that is text; never with the secret.
    pub fn secret(&self, reference: &Reference) -> Result<String, String> {
        match reference {
            Reference::Environment(text) => {
                let name = variable(text).ok_or(REFERENCE)?;
                let value = env::var(name).ok().filter(|value| !value.is_empty());
                value.ok_or_else(|| format!("the environment variable {name} is not set"))
            }
            Reference::File(SecretFile { file }) => {
                let text = text_of(&self.file(file), LARGEST_SECRET);
                let text = text.map_err(|what| format!("{}: {what}", file.display()))?;
                let secret = text.trim_end_matches(['\r', '\n']);
                if secret.is_empty() { Err(format!("{} is empty", file.display())) } else { Ok(secret.to_owned()) }
            }
        }
    }

    /// A value with what its references lead to.
    ///
    /// # Errors
    /// As of [`Source::secret`].
    pub fn resolved(&self, value: &Value) -> Result<Value, String> {
        if let Some(reference) = reference(value) {
            return self.secret(&reference).map(Value::String);
        }
        Ok(match value {
            Value::Array(items) => Value::Array(items.iter().map(|v| self.resolved(v)).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let of_field = |(name, value): (&String, &Value)| Ok((name.clone(), self.resolved(value)?));
                Value::Object(fields.iter().map(of_field).collect::<Result<_, String>>()?)
            }
            plain => plain.clone(),
        })
    }

    /// Refuses what names two things alike, an account that is not in the file, or a connect code that is written out.
    fn check(&self) -> Result<(), Wrong> {
        let accounts = &self.set_up.accounts;
        self.differ("accounts", accounts.iter().map(|account| account.name.as_str()))?;
        for (i, account) in accounts.iter().enumerate() {
            let at = |list: &str| format!("accounts[{i}].{list}");
            self.differ(&at("members"), account.members.iter().map(|m| m.email.as_str()))?;
            self.differ(&at("data_connections"), account.data_connections.iter().map(|d| d.name.as_str()))?;
            self.differ(&at("destinations"), account.destinations.iter().map(|d| d.name.as_str()))?;
            let named: Vec<_> = account.connections.iter().map(|c| format!("{:?}", c.with)).collect();
            self.differ(&at("connections"), named.iter().map(String::as_str))?;
            for (j, connection) in account.connections.iter().enumerate() {
                let what = match &connection.with {
                    With::Account(name) if *name == account.name || !accounts.iter().any(|a| a.name == *name) => {
                        format!("there is no other account {name:?} in this file")
                    }
                    With::ConnectCode(Reference::Environment(text)) if variable(text).is_none() => REFERENCE.to_owned(),
                    _ => continue,
                };
                return Err(Wrong { at: self.at(&at(&format!("connections[{j}].with"))), what });
            }
        }
        Ok(())
    }

    fn differ<'a>(&self, list: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Wrong> {
        let mut before = BTreeSet::new();
        for (i, name) in names.enumerate() {
            if !before.insert(name) {
                let what = "there is another one of this name before".to_owned();
                return Err(Wrong { at: self.at(&format!("{list}[{i}]")), what });
            }
        }
        Ok(())
    }
}

/// The reference that a value is.
pub fn reference(value: &Value) -> Option<Reference> {
    match value {
        Value::String(text) => variable(text).map(|_| Reference::Environment(text.clone())),
        Value::Object(fields) if fields.len() == 1 => {
            let file = PathBuf::from(fields.get("file")?.as_str()?);
            Some(Reference::File(SecretFile { file }))
        }
        _ => None,
    }
}

/// The environment variable that `${NAME}` names.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let is_name =
        |(i, byte): (usize, u8)| byte == b'_' || byte.is_ascii_alphabetic() || (i > 0 && byte.is_ascii_digit());
    (!name.is_empty() && name.bytes().enumerate().all(is_name)).then_some(name)
}

fn text_of(path: &Path, largest: u64) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = file.take(largest + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > largest { Err(format!("it has more than {largest} bytes")) } else { Ok(text) }
}

/// Line and column of a byte, from 1 on.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    const LUMA: &str = "[[accounts]]\nname = \" Luma \"\nrole = \"ADVERTISER\"\nregion = \"US\"\n\
        contact_email = \"team@luma.example\"\nmatch_keys = [{ kind = \"HASHED_EMAIL\" }]\n";

    fn read(name: &str, text: &str) -> Result<Source, Wrong> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Source::read(&path)
    }

    fn refused(name: &str, text: &str) -> (String, String) {
        let Wrong { at, what } = read(name, text).err().unwrap();
        (at.rsplit_once('/').unwrap().1.to_owned(), what)
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let with = |more: &str| format!("{LUMA}{more}");
        for (text, at, what) in [
            ("accounts = 1".to_owned(), "a.toml:1:12", "invalid type"),
            (with("colour = \"red\"\n"), "a.toml:7:1", "unknown field `colour`"),
            (with("[[accounts.destinations]]\nname = \"Zone\"\ntyp = \"x\"\n"), "a.toml:9:1", "unknown field `typ`"),
            (with(&LUMA.replace(" Luma ", "Luma")), "a.toml:7:1 accounts[1]", "another one of this name"),
            (
                with("connections = [{ with = { account = \"TV\" }, side = \"OWNER\" }]"),
                "a.toml:7:25 accounts[0].connections[0].with",
                "no other account",
            ),
            (
                with("connections = [{ with = { connect_code = \"s3cret\" }, side = \"OWNER\" }]"),
                "a.toml:7:25 accounts[0].connections[0].with",
                "${NAME}",
            ),
            (with("connections = [{ with = { connect_code = 7 }, side = \"OWNER\" }]"), "a.toml:7:", "${NAME}"),
            ("[[accounts]\n".to_owned(), "a.toml:1:", ""),
        ] {
            let (found, said) = refused("a.toml", &text);
            assert!(found.starts_with(at), "{text}: {found} {said}");
            assert!(said.contains(what) && !said.contains("s3cret"), "{text}: {said}");
        }
        let (at, what) = refused("a.json", "{\n \"accounts\": [],\n \"colour\": 1 }");
        assert_eq!(at, "a.json:3:9");
        assert!(what.contains("unknown field `colour`") && !what.contains("line"), "{what}");
    }

    #[test]
    fn places_have_the_position_of_what_is_there() {
        let zone = "[[accounts.destinations]]\nname = \"Zone\"\ntype = \"x\"\nmatch_keys = []\nsettings.url = \"u\"\n";
        let source = read("a.toml", &format!("{LUMA}{zone}")).unwrap();
        for (path, position) in [
            ("accounts[0].match_keys", Some((6, 14))),
            ("accounts[0].destinations[0].settings.url", Some((11, 16))),
            ("accounts[0].destinations[0].settings.token", Some((11, 1))),
            ("accounts[3]", Some((1, 1))),
            ("colour", None),
        ] {
            assert_eq!(source.position(path), position, "{path}");
        }
        assert_eq!(source.set_up.accounts[0].name, "Luma");
    }

    #[test]
    fn references_are_whole_values() {
        for (value, expected) in [
            (json!("${TOKEN}"), true),
            (json!({ "file": "token" }), true),
            (json!("Bearer ${TOKEN}"), false),
            (json!("${}"), false),
            (json!("${1}"), false),
            (json!({ "file": "token", "mode": 1 }), false),
            (json!({ "file": 1 }), false),
            (json!(1), false),
        ] {
            assert_eq!(reference(&value).is_some(), expected, "{value}");
        }
    }

    #[test]
    fn a_secret_in_a_file_loses_the_end_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, "").unwrap();
        fs::write(folder.path().join("token"), "s3cret\n").unwrap();
        fs::write(folder.path().join("empty"), "\n").unwrap();
        let source = Source::read(&path).unwrap();
        let settings = json!({ "headers": [{ "value": { "file": "token" } }], "url": "u" });
        assert_eq!(source.resolved(&settings).unwrap(), json!({ "headers": [{ "value": "s3cret" }], "url": "u" }));
        for missing in [json!({ "file": "empty" }), json!({ "file": "none" }), json!("${ENTENTE_NOT_SET}")] {
            assert!(source.resolved(&missing).is_err(), "{missing}");
        }
    }
}
