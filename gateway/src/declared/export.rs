//! Writing a set-up of what is there. Applying it changes nothing; it has no secrets, but says where they would be.

use super::{
    Asked, Outcome,
    format::{Account, Connection, DataConnection, DataSource, Destination, SetUp, Side, With},
    present::{Present, PresentAccount, PresentConnection, PresentDataConnection, PresentDestination},
};
use clap::Args;
use entente_domain::{
    connection::State,
    destination_settings::{secrets, without_nulls},
};
use serde_json::{Map, Value, json};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::ExitCode,
};

const HEADER: &str = "# Written by `entente export`. Secrets are referred to, whether or not they are set.\n\n";

/// What to export, and where to.
#[derive(Debug, Args)]
pub struct Export {
    /// Only the account of this name; can be said several times. All of whoever asks by default
    #[arg(long, value_name = "NAME")]
    account: Vec<String>,
    /// A file that is not there yet, as JSON where its name ends in .json; TOML to standard output by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

impl Export {
    /// Writes the file.
    ///
    /// # Errors
    /// An account that is not there, a gateway that does not answer, a file that cannot be written.
    pub fn run(self) -> Outcome {
        let api = self.asked.api()?;
        let names: Vec<_> = self.account.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let wanted = (!names.is_empty()).then_some(&names[..]);
        let present = runtime.block_on(Present::read(&api, wanted))?;
        if let Some(name) = present.ambiguous.first() {
            return Err(format!("several accounts are called {name:?}, which a set-up cannot tell apart").into());
        }
        if let Some(name) = names.iter().find(|name| !present.accounts.contains_key(**name)) {
            return Err(format!("there is no account {name:?}").into());
        }
        let set_up = set_up(&present);
        let is_json = self.out.as_ref().is_some_and(|path| path.extension().is_some_and(|e| e == "json"));
        let text = if is_json {
            format!("{}\n", serde_json::to_string_pretty(&set_up)?)
        } else {
            format!("{HEADER}{}", toml::to_string_pretty(&set_up)?)
        };
        match &self.out {
            Some(path) => {
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
                file.and_then(|mut file| file.write_all(text.as_bytes()))
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
            None => io::stdout().lock().write_all(text.as_bytes())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn set_up(present: &Present) -> SetUp {
    let accounts = present.accounts.values().map(|account| Account {
        data_connections: account.data_connections.iter().map(|d| data_connection(present, account, d)).collect(),
        destinations: account.destinations.iter().filter_map(|d| destination(present, account, d)).collect(),
        connections: account.connections.iter().filter_map(|c| connection(present, account, c)).collect(),
        ..account.declared()
    });
    SetUp { schema: None, accounts: accounts.collect() }
}

/// A data connection with references where its source has secrets; a source whose type is gone is left out.
fn data_connection(present: &Present, account: &PresentAccount, found: &PresentDataConnection) -> DataConnection {
    let declared = &found.declared;
    let source = declared.source.as_ref().and_then(|DataSource { source_type, settings }| {
        let schema = present.source_types.get(source_type)?;
        let settings = with_references(schema, settings, [&account.profile.name, &declared.name]);
        Some(DataSource { source_type: source_type.clone(), settings })
    });
    DataConnection { source, ..declared.clone() }
}

/// A destination with references where its type has secrets; one whose type is gone is left out.
fn destination(present: &Present, account: &PresentAccount, found: &PresentDestination) -> Option<Destination> {
    let declared = &found.declared;
    let schema = present.destination_types.get(&declared.destination_type)?;
    let settings = with_references(schema, &declared.settings, [&account.profile.name, &declared.name]);
    Some(Destination { settings, ..declared.clone() })
}

/// Settings with references where their type has secrets, which are named after an account and a thing of it.
fn with_references(schema: &Value, settings: &Map<String, Value>, named: [&str; 2]) -> Map<String, Value> {
    let mut settings = without_nulls(Value::Object(settings.clone()));
    for (place, name) in secrets(schema, &settings) {
        let variable = variable(&[named[0], named[1], &name]);
        if let Some(Value::Object(fields)) = settings.pointer_mut(&place) {
            fields.insert(name, json!(format!("${{{variable}}}")));
        }
    }
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

/// The name of an environment variable: `LUMA_RECEIVER_SECRET`.
fn variable(parts: &[&str]) -> String {
    let name = parts.join("_").to_ascii_uppercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// A connection as far as it is this side's, without what waits for its answer: the file would be the answer.
fn connection(present: &Present, account: &PresentAccount, found: &PresentConnection) -> Option<Connection> {
    if !found.state.is_live() || (found.side, found.state) == (Side::Recipient, State::Invited) {
        return None;
    }
    let settings = match (found.side, found.state) {
        (_, State::Active) => found.settings.clone(),
        (Side::Owner, State::Proposed) => found.proposed.clone(),
        _ => None,
    };
    let is_other = |other: &&PresentAccount| other.profile.collaborator_id == found.other_id;
    let here = present.accounts.values().filter(|other| other.profile.id != account.profile.id).find(is_other);
    let with = match here {
        Some(other) => With::Account(other.profile.name.clone()),
        None => With::CollaboratorId(found.other_id.clone()),
    };
    let is_noted = found.side == Side::Owner && !found.note.is_empty();
    Some(Connection {
        with,
        side: found.side,
        note: is_noted.then(|| found.note.clone()),
        settings: settings.map(|version| version.settings),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_get_names_of_variables() {
        for (parts, name) in [
            (["TV Tube", "Hook", "secret"], "TV_TUBE_HOOK_SECRET"),
            (["Ünion", "a-b", "c.d"], "_NION_A_B_C_D"),
            (["4you", "x", "y"], "_4YOU_X_Y"),
        ] {
            assert_eq!(variable(&parts), name);
        }
    }
}
