//! Creating, editing and deleting accounts.

use crate::{
    graphql::{
        access::{authorise, change, gateway, loaders, viewer},
        account::{Account, PrivacyLevel, Role},
        agency::updated,
        fault::{allow, fault, payload},
        loaders::load,
        match_key::{AccountMatchKeyInput, account_keys},
        picture,
    },
    secrets,
    work::erase,
};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entente_domain::{
    AccountId, Code, Refusal, Timestamp, UserId,
    access::{Act, Actor},
    account::{self, AccountChange, NewAccount, Profile},
    agency::may_go,
    connect_code::ConnectCode,
    deletion::{account_may_go, ended_with_account},
    event::{AccountEventKind, NewEvent, Subject},
    privacy::PrivacyLevel as DomainPrivacyLevel,
};
use entente_store::{AccountSecrets, DeletedAccount, LoadedDeletion, Outcome};

/// Creates an account; the user who does becomes its ADMIN.
#[derive(InputObject)]
struct CreateAccountInput {
    /// 1 to 100 characters.
    name: String,
    /// Up to 2,000 characters.
    #[graphql(default)]
    description: String,
    /// What it is. Fixed from here on.
    role: Role,
    /// Up to 100 characters.
    #[graphql(default)]
    industry: String,
    /// ISO 3166-1 alpha-2, such as US or DE. Fixed from here on.
    region: String,
    /// A team address, shown to others.
    contact_email: String,
    /// What it can match on; at least one.
    match_keys: Vec<AccountMatchKeyInput>,
    /// STANDARD unless said otherwise. It can be raised later, not lowered.
    privacy_level: Option<PrivacyLevel>,
    /// The ADMIN, when the operator creates the account.
    admin_user_id: Option<ID>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Edits an account. What is left out stays.
#[derive(InputObject)]
struct UpdateAccountInput {
    /// The account.
    account_id: ID,
    /// A new name.
    name: Option<String>,
    /// A new description.
    description: Option<String>,
    /// A new industry.
    industry: Option<String>,
    /// A new team address.
    contact_email: Option<String>,
    /// All match keys, as they should be. A key in use can neither be changed nor removed.
    match_keys: Option<Vec<AccountMatchKeyInput>>,
    /// The logo, as the text of an SVG; it is sanitised.
    logo: Option<String>,
    /// The header picture, a PNG, JPEG or WebP of up to 1 MiB, in Base64.
    header_picture: Option<String>,
}

/// Raises the privacy level. It is never lowered again: the coins of two levels are drawn apart, so who has seen the same
/// people through both knows more of them than either level tells. What others have read under the lower level stays read.
#[derive(InputObject)]
struct RaisePrivacyLevelInput {
    /// The account.
    account_id: ID,
    /// The level from now on; one that is lower is refused with PRIVACY_LEVEL_LOWERED.
    privacy_level: PrivacyLevel,
}

/// Replaces the connect code. The old one stops working for new invites at once; connections stay.
#[derive(InputObject)]
struct RefreshConnectCodeInput {
    /// The account.
    account_id: ID,
}

/// Deletes an account.
#[derive(InputObject)]
struct DeleteAccountInput {
    /// The account.
    account_id: ID,
    /// Its name, so that nobody deletes another one by mistake.
    account_name: String,
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteAccountPayload {
        /// The id of the account that is gone.
        deleted_account_id: ID,
    }
}

payload! {
    /// The account, or why it was not created.
    CreateAccountPayload {
        /// What was created.
        account: Account,
    }
}

payload! {
    /// The account, or why it was not edited.
    UpdateAccountPayload {
        /// As it is now.
        account: Account,
    }
}

payload! {
    /// The account, or why its level is not another.
    RaisePrivacyLevelPayload {
        /// As it is now.
        account: Account,
    }
}

payload! {
    /// The account with its new code, or why it has none.
    RefreshConnectCodePayload {
        /// As it is now.
        account: Account,
    }
}

/// Mutations of accounts.
#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Creates an account.
    async fn create_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateAccountInput,
    ) -> Result<CreateAccountPayload> {
        let admin = allow!(first_admin(ctx, input.admin_user_id.as_ref())?);
        let key = allow!(super::access::checked_key(input.idempotency_key.clone()));
        let match_keys = allow!(account_keys(input.match_keys));
        let id = AccountId::new();
        let mut change = super::access::change_outside_accounts(ctx, "createAccount")?;
        change.idempotency_key = key;
        let new = NewAccount {
            profile: Profile {
                name: input.name,
                description: input.description,
                industry: input.industry,
                contact_email: input.contact_email,
            },
            role: input.role.into(),
            region: input.region,
            match_keys,
            privacy_level: input.privacy_level.map_or(DomainPrivacyLevel::Standard, Into::into),
        };
        let secrets = new_secrets(ctx, id)?;
        let at = change.now;
        let rule = move || account::create(id, new, at).map(Outcome::of);
        let created =
            gateway(ctx).store().create_account(change, id, admin, secrets, Box::new(rule)).await.map_err(fault)?;
        let created = allow!(created);
        let account = load(&loaders(ctx).accounts, created.id).await?.map(Account);
        Ok(CreateAccountPayload { account, user_errors: vec![] })
    }

    /// Edits an account. For ADMIN and MANAGER.
    async fn update_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: UpdateAccountInput,
    ) -> Result<UpdateAccountPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let logo = allow!(input.logo.as_deref().map(picture::logo).transpose());
        let header = allow!(input.header_picture.as_deref().map(picture::header).transpose());
        let changes = AccountChange {
            name: input.name,
            description: input.description,
            industry: input.industry,
            contact_email: input.contact_email,
            match_keys: allow!(input.match_keys.map(account_keys).transpose()),
        };
        let id = authorised.account;
        let change = change(ctx, authorised, "updateAccount", Some(Subject::Account(id)))?;
        let at = change.now;
        let rule = move |loaded: &entente_store::LoadedAccount| {
            let next = account::update(&loaded.account, changes, &loaded.keys_in_use, at)?;
            let event = NewEvent::of_account(id, AccountEventKind::AccountUpdated, Subject::Account(id));
            Ok(Outcome::of(next).events([event]))
        };
        let store = gateway(ctx).store();
        let updated = store.change_account(change.clone(), id, Box::new(rule)).await.map_err(fault)?;
        let account = Some(Account(allow!(updated)));
        if logo.is_some() {
            allow!(store.set_logo(change.clone(), id, logo).await.map_err(fault)?);
        }
        if header.is_some() {
            allow!(store.set_header_picture(change, id, header).await.map_err(fault)?);
        }
        Ok(UpdateAccountPayload { account, user_errors: vec![] })
    }

    /// Raises the privacy level, at once and for ever: every answer about this account's people is read through the coins of
    /// the new level from now on. Its sizes and what was agreed on stay as they are. For ADMIN and MANAGER.
    async fn raise_privacy_level(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RaisePrivacyLevelInput,
    ) -> Result<RaisePrivacyLevelPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let id = authorised.account;
        let change = change(ctx, authorised, "raisePrivacyLevel", Some(Subject::Account(id)))?;
        let (at, level) = (change.now, input.privacy_level.into());
        let rule = move |loaded: &entente_store::LoadedAccount| {
            let next = account::raise_privacy_level(&loaded.account, level, at)?;
            let event = NewEvent::of_account(id, AccountEventKind::AccountUpdated, Subject::Account(id));
            Ok(Outcome::of(next).events([event]))
        };
        let raised = gateway(ctx).store().change_account(change, id, Box::new(rule)).await.map_err(fault)?;
        Ok(RaisePrivacyLevelPayload { account: Some(Account(allow!(raised))), user_errors: vec![] })
    }

    /// Replaces the connect code. For ADMIN and MANAGER.
    async fn refresh_connect_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RefreshConnectCodeInput,
    ) -> Result<RefreshConnectCodePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let id = authorised.account;
        let (hash, sealed) = new_code(ctx, id)?;
        let change = change(ctx, authorised, "refreshConnectCode", Some(Subject::Account(id)))?;
        allow!(gateway(ctx).store().refresh_connect_code(change, id, hash, sealed).await.map_err(fault)?);
        let account = load(&loaders(ctx).accounts, id).await?.map(Account);
        Ok(RefreshConnectCodePayload { account, user_errors: vec![] })
    }

    /// Deletes an account for good, with all that only it could read; `deletionPreview` says what that is. Its connections end;
    /// what it delivered and was delivered of it stays. Refused with WRONG_STATE while a delivery to one of its destinations is
    /// under way. For ADMIN.
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteAccountInput,
    ) -> Result<DeleteAccountPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let (id, name) = (authorised.account, input.account_name);
        let change = change(ctx, authorised, "deleteAccount", Some(Subject::Account(id)))?;
        let (at, secrets) = (change.now, new_secrets(ctx, id)?);
        let rule = move |loaded: &LoadedDeletion| deleted(loaded, &name, at);
        allow!(gateway(ctx).store().delete_account(change, id, secrets, Box::new(rule)).await.map_err(fault)?);
        Ok(DeleteAccountPayload { deleted_account_id: Some(super::id::global(id)), user_errors: vec![] })
    }
}

/// What is left of an account and its connections, which the other sides are told.
fn deleted(loaded: &LoadedDeletion, name: &str, at: Timestamp) -> Result<Outcome<DeletedAccount>, Refusal> {
    account::confirmed(&loaded.account, name)?;
    account_may_go(loaded.running_deliveries)?;
    may_go(loaded.clients)?;
    let id = loaded.account.id;
    let ended = loaded.live.iter().map(|connection| ended_with_account(connection, id, at));
    let ended = ended.collect::<Result<Vec<_>, _>>()?;
    let events: Vec<_> = ended.iter().flat_map(|(next, event)| NewEvent::of_connection(next, *event)).collect();
    let connections = ended.into_iter().map(|(next, _)| next).collect();
    let left = DeletedAccount { account: account::deleted(&loaded.account, at), connections };
    let to_others = events.into_iter().filter(|event| event.account != id);
    let to_agency = loaded.account.agency.map(|agency| updated(agency, id));
    Ok(Outcome::of(left).events(to_others.chain(to_agency)).job(erase::job(id, at)))
}

/// A signed-in user becomes ADMIN of what it creates; the operator says who does.
fn first_admin(ctx: &Context<'_>, named: Option<&ID>) -> Result<Result<UserId, Refusal>> {
    let forbidden = |message: &str| Ok(Err(Refusal::new(Code::Forbidden, message)));
    match (viewer(ctx)?.actor, named) {
        (Actor::Operator, Some(user)) => Ok(super::id::local(user, "adminUserId")),
        (Actor::Operator, None) => Ok(Err(Refusal::invalid("adminUserId", "Name the user who becomes its ADMIN."))),
        (Actor::User(user), None) if gateway(ctx).settings.self_service => Ok(Ok(user)),
        (Actor::User(_), None) => forbidden("On this gateway only the operator creates accounts."),
        _ => forbidden("Only a signed-in user, or the operator for one, creates accounts."),
    }
}

/// A new connect code: its hash, and the code sealed.
pub fn new_code(ctx: &Context<'_>, account: AccountId) -> Result<([u8; 32], Vec<u8>)> {
    let code = ConnectCode::generate();
    let sealed = gateway(ctx)
        .secrets()
        .seal(&secrets::purpose::of_connect_code(account), code.reveal().as_bytes())
        .map_err(fault)?;
    Ok((secrets::token_hash(code.reveal()), sealed))
}

/// The secrets of a new account.
pub fn new_secrets(ctx: &Context<'_>, account: AccountId) -> Result<AccountSecrets> {
    let (connect_code_hash, connect_code_sealed) = new_code(ctx, account)?;
    let coins: zeroize::Zeroizing<[u8; 32]> = zeroize::Zeroizing::new(rand::random());
    let coin_secret_sealed = gateway(ctx).secrets().seal(&secrets::coin_purpose(account), &*coins).map_err(fault)?;
    Ok(AccountSecrets { connect_code_hash, connect_code_sealed, coin_secret_sealed })
}
