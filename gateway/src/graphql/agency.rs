//! Agencies: creating accounts for clients, and handing them over.

use crate::{
    graphql::{
        access::{authorise, change, creation, gateway, loaders, viewer},
        account::{Account, PrivacyLevel},
        account_mutation::{new_code, new_secrets},
        fault::{allow, fault, payload},
        id::global,
        invitation::{Accepting, Invitation, accepting},
        loaders::load,
        match_key::{AccountMatchKeyInput, account_keys},
        member::Member,
    },
    secrets,
};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entente_domain::{
    AccountId, InvitationId, Refusal, Timestamp,
    access::{Act, MemberRole},
    account::{NewAccount, Profile, Role, email_address},
    agency::{self, HandedOver, TakingOver},
    event::{AccountEventKind, ConnectionEvent, NewEvent, Subject},
    invitation::{self, Invitation as InvitationRow},
    privacy::PrivacyLevel as DomainPrivacyLevel,
};
use entente_store::{Change, LoadedAgency, NewConnectCode, Outcome};

/// Creates an account for a client of an agency: an ADVERTISER with secrets, audiences and connections of its own.
#[derive(InputObject)]
struct CreateClientInput {
    /// The agency.
    account_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// Up to 2,000 characters.
    #[graphql(default)]
    description: String,
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
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Offers a client to somebody who takes it over.
#[derive(InputObject)]
struct HandOverClientInput {
    /// The client.
    account_id: ID,
    /// Who becomes its ADMIN, by e-mail address; it need not be a user's yet. No user of the agency.
    email: String,
}

/// Takes a client over from its agency.
#[derive(InputObject)]
struct AcceptHandOverInput {
    /// The token of an invitation that hands over, to the address of who accepts it.
    token: String,
}

payload! {
    /// The client, or why it was not created.
    CreateClientPayload {
        /// What was created.
        client: Account,
    }
}

payload! {
    /// The invitation, or why there is none.
    HandOverClientPayload {
        /// What was created; `withdrawInvitation` takes it back.
        invitation: Invitation,
        /// What `acceptHandOver` takes, once; shown this once. Give it to whom the client is handed over to.
        token: String,
    }
}

payload! {
    /// What came of it, or why nothing did.
    AcceptHandOverPayload {
        /// The account, which is its own now.
        account_id: ID,
        /// The user in it: its ADMIN.
        member: Member,
    }
}

/// Mutations of agencies.
#[derive(Default)]
pub struct AgencyMutation;

#[Object]
impl AgencyMutation {
    /// Creates an account for a client, for which all users of the agency may act, each in its role. For ADMIN and
    /// MANAGER of the agency.
    async fn create_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which agency.")] input: CreateClientInput,
    ) -> Result<CreateClientPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageAccount)?);
        let change = allow!(creation(ctx, authorised, "createClient", input.idempotency_key)?);
        let agency = authorised.account;
        let change = Change { agency: Some(agency), ..change };
        let new = NewAccount {
            profile: Profile {
                name: input.name,
                description: input.description,
                industry: input.industry,
                contact_email: input.contact_email,
            },
            role: Role::Advertiser,
            region: input.region,
            match_keys: allow!(account_keys(input.match_keys)),
            privacy_level: input.privacy_level.map_or(DomainPrivacyLevel::Standard, Into::into),
        };
        let (id, at) = (AccountId::new(), change.now);
        let change = Change { subject: Some(Subject::Account(id)), ..change };
        let secrets = new_secrets(ctx, id)?;
        let rule = move |loaded: &LoadedAgency| {
            let client = agency::create_client(&loaded.agency, loaded.clients, id, new, at)?;
            Ok(Outcome::of(client).events([updated(agency, id)]))
        };
        let store = gateway(ctx).store();
        let created = store.create_client(change, agency, id, secrets, Box::new(rule)).await.map_err(fault)?;
        let client = load(&loaders(ctx).accounts, allow!(created).id).await?.map(Account);
        Ok(CreateClientPayload { client, user_errors: vec![] })
    }

    /// Offers a client to somebody, who takes it over with `acceptHandOver` within seven days; until then nothing
    /// changes. For ADMIN of the agency.
    async fn hand_over_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which client, and to whom.")] input: HandOverClientInput,
    ) -> Result<HandOverClientPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let change = change(ctx, authorised, "handOverClient", Some(Subject::Account(authorised.account)))?;
        let viewer = viewer(ctx)?;
        let by = change.agency.filter(|agency| viewer.authorise(*agency, Act::Administer).is_ok());
        let new = InvitationRow {
            id: InvitationId::new(),
            account: authorised.account,
            email: allow!(email_address("email", &input.email)).to_lowercase(),
            role: MemberRole::Admin,
            hands_over: true,
            created_at: change.now,
            expires_at: change.now + invitation::LIFETIME,
        };
        let token = secrets::new_token("invitation");
        let hash = secrets::token_hash(&token);
        let rule = |known: &agency::Offering| agency::offer(known).map(Outcome::of);
        let store = gateway(ctx).store();
        allow!(store.offer_client(change, new.clone(), hash, by, Box::new(rule)).await.map_err(fault)?);
        Ok(HandOverClientPayload { invitation: Some(Invitation(new)), token: Some(token), user_errors: vec![] })
    }

    /// Takes a client over, as the user whose address the invitation is for, who becomes its ADMIN. From now on it is
    /// an account of its own: its agency's users may do and read nothing of it, its API keys are revoked, its event
    /// webhooks and invitations are gone, and its connect code is another one. Connections, data and destinations stay.
    async fn accept_hand_over(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to accept.")] input: AcceptHandOverInput,
    ) -> Result<AcceptHandOverPayload> {
        let Accepting { user, found, change } = allow!(accepting(ctx, &input.token, "acceptHandOver").await?);
        let store = gateway(ctx).store();
        let at = change.now;
        let (hash, sealed) = new_code(ctx, found.account)?;
        let code = NewConnectCode { hash, sealed };
        let rule = move |known: &TakingOver| taken_over(known, at);
        let member = store.take_client_over(change, found.id, user, code, Box::new(rule)).await.map_err(fault)?;
        let member = allow!(member);
        Ok(AcceptHandOverPayload {
            account_id: Some(global(member.account)),
            member: Some(Member(member)),
            user_errors: vec![],
        })
    }
}

/// The account as it is then, which it, its agency and its partners are told.
fn taken_over(known: &TakingOver, at: Timestamp) -> Result<Outcome<HandedOver>, Refusal> {
    let own = agency::take_over(known, at)?;
    let client = own.account.id;
    let told = [Some(client), known.client.agency].into_iter().flatten().map(|account| updated(account, client));
    let partners = own.connections.iter().flat_map(|c| NewEvent::of_connection(c, ConnectionEvent::HandedOver));
    let events: Vec<_> = told.chain(partners).collect();
    Ok(Outcome::of(own).events(events))
}

/// A client was changed, which an account is told.
pub fn updated(told: AccountId, client: AccountId) -> NewEvent {
    NewEvent::of_account(told, AccountEventKind::AccountUpdated, Subject::Account(client))
}
