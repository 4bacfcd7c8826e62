//! What the owner of a connection works on before it proposes a change. The other side never learns of it.

use crate::graphql::{
    access::{actor_name, change, gateway, loaders, side},
    connection::{acting, keys_of_both},
    fault::{allow, fault, payload},
    loaders::load,
    scalar::SafeInt,
    settings::{ConnectionSettings, ConnectionSettingsInput},
    settings_change::SettingsDifferences,
};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    connection::Connection,
    event::Subject,
    settings_draft::{self, NewSettingsDraft, SettingsDraft as Row},
};
use entente_store::{LoadedConnection, Outcome};

/// Other settings for an active connection that its owner works on. Nobody else sees them.
#[derive(SimpleObject)]
pub struct SettingsDraft {
    /// The settings as they would be. Saving again and proposing name their version.
    settings: ConnectionSettings,
    /// What they would change about the settings in force, setting by setting.
    differences: SettingsDifferences,
    /// Who saved it.
    saved_by: String,
    /// When it was saved.
    saved_at: DateTime<Utc>,
}

impl SettingsDraft {
    /// The draft of a connection; none once it was proposed.
    pub fn of(connection: &Connection, draft: Row) -> Option<Self> {
        let (agreed, settings) = (connection.settings.as_ref()?, draft.settings?);
        Some(Self {
            differences: SettingsDifferences::between(agreed, &settings),
            settings: ConnectionSettings::of(draft.version, settings),
            saved_by: draft.saved_by,
            saved_at: draft.saved_at,
        })
    }
}

/// Saves a draft.
#[derive(InputObject)]
struct SaveSettingsDraftInput {
    /// The account that acts; the connection's owner.
    account_id: ID,
    /// The connection.
    connection_id: ID,
    /// The settings as they should be, whole. Use cases and match keys that were agreed on have to be among them.
    settings: ConnectionSettingsInput,
    /// The version of the draft that was read, 0 where there was none. Another one is refused with SETTINGS_CHANGED. Left
    /// out, whatever draft there is is replaced.
    draft_version: Option<SafeInt>,
}

payload! {
    /// The draft as it was saved, or why it was not.
    SaveSettingsDraftPayload {
        /// As it is now.
        draft: SettingsDraft,
    }
}

/// Mutations of drafts.
#[derive(Default)]
pub struct SettingsDraftMutation;

#[Object]
impl SettingsDraftMutation {
    /// Saves a draft of other settings for an active connection; nobody else sees it, and nothing changes. For ADMIN and
    /// MANAGER of the owner.
    async fn save_settings_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: SaveSettingsDraftInput,
    ) -> Result<SaveSettingsDraftPayload> {
        let settings = allow!(input.settings.settings());
        let (authorised, id) = allow!(acting(ctx, &input.account_id, &input.connection_id)?);
        let change = change(ctx, authorised, "saveSettingsDraft", Some(Subject::Connection(id)))?;
        let (at, by) = (change.now, actor_name(&change));
        let read_version = input.draft_version.map(|version| version.0.cast_signed());
        let rule = move |loaded: &LoadedConnection, present: &Option<Row>| {
            let connection = &loaded.connection;
            let side = side(connection, authorised.account).map_err(|r| r.at("connectionId"))?;
            let (owner_keys, recipient_keys) = keys_of_both(loaded);
            let new = NewSettingsDraft { settings, read_version, by, owner_keys, recipient_keys };
            settings_draft::save(connection, side, present.as_ref(), new, at).map(Outcome::of)
        };
        let saved = gateway(ctx).store().save_settings_draft(change, id, Box::new(rule)).await.map_err(fault)?;
        let saved = allow!(saved);
        let connection = load(&loaders(ctx).connections, id).await?;
        let draft = connection.and_then(|connection| SettingsDraft::of(&connection, saved));
        Ok(SaveSettingsDraftPayload { draft, user_errors: vec![] })
    }
}
