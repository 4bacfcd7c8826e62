//! Drafts: other settings that the owner of an active connection works on before it proposes them. The other side learns
//! neither what is in a draft nor whether there is one, so that a draft is no part of its connection.

use crate::{
    Code, ConnectionId, Refusal, Timestamp,
    connection::{self, Command, CommandKind, Connection},
    event::ConnectionEvent,
    match_key::MatchKey,
    settings::{Settings, Side},
    settings_change,
};

/// The draft of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsDraft {
    /// Its connection.
    pub connection: ConnectionId,
    /// What it says; none once it was proposed.
    pub settings: Option<Settings>,
    /// Grows by one each time that one is saved, also after it was proposed.
    pub version: i64,
    /// Who saved it.
    pub saved_by: String,
    /// When it was saved.
    pub saved_at: Timestamp,
}

/// What is needed to save a draft.
#[derive(Clone, Debug)]
pub struct NewSettingsDraft {
    /// What it says.
    pub settings: Settings,
    /// The version that was read, 0 where there was none; `None` replaces whatever there is.
    pub read_version: Option<i64>,
    /// Who saves it.
    pub by: String,
    /// The owner's match keys.
    pub owner_keys: Vec<MatchKey>,
    /// The recipient's match keys.
    pub recipient_keys: Vec<MatchKey>,
}

/// Saves a draft in place of the present one. It is checked as when it is proposed.
pub fn save(
    connection: &Connection,
    side: Side,
    present: Option<&SettingsDraft>,
    new: NewSettingsDraft,
    now: Timestamp,
) -> Result<SettingsDraft, Refusal> {
    connection::allowed(connection, side, CommandKind::SaveDraft)?;
    let there = present.filter(|draft| draft.settings.is_some()).map_or(0, |draft| draft.version);
    if new.read_version.is_some_and(|read| read != there) {
        return Err(changed());
    }
    let settings = settings_change::checked(connection, new.settings, &new.owner_keys, &new.recipient_keys)?;
    Ok(SettingsDraft {
        connection: connection.id,
        settings: Some(settings),
        version: present.map_or(0, |draft| draft.version) + 1,
        saved_by: new.by,
        saved_at: now,
    })
}

/// Proposes the draft of this version as a change of the settings.
pub fn propose(
    connection: &Connection,
    side: Side,
    present: Option<&SettingsDraft>,
    version: i64,
    (owner_keys, recipient_keys): (Vec<MatchKey>, Vec<MatchKey>),
    now: Timestamp,
) -> Result<(Connection, ConnectionEvent), Refusal> {
    // First, so that what the other side is told does not depend on whether there is a draft.
    connection::allowed(connection, side, CommandKind::ProposeChange)?;
    let draft = present.filter(|draft| draft.version == version);
    let settings = draft.and_then(|draft| draft.settings.clone()).ok_or_else(changed)?;
    connection::decide(connection, side, Command::ProposeChange { settings, owner_keys, recipient_keys }, now)
}

fn changed() -> Refusal {
    Refusal::new(Code::SettingsChanged, "The draft is not the one that was read; read it again.").at("draftVersion")
}
