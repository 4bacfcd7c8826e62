//! Luma, TV Tube and what they have, made through the store as the gateway makes it.

use crate::database::{Database, done};
use chrono::{DateTime, TimeDelta};
use entente_domain::{
    AccountId, ApiKeyId, AudienceId, CampaignId, ConnectionId, DataConnectionId, JobId, MatchKey, MatchKeyKind,
    PrivacyLevel, ProjectId, Timestamp, UploadId, UserId,
    access::{Actor, MemberRole},
    account::{self, NewAccount, Profile, Role},
    api_key::Purpose,
    audience::{ConnectionAccess, MetadataVisibility},
    connection::{self, Command},
    data_connection::{self, AudienceSource, FieldMapping, Mapping, NewDataConnection, Transformation},
    drift::{Column, Shape},
    event::{AccountEventKind, NewEvent, Subject},
    match_key::AccountMatchKey,
    project::{self, NewCampaign, NewProject},
    schedule::Schedule,
    settings::{ActivationPayer, Activators, AdvertiserName, Counts, Settings, Side, UseCase},
    settings_draft::{self, NewSettingsDraft, SettingsDraft},
};
use entente_store::{
    AccountSecrets, ApiKey, Change, NewJob, Outcome, Publication, RefreshedAudience, RowsRead, SourceId,
    SourceSettings, Upload, User,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A moment of the tests, to which seconds are added.
pub fn at(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

/// A change by the gateway, for an account.
pub fn change(account: AccountId, action: &'static str) -> Change {
    Change {
        actor: Actor::Gateway,
        account: Some(account),
        agency: None,
        request_id: "request".into(),
        action,
        subject: None,
        idempotency_key: None,
        now: at(0),
    }
}

/// The match key of the tests.
pub fn email() -> MatchKey {
    MatchKey::of(MatchKeyKind::HashedEmail)
}

/// 32 bytes that nothing else has.
pub fn hash() -> [u8; 32] {
    let mut bytes = [7; 32];
    bytes[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    bytes
}

/// A user.
pub async fn user(db: &Database, name: &str) -> UserId {
    let id = UserId::new();
    let user = User { id, email: format!("{name}-{id}@example.com"), name: name.into(), created_at: at(0) };
    let by = Change { account: None, ..change(AccountId::new(), "createUser") };
    done(db.store.create_user(by, user, hash()).await).id
}

/// An API key of an account, which reads and never expires.
pub fn api_key(account: AccountId) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        account,
        name: "CI".into(),
        role: MemberRole::Analyst,
        purpose: Purpose::Account,
        scopes: None,
        expires_at: None,
        revoked_at: None,
        rotated_at: None,
        old_works_until: None,
        last_used_at: None,
        created_at: at(0),
    }
}

/// What a new account is.
pub fn new_account(name: &str, role: Role) -> NewAccount {
    NewAccount {
        profile: Profile {
            name: name.into(),
            description: String::new(),
            industry: "Retail".into(),
            contact_email: "team@example.com".into(),
        },
        role,
        region: "US".into(),
        match_keys: vec![AccountMatchKey { key: email(), provider_account_id: None }],
        privacy_level: PrivacyLevel::Standard,
    }
}

/// Secrets of a new account.
pub fn secrets() -> AccountSecrets {
    AccountSecrets { connect_code_hash: hash(), connect_code_sealed: vec![1], coin_secret_sealed: vec![2] }
}

/// An account with its user.
pub async fn account(db: &Database, name: &str, role: Role) -> AccountId {
    let admin = user(db, name).await;
    let (id, new) = (AccountId::new(), new_account(name, role));
    let rule = move || account::create(id, new, at(0)).map(Outcome::of);
    done(db.store.create_account(change(id, "createAccount"), id, admin, secrets(), Box::new(rule)).await).id
}

/// An invite from one account to another.
pub async fn invite(db: &Database, owner: AccountId, recipient: AccountId) -> ConnectionId {
    let id = ConnectionId::new();
    done(invite_as(db, id, owner, recipient).await).id
}

/// The answer to an invite.
pub async fn invite_as(
    db: &Database,
    id: ConnectionId,
    owner: AccountId,
    recipient: AccountId,
) -> Result<Result<entente_store::Created<ConnectionId>, entente_domain::Refusal>, entente_store::StoreError> {
    let rule = move |pair: &entente_store::LoadedPair| {
        let (connection, event) = connection::invite(
            id,
            (pair.owner.id, pair.owner.role),
            (pair.recipient.id, pair.recipient.role),
            "Shall we?",
            pair.live,
            at(0),
        )?;
        let events = NewEvent::of_connection(&connection, event);
        Ok(Outcome::of(connection).events(events))
    };
    db.store.invite(change(owner, "invite"), id, owner, recipient, Box::new(rule)).await
}

/// The answer to a command on a connection.
pub async fn command(
    db: &Database,
    id: ConnectionId,
    side: Side,
    command: Command,
) -> Result<Result<connection::Connection, entente_domain::Refusal>, entente_store::StoreError> {
    let by = db.store.connections_by_ids(&[id]).await.unwrap()[&id].account_on(side);
    let rule = move |loaded: &entente_store::LoadedConnection| {
        let (next, event) = connection::decide(&loaded.connection, side, command, at(1))?;
        let events = NewEvent::of_connection(&next, event);
        Ok(Outcome::of(next).events(events))
    };
    db.store.change_connection(change(by, "changeConnection"), id, Box::new(rule)).await
}

/// An active connection in which both sides activate.
pub async fn connected(db: &Database, owner: AccountId, recipient: AccountId) -> ConnectionId {
    let id = invite(db, owner, recipient).await;
    done(command(db, id, Side::Recipient, Command::AcceptInvite).await);
    let propose =
        Command::ProposeSettings { settings: settings(), owner_keys: vec![email()], recipient_keys: vec![email()] };
    done(command(db, id, Side::Owner, propose).await);
    let accept = Command::AcceptSettings { version: 1, advertiser_names: Vec::new() };
    done(command(db, id, Side::Recipient, accept).await);
    id
}

fn settings() -> Settings {
    Settings {
        use_cases: vec![UseCase::Discover, UseCase::Activate, UseCase::Measure],
        match_keys: vec![email()],
        activators: Activators::Both,
        activation_payer: ActivationPayer::EachOwn,
        measurement_payer: Side::Owner,
        advertiser_names: vec![AdvertiserName { name: "Luma".into(), id: "luma".into() }],
        counts: Counts::Protected,
    }
}

/// The settings of an active connection, but with exact counts.
pub fn exact() -> Settings {
    Settings { counts: Counts::Exact, ..settings() }
}

/// The answer to a draft that the owner saves.
pub async fn save_draft(
    db: &Database,
    id: ConnectionId,
    settings: Settings,
) -> Result<Result<SettingsDraft, entente_domain::Refusal>, entente_store::StoreError> {
    let by = db.store.connections_by_ids(&[id]).await.unwrap()[&id].owner;
    let new = NewSettingsDraft {
        settings,
        read_version: None,
        by: "gateway".into(),
        owner_keys: vec![email()],
        recipient_keys: vec![email()],
    };
    let rule = move |loaded: &entente_store::LoadedConnection, present: &Option<SettingsDraft>| {
        settings_draft::save(&loaded.connection, Side::Owner, present.as_ref(), new, at(1)).map(Outcome::of)
    };
    db.store.save_settings_draft(change(by, "saveSettingsDraft"), id, Box::new(rule)).await
}

/// The answer to a draft that the owner proposes.
pub async fn propose_draft(
    db: &Database,
    id: ConnectionId,
    version: i64,
) -> Result<Result<connection::Connection, entente_domain::Refusal>, entente_store::StoreError> {
    let by = db.store.connections_by_ids(&[id]).await.unwrap()[&id].owner;
    let rule = move |loaded: &entente_store::LoadedConnection, present: &Option<SettingsDraft>| {
        let keys = (vec![email()], vec![email()]);
        let (next, event) =
            settings_draft::propose(&loaded.connection, Side::Owner, present.as_ref(), version, keys, at(1))?;
        let events = NewEvent::of_connection(&next, event);
        Ok(Outcome::of(next).events(events))
    };
    db.store.propose_settings_draft(change(by, "proposeSettingsChange"), id, Box::new(rule)).await
}

/// A project of a connection.
pub async fn project(db: &Database, connection: ConnectionId, creator: AccountId) -> ProjectId {
    let id = ProjectId::new();
    let new = NewProject {
        name: "Spring".into(),
        description: String::new(),
        advertiser_id: None,
        use_cases: vec![UseCase::Discover, UseCase::Activate, UseCase::Measure],
    };
    let rule = move |loaded: &entente_store::LoadedConnection| {
        project::create(id, &loaded.connection, creator, "Luma", new, at(2)).map(Outcome::of)
    };
    done(db.store.create_project(change(creator, "createProject"), id, connection, Box::new(rule)).await).id
}

/// A campaign of a project.
pub async fn campaign(db: &Database, project: ProjectId, runner: AccountId) -> CampaignId {
    let id = CampaignId::new();
    let new = NewCampaign {
        external_id: "c-1".into(),
        name: "Spring on TV Tube".into(),
        placements: vec!["home".into()],
        creatives: Vec::new(),
    };
    let rule =
        move |_: &entente_store::LoadedProject| project::campaign(id, project, runner, new, at(3)).map(Outcome::of);
    done(db.store.create_campaign(change(runner, "createCampaign"), id, project, Box::new(rule)).await).id
}

/// A complete upload.
pub async fn upload(db: &Database, account: AccountId) -> UploadId {
    let upload = Upload {
        id: UploadId::new(),
        account,
        created_by: "gateway".into(),
        file_name: "people.csv".into(),
        bytes_received: 10,
        size: None,
        complete: true,
        sealed_key: vec![3],
        used_by: None,
        created_at: at(0),
        expires_at: at(7 * 86_400),
    };
    done(db.store.create_upload(change(account, "createUpload"), upload).await).id
}

fn customers(source_type: Option<String>) -> NewDataConnection {
    NewDataConnection {
        name: "Customers".into(),
        source_type,
        schedule: Schedule::Once,
        mapping: Mapping {
            fields: vec![FieldMapping {
                column: "email".into(),
                match_key: email(),
                transformation: Transformation::NormaliseAndHash,
            }],
            audience: AudienceSource::Column("audience".into()),
            delimiter: ',',
        },
        categories: vec!["Sports".into()],
        access: ConnectionAccess::Public,
        visibility: MetadataVisibility::default(),
        consent_acknowledged: true,
    }
}

/// A data connection that was not refreshed yet, and its job.
pub async fn data_connection(db: &Database, account: AccountId) -> (DataConnectionId, JobId) {
    let (id, job) = (DataConnectionId::new(), JobId::new());
    let upload = upload(db, account).await;
    let rule = move |owner: &account::Account| {
        let made = data_connection::create(id, owner.id, &[email()], customers(None), "gateway", at(0))?;
        let event = NewEvent::of_account(account, AccountEventKind::DataConnectionCreated, Subject::DataConnection(id));
        Ok(Outcome::of(made).events([event]).job(self::job(job, "refresh", &format!("account-{account}"), account)))
    };
    let by = change(account, "createDataConnection");
    done(db.store.create_data_connection(by, id, account, (Some(upload), None), Box::new(rule)).await);
    db.store.begin_refresh(account, SourceId::DataConnection(id), job, at(1)).await.unwrap();
    (id, job)
}

/// A data connection that reads from a source.
pub async fn data_connection_of_a_source(db: &Database, account: AccountId) -> DataConnectionId {
    let id = DataConnectionId::new();
    let rule = move |owner: &account::Account| {
        let new = customers(Some("local_folder".to_owned()));
        Ok(Outcome::of(data_connection::create(id, owner.id, &[email()], new, "gateway", at(0))?))
    };
    let settings = SourceSettings { sealed: vec![1], shown: serde_json::json!({ "folder": "luma" }) };
    let by = change(account, "createDataConnection");
    done(db.store.create_data_connection(by, id, account, (None, Some(settings)), Box::new(rule)).await);
    id
}

/// Columns of text, and so many rows.
pub fn shape(columns: &[&str], rows: u64) -> Shape {
    let column = |name: &&str| Column { name: (*name).to_owned(), data_type: "text".to_owned() };
    Shape { columns: columns.iter().map(column).collect(), rows: Some(rows) }
}

/// A refresh of a data connection with these audiences, built from the account's current generation.
pub async fn publication(
    db: &Database,
    account: AccountId,
    (data_connection, job): (DataConnectionId, JobId),
    names: &[&str],
) -> Publication {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let slots = done(db.store.slots_for(change(account, "refresh"), account, names.clone()).await);
    let identities = BTreeMap::from([("hashed_email".to_owned(), 100)]);
    Publication {
        data_connection,
        job,
        built_from: db.store.current_generations(&[account]).await.unwrap().get(&account).map(|g| g.id),
        generation: entente_domain::GenerationId::new(),
        account_identities: identities.clone(),
        run: job.to_string(),
        keys: vec!["hashed_email".into()],
        audiences: names
            .into_iter()
            .zip(slots)
            .map(|(first_name, slot)| RefreshedAudience { first_name, slot, identities: identities.clone() })
            .collect(),
        read: RowsRead { rows: 100, accepted: 100, ..RowsRead::default() },
        seen: None,
        shape: shape(&["email", "audience"], 100),
    }
}

/// A sourced account's audiences, oldest first.
pub async fn sourced(db: &Database, account: AccountId, names: &[&str]) -> Vec<AudienceId> {
    let refresh = data_connection(db, account).await;
    let publication = publication(db, account, refresh, names).await;
    done(db.store.publish_generation(change(account, "refresh"), publication, Vec::new()).await);
    let audiences = db.store.audiences_of_data_connection(refresh.0).await.unwrap();
    audiences.into_iter().map(|a| a.id).collect()
}

/// A job that is due at the start of the tests.
pub fn job(id: JobId, kind: &str, lane: &str, account: AccountId) -> NewJob {
    NewJob {
        id,
        kind: kind.into(),
        lane: lane.into(),
        share: None,
        account,
        subject: None,
        payload: serde_json::json!({ "kind": kind }),
        run_at: at(0),
    }
}
