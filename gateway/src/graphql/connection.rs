//! Connections.

use crate::graphql::{
    access::{Authorised, authorise, authorise_id, change, creation, gateway, load_own, loaders, side},
    collaborator::{Collaborator, by_connect_code},
    cost::{cost, list_size, sized, slicing_by},
    deletion::{self, DeletionPreview, PREVIEW},
    email_invite::{EmailInvite, invite_by_email},
    fault::{allow, fault, payload, refused},
    id::{global, local, local_as},
    loaders::load,
    page::{self, page},
    project::{Project, ProjectPage},
    scalar::SafeInt,
    settings::{AdvertiserNameInput, ConnectionSettings, ConnectionSettingsInput, Counterparty, Side as SettingsSide},
    settings_change::SettingsChange,
    settings_draft::SettingsDraft,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, ConnectionId, MatchKey, Refusal,
    access::Act,
    agency,
    connection::{
        self, CollaborationPattern as DomainPattern, Command, CommandKind, Connection as Row,
        Standing as DomainStanding, State as DomainState,
    },
    deletion::Target,
    event::{NewEvent, Subject},
    settings::Side,
};
use entente_store::{LoadedConnection, LoadedPair, Outcome};

/// States of a connection.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainState")]
pub enum ConnectionState {
    /// The recipient has the invite.
    Invited,
    /// The invite is accepted; the owner has to propose settings.
    Configuring,
    /// The recipient has to answer the proposed settings.
    Proposed,
    /// The recipient rejected the settings; the owner may propose others.
    Rejected,
    /// Both sides agreed.
    Active,
    /// The owner took the invite back.
    Withdrawn,
    /// The recipient declined.
    Declined,
    /// Either side ended it.
    Deleted,
}

/// Which roles meet in a connection. Derived from the pair.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainPattern")]
pub enum CollaborationPattern {
    /// An advertiser with a publisher.
    AdvertiserToPublisher,
    /// Two advertisers.
    BrandToBrand,
    /// An advertiser with a data partner.
    AdvertiserToDataPartner,
    /// An advertiser with an agency.
    AdvertiserToAgency,
    /// An agency, for a client, with a publisher.
    AgencyToPublisher,
    /// An agency, for a client, with a data partner.
    AgencyToDataPartner,
}

/// How a connection reads to one of its accounts.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainStanding")]
pub enum Standing {
    /// The owner waits for the recipient.
    InviteSent,
    /// The recipient has to answer the invite.
    InviteReceived,
    /// The owner has to propose settings.
    SettingsToPropose,
    /// The recipient waits for settings.
    AwaitingSettings,
    /// The owner waits for an answer to its settings.
    SettingsProposed,
    /// The recipient has to answer settings.
    SettingsReceived,
    /// The owner's settings were rejected.
    SettingsToRevise,
    /// The recipient rejected the settings and waits for others.
    SettingsRejected,
    /// Active.
    Active,
    /// Active; the owner waits for an answer to its change of the settings.
    ChangeProposed,
    /// Active; the recipient has to answer a change of the settings.
    ChangeReceived,
    /// Over.
    Ended,
}

/// The agreement between two accounts. Both see it alike; what depends on who looks takes the viewing account.
#[derive(Clone)]
pub struct Connection(pub Row);

page!(ConnectionPage, ConnectionEdge, Connection, "connections");

/// The agreement between two accounts. Both see it alike; what depends on who looks takes the viewing account.
#[Object]
impl Connection {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Where it is.
    async fn state(&self) -> ConnectionState {
        self.0.state.into()
    }

    /// How it reads to the viewing account.
    async fn standing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<Standing> {
        Ok(self.0.standing(side(&self.0, self.viewing(ctx, &account_id)?).map_err(refused)?).into())
    }

    /// Whether it waits for the viewing account.
    async fn action_required(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<bool> {
        let side = side(&self.0, self.viewing(ctx, &account_id)?).map_err(refused)?;
        Ok(self.0.standing(side).action_required())
    }

    /// The other side, as the viewing account sees it.
    async fn counterparty(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<Counterparty> {
        let other = side(&self.0, self.viewing(ctx, &account_id)?).map_err(refused)?.other();
        let collaborator = self.collaborator(ctx, self.0.account_on(other)).await?;
        Ok(Counterparty { collaborator, side: other.into() })
    }

    /// The account that sent the invite.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        self.collaborator(ctx, self.0.owner).await
    }

    /// The account that got the invite.
    async fn recipient(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        self.collaborator(ctx, self.0.recipient).await
    }

    /// Which roles meet.
    async fn collaboration_pattern(&self) -> CollaborationPattern {
        self.0.pattern.into()
    }

    /// What the owner wrote to the invite.
    async fn note(&self) -> &str {
        &self.0.note
    }

    /// What both sides agreed on and is in force; null before.
    async fn settings(&self) -> Option<ConnectionSettings> {
        self.0.settings.clone().map(|s| ConnectionSettings::of(self.0.agreed_version, s))
    }

    /// What waits for the recipient's answer, or was rejected; null otherwise. Of an active connection, that is what
    /// `proposedChange` compares with the settings in force.
    async fn proposed_settings(&self) -> Option<ConnectionSettings> {
        self.0.proposed.clone().map(|s| ConnectionSettings::of(self.0.settings_version, s))
    }

    /// Why the recipient rejected the last proposal; null otherwise.
    async fn rejection_reason(&self) -> Option<&str> {
        self.0.rejection.as_deref()
    }

    /// Who pays for both sides until the settings say otherwise; null: each its own. It is the owner where the recipient was
    /// invited by e-mail.
    async fn payer(&self) -> Option<SettingsSide> {
        self.0.payer.map(Into::into)
    }

    /// The change of the settings that waits for the recipient's answer, or was rejected last; null otherwise.
    async fn proposed_change(&self) -> Option<SettingsChange> {
        self.0.proposed_change().map(|change| SettingsChange::new(self.0.owner, change))
    }

    /// Other settings that the owner works on; null where there are none, and always null to the recipient.
    async fn draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<Option<SettingsDraft>> {
        match side(&self.0, self.viewing(ctx, &account_id)?).map_err(refused)? {
            Side::Recipient => Ok(None),
            Side::Owner => {
                let draft = load(&loaders(ctx).settings_drafts, self.0.id).await?;
                Ok(draft.and_then(|draft| SettingsDraft::of(&self.0, draft)))
            }
        }
    }

    /// Its first projects, newest first.
    #[graphql(
        complexity = "page::cost(Some(first), None, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first"]), sized(), false)
    )]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 20.", default = 20)] first: i32,
    ) -> Result<ProjectPage> {
        let part = page::Nested::of(ctx, first).map_err(refused)?;
        let page = load(&loaders(ctx).projects_of_connections, (self.0.id, part)).await?.unwrap_or_default();
        Ok(ProjectPage::of(page, Project::from))
    }

    /// What ending it would do now, as the viewing account sees it.
    #[graphql(complexity = "PREVIEW + child_complexity", directive = cost::apply(PREVIEW.to_string()))]
    async fn deletion_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<DeletionPreview> {
        let account = self.viewing(ctx, &account_id)?;
        let side = side(&self.0, account).map_err(refused)?;
        let role = authorise_id(ctx, account, Act::ManageConnections)?.err();
        let rule = connection::allowed(&self.0, side, CommandKind::Delete).err();
        deletion::preview(ctx, Target::Connection(self.0.id), account, role.into_iter().chain(rule)).await
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When the invite was sent.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

impl Connection {
    fn viewing(&self, ctx: &Context<'_>, account: &ID) -> Result<AccountId> {
        Ok(authorise(ctx, account, Act::Read)?.map_err(refused)?.account)
    }

    async fn collaborator(&self, ctx: &Context<'_>, account: AccountId) -> Result<Collaborator> {
        let row = load(&loaders(ctx).accounts, account).await?;
        row.map(Collaborator).ok_or_else(|| fault("a connection without one of its accounts"))
    }
}

/// Whom to invite.
#[derive(OneofObject)]
enum InviteeInput {
    /// An account found in the directory.
    CollaboratorId(ID),
    /// An account whose connect code was given outside the product.
    ConnectCode(String),
    /// An organisation without an account, by the e-mail address of somebody there. It gets a mail; the connection begins when
    /// it accepts.
    Email(String),
}

/// Invites an account to connect.
#[derive(InputObject)]
struct InviteInput {
    /// The account that invites; it becomes the connection's owner.
    account_id: ID,
    /// Whom to invite.
    invitee: InviteeInput,
    /// Up to 1,000 characters for the invited account.
    #[graphql(default)]
    note: String,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Names a connection, and the account that acts.
#[derive(InputObject)]
pub struct ConnectionInput {
    /// The account that acts.
    pub account_id: ID,
    /// The connection.
    pub connection_id: ID,
}

/// Proposes settings.
#[derive(InputObject)]
struct ProposeSettingsInput {
    /// The account that acts; the connection's owner.
    account_id: ID,
    /// The connection.
    connection_id: ID,
    /// What is proposed.
    settings: ConnectionSettingsInput,
}

/// Accepts the settings, or the change of them, that were read.
#[derive(InputObject)]
pub struct AcceptSettingsInput {
    /// The account that acts; the connection's recipient.
    pub account_id: ID,
    /// The connection.
    pub connection_id: ID,
    /// The version of the settings that was read. Another one is refused with SETTINGS_CHANGED.
    pub settings_version: SafeInt,
    /// Added to those of the settings.
    #[graphql(default)]
    pub advertiser_names: Vec<AdvertiserNameInput>,
}

/// Rejects the settings, or the change of them, that were read.
#[derive(InputObject)]
pub struct RejectSettingsInput {
    /// The account that acts; the connection's recipient.
    pub account_id: ID,
    /// The connection.
    pub connection_id: ID,
    /// The version of the settings that was read. Another one is refused with SETTINGS_CHANGED.
    pub settings_version: SafeInt,
    /// 1 to 1,000 characters, for the owner.
    pub reason: String,
}

macro_rules! connection_payloads {
    ($($name:ident),*) => {$(
        payload! {
            /// The connection as it is now, or why nothing was done.
            $name {
                /// As it is now.
                connection: $crate::graphql::connection::Connection,
            }
        }

        impl From<entente_domain::connection::Connection> for $name {
            fn from(row: entente_domain::connection::Connection) -> Self {
                let connection = Some($crate::graphql::connection::Connection(row));
                Self { connection, user_errors: vec![] }
            }
        }
    )*};
}
pub(super) use connection_payloads;

payload! {
    /// What came of the invite, or why nothing was done.
    InvitePayload {
        /// The connection as it is now; null when an e-mail address was invited.
        connection: Connection,
        /// The invite that goes to an e-mail address; null when an account was invited.
        email_invite: EmailInvite,
    }
}

connection_payloads!(
    AcceptInvitePayload,
    ProposeSettingsPayload,
    AcceptSettingsPayload,
    RejectSettingsPayload,
    WithdrawConnectionPayload,
    DeclineConnectionPayload
);

payload! {
    /// What was deleted, or why nothing was.
    DeleteConnectionPayload {
        /// The id of the connection that is over. Its projects went with it.
        deleted_connection_id: ID,
    }
}

/// Mutations of connections.
#[derive(Default)]
pub struct ConnectionMutation;

#[Object]
impl ConnectionMutation {
    /// Invites an account, found in the directory or by its connect code, or an organisation without an account by e-mail. For
    /// ADMIN and MANAGER.
    async fn invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: InviteInput,
    ) -> Result<InvitePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let recipient = match input.invitee {
            InviteeInput::CollaboratorId(id) => allow!(listed(ctx, authorised.account, &id).await?),
            InviteeInput::ConnectCode(code) => allow!(by_connect_code(ctx, authorised.account, &code).await?).id,
            InviteeInput::Email(email) => {
                let invited = invite_by_email(ctx, authorised, (email, input.note), input.idempotency_key);
                let email_invite = Some(allow!(invited.await?));
                return Ok(InvitePayload { connection: None, email_invite, user_errors: vec![] });
            }
        };
        let change = allow!(creation(ctx, authorised, "invite", input.idempotency_key)?);
        let (id, at, note) = (ConnectionId::new(), change.now, input.note);
        let rule = move |pair: &LoadedPair| {
            let (one, other) = agency::meeting(&pair.owner, &pair.recipient)?;
            let (owner, recipient) = ((pair.owner.id, one), (pair.recipient.id, other));
            let (connection, event) = connection::invite(id, owner, recipient, &note, pair.live, at)?;
            let events = NewEvent::of_connection(&connection, event);
            Ok(Outcome::of(connection).events(events))
        };
        let created = gateway(ctx)
            .store()
            .invite(change, id, authorised.account, recipient, Box::new(rule))
            .await
            .map_err(fault)?;
        let created = allow!(created);
        let row = load(&loaders(ctx).connections, created.id).await?;
        let connection = Some(Connection(row.ok_or_else(|| fault("a new connection is gone"))?));
        Ok(InvitePayload { connection, email_invite: None, user_errors: vec![] })
    }

    /// Accepts an invite. For ADMIN and MANAGER of the recipient.
    async fn accept_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ConnectionInput,
    ) -> Result<AcceptInvitePayload> {
        let done = apply(ctx, &input.account_id, &input.connection_id, "acceptInvite", |_| Ok(Command::AcceptInvite));
        Ok(allow!(done.await?).into())
    }

    /// Proposes settings. For ADMIN and MANAGER of the owner.
    async fn propose_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ProposeSettingsInput,
    ) -> Result<ProposeSettingsPayload> {
        let settings = allow!(input.settings.settings());
        let done = apply(ctx, &input.account_id, &input.connection_id, "proposeSettings", move |loaded| {
            let (owner_keys, recipient_keys) = keys_of_both(loaded);
            Ok(Command::ProposeSettings { settings, owner_keys, recipient_keys })
        });
        Ok(allow!(done.await?).into())
    }

    /// Accepts the settings that were read; the connection becomes active. For ADMIN and MANAGER of the recipient.
    async fn accept_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: AcceptSettingsInput,
    ) -> Result<AcceptSettingsPayload> {
        let version = input.settings_version.0.cast_signed();
        let advertiser_names = input.advertiser_names.into_iter().map(Into::into).collect();
        let done = apply(ctx, &input.account_id, &input.connection_id, "acceptSettings", move |_| {
            Ok(Command::AcceptSettings { version, advertiser_names })
        });
        Ok(allow!(done.await?).into())
    }

    /// Rejects the settings that were read, with a reason. For ADMIN and MANAGER of the recipient.
    async fn reject_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RejectSettingsInput,
    ) -> Result<RejectSettingsPayload> {
        let (version, reason) = (input.settings_version.0.cast_signed(), input.reason);
        let done = apply(ctx, &input.account_id, &input.connection_id, "rejectSettings", move |_| {
            Ok(Command::RejectSettings { version, reason })
        });
        Ok(allow!(done.await?).into())
    }

    /// Takes a connection back that is not active yet. For ADMIN and MANAGER of the owner.
    async fn withdraw_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ConnectionInput,
    ) -> Result<WithdrawConnectionPayload> {
        let done = apply(ctx, &input.account_id, &input.connection_id, "withdrawConnection", |_| Ok(Command::Withdraw));
        Ok(allow!(done.await?).into())
    }

    /// Declines a connection that is not active yet. For ADMIN and MANAGER of the recipient.
    async fn decline_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ConnectionInput,
    ) -> Result<DeclineConnectionPayload> {
        let done = apply(ctx, &input.account_id, &input.connection_id, "declineConnection", |_| Ok(Command::Decline));
        Ok(allow!(done.await?).into())
    }

    /// Ends an active connection and deletes its projects. For ADMIN and MANAGER of either side.
    async fn delete_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ConnectionInput,
    ) -> Result<DeleteConnectionPayload> {
        let done = apply(ctx, &input.account_id, &input.connection_id, "deleteConnection", |_| Ok(Command::Delete));
        let row = allow!(done.await?);
        Ok(DeleteConnectionPayload { deleted_connection_id: Some(global(row.id)), user_errors: vec![] })
    }
}

/// The match keys of the owner and of the recipient.
pub fn keys_of_both(loaded: &LoadedConnection) -> (Vec<MatchKey>, Vec<MatchKey>) {
    (loaded.owner.keys(), loaded.recipient.keys())
}

/// The account that acts and the connection that it acts on, whose side it may or may not be.
pub fn acting(ctx: &Context<'_>, account: &ID, connection: &ID) -> Result<Result<(Authorised, ConnectionId), Refusal>> {
    Ok(authorise(ctx, account, Act::ManageConnections)?.and_then(|a| Ok((a, local(connection, "connectionId")?))))
}

/// Runs a command of the table of states.
pub async fn apply(
    ctx: &Context<'_>,
    account: &ID,
    connection: &ID,
    action: &'static str,
    command: impl FnOnce(&LoadedConnection) -> Result<Command, Refusal> + Send + 'static,
) -> Result<Result<Row, Refusal>> {
    let (authorised, id) = match acting(ctx, account, connection)? {
        Ok(acting) => acting,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let change = change(ctx, authorised, action, Some(Subject::Connection(id)))?;
    let at = change.now;
    let rule = move |loaded: &LoadedConnection| {
        let side = side(&loaded.connection, authorised.account).map_err(|r| r.at("connectionId"))?;
        let (next, event) = connection::decide(&loaded.connection, side, command(loaded)?, at)?;
        let events = NewEvent::of_connection(&next, event);
        Ok(Outcome::of(next).events(events))
    };
    gateway(ctx).store().change_connection(change, id, Box::new(rule)).await.map_err(fault)
}

/// An account that the directory lists, for those who may browse it; others are invited by connect code.
async fn listed(ctx: &Context<'_>, inviting: AccountId, id: &ID) -> Result<Result<AccountId, Refusal>> {
    use entente_domain::account::Role;
    let missing = || Refusal::not_found("collaborator").at("invitee.collaboratorId");
    let Ok(id) = local_as::<AccountId>(id, "Collaborator", "collaborator", "invitee.collaboratorId") else {
        return Ok(Err(missing()));
    };
    let own = load(&loaders(ctx).accounts, inviting).await?;
    if own.is_none_or(|a| a.role != Role::Advertiser) {
        return Ok(Err(missing()));
    }
    let found = gateway(ctx).store().account(id).await.map_err(fault)?;
    let listed = found.is_some_and(|a| matches!(a.role, Role::Publisher | Role::DataPartner));
    Ok(if listed { Ok(id) } else { Err(missing()) })
}

/// Queries of connections.
#[derive(Default)]
pub struct ConnectionQuery;

#[Object]
impl ConnectionQuery {
    /// A connection of an account that the viewer may act for.
    async fn connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
        #[graphql(desc = "The connection.")] id: ID,
    ) -> Result<Option<Connection>> {
        let Ok(authorised) = authorise(ctx, &account_id, Act::Read)? else { return Ok(None) };
        let Ok(id) = local::<ConnectionId>(&id, "id") else { return Ok(None) };
        Ok(load_own(ctx, authorised.account, &loaders(ctx).connections, id).await?.map(Connection))
    }
}
