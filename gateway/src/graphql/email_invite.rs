//! Invites by e-mail: how an organisation without an account comes to a connection.

use crate::{
    email_invites::{self, Answer},
    graphql::{
        access::{Authorised, authorise, change, creation, gateway, loaders, viewer},
        account::{Account, PrivacyLevel, Role},
        account_mutation::new_secrets,
        collaborator::{Collaborator, collaborator},
        connection::Connection,
        fault::{allow, fault, payload, refused},
        id::{global, local},
        loaders::load,
        match_key::{AccountMatchKeyInput, account_keys},
        page::page,
        user::User,
    },
    mail::Mailer,
    secrets,
    work::email_invite::job,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, Code, ConnectionId, EmailInviteId, Refusal, UserId,
    access::{Act, Actor},
    account::{NewAccount, Profile, email_address},
    email_invite::{self, Acceptance, EmailInvite as Row, ReportReason as DomainReportReason, Status, token_invalid},
    event::{NewEvent, Subject},
    privacy::PrivacyLevel as DomainPrivacyLevel,
    terms::AcceptedTerms as AcceptedTermsRow,
};
use entente_store::{Change, Outcome};

/// What became of an invite by e-mail.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum EmailInviteStatus {
    /// It waits for an answer.
    Waiting,
    /// Nobody answered it in time.
    Expired,
    /// It was accepted; the connection is there.
    Accepted,
    /// It was declined.
    Declined,
    /// It was reported as unwanted: the address gets no more of this account's.
    Reported,
    /// The account took it back.
    Withdrawn,
    /// The account invited the address anew.
    Replaced,
    /// The mail server says that there is no such address.
    Undeliverable,
}

/// Why an invite is unwanted.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainReportReason")]
pub enum ReportReason {
    /// It is advertising that nobody asked for.
    Spam,
    /// Whoever got it does not know who sent it.
    UnknownSender,
}

/// An invite to connect that went to an e-mail address, as the account that invited sees it.
#[derive(Clone)]
pub struct EmailInvite(pub Row);

page!(EmailInvitePage, EmailInviteEdge, EmailInvite, "invites by e-mail");

/// An invite to connect that went to an e-mail address, as the account that invited sees it.
#[Object]
impl EmailInvite {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Who is invited.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What the account wrote to it.
    async fn note(&self) -> &str {
        &self.0.note
    }

    /// What became of it.
    async fn status(&self) -> EmailInviteStatus {
        match self.0.status {
            Status::Waiting if self.0.is_open(super::access::now()) => EmailInviteStatus::Waiting,
            Status::Waiting => EmailInviteStatus::Expired,
            Status::Accepted => EmailInviteStatus::Accepted,
            Status::Declined => EmailInviteStatus::Declined,
            Status::Reported => EmailInviteStatus::Reported,
            Status::Withdrawn => EmailInviteStatus::Withdrawn,
            Status::Replaced => EmailInviteStatus::Replaced,
            Status::Undeliverable => EmailInviteStatus::Undeliverable,
        }
    }

    /// The connection that came of it; null unless it was accepted.
    async fn connection(&self, ctx: &Context<'_>) -> Result<Option<Connection>> {
        match self.0.connection {
            Some(id) => Ok(load(&loaders(ctx).connections, id).await?.map(Connection)),
            None => Ok(None),
        }
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// It has to be accepted before.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// When the mail server took its mail; null before.
    async fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.0.sent_at
    }
}

/// An invite that came by e-mail, as whoever is invited sees it.
pub struct ReceivedEmailInvite(Row);

/// An invite that came by e-mail, as whoever is invited sees it.
#[Object]
impl ReceivedEmailInvite {
    /// Who invites.
    async fn inviter(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        collaborator(ctx, self.0.account).await
    }

    /// What it wrote.
    async fn note(&self) -> &str {
        &self.0.note
    }

    /// The invite has to be accepted before.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// The version of the terms that are accepted with it.
    async fn terms_version(&self, ctx: &Context<'_>) -> String {
        gateway(ctx).settings.terms_version.clone()
    }

    /// Where the terms are.
    async fn terms_url(&self, ctx: &Context<'_>) -> String {
        gateway(ctx).settings.terms_url.clone()
    }
}

/// Terms that were accepted for an account.
pub struct AcceptedTerms(pub AcceptedTermsRow);

/// Terms that were accepted for an account.
#[Object]
impl AcceptedTerms {
    /// Their version, as the operator names it.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// Who accepted them.
    async fn accepted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(load(&loaders(ctx).users, self.0.user).await?.map(User))
    }

    /// When.
    async fn accepted_at(&self) -> DateTime<Utc> {
        self.0.accepted_at
    }
}

/// Takes an invite by e-mail back.
#[derive(InputObject)]
struct WithdrawEmailInviteInput {
    /// The account that invited.
    account_id: ID,
    /// The invite.
    email_invite_id: ID,
}

/// Accepts an invite that came by e-mail, and creates the account that is connected by it.
#[derive(InputObject)]
struct AcceptEmailInviteInput {
    /// The token of an invite to the address of who accepts it.
    token: String,
    /// The version of the terms that was read. Another one is refused with TERMS_CHANGED.
    terms_version: String,
    /// The new account's name, 1 to 100 characters.
    name: String,
    /// Up to 2,000 characters.
    #[graphql(default)]
    description: String,
    /// What it is; one that may connect with the account that invites. Fixed from here on.
    role: Role,
    /// Up to 100 characters.
    #[graphql(default)]
    industry: String,
    /// ISO 3166-1 alpha-2, such as US or DE. Fixed from here on.
    region: String,
    /// A team address, shown to others; the address that was invited, unless said otherwise.
    contact_email: Option<String>,
    /// What it can match on; at least one.
    match_keys: Vec<AccountMatchKeyInput>,
    /// STANDARD unless said otherwise. It can be raised later, not lowered.
    privacy_level: Option<PrivacyLevel>,
}

/// Declines an invite that came by e-mail.
#[derive(InputObject)]
struct DeclineEmailInviteInput {
    /// The invite's token.
    token: String,
}

/// Reports an invite that came by e-mail.
#[derive(InputObject)]
struct ReportEmailInviteInput {
    /// The invite's token.
    token: String,
    /// Why it is unwanted.
    reason: ReportReason,
}

payload! {
    /// The invite as it is now, or why nothing was done.
    WithdrawEmailInvitePayload {
        /// As it is now.
        email_invite: EmailInvite,
    }
}

payload! {
    /// What came of it, or why nothing did.
    AcceptEmailInvitePayload {
        /// The new account, of which the user is ADMIN.
        account: Account,
        /// Its connection with the account that invited, which is to propose settings next.
        connection: Connection,
    }
}

payload! {
    /// Whether it was declined, or why not.
    DeclineEmailInvitePayload {
        /// True.
        declined: bool,
    }
}

payload! {
    /// Whether it was reported, or why not.
    ReportEmailInvitePayload {
        /// True: the address gets no more invites by e-mail of the account that invited.
        reported: bool,
    }
}

/// Queries of invites by e-mail.
#[derive(Default)]
pub struct EmailInviteQuery;

#[Object]
impl EmailInviteQuery {
    /// The invite that a token from a mail names, for the user whose address it is for.
    async fn email_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] token: String,
    ) -> Result<ReceivedEmailInvite> {
        let Actor::User(user) = viewer(ctx)?.actor else {
            return Err(refused(Refusal::new(Code::Forbidden, "Only a signed-in user is invited by e-mail.")));
        };
        let hash = secrets::token_hash(&token);
        let found = gateway(ctx).store().email_invite_by_token(hash).await.map_err(fault)?;
        let user = load(&loaders(ctx).users, user).await?.ok_or_else(|| fault("a viewer who is no user"))?;
        let now = super::access::now();
        let found = found.ok_or_else(|| refused(token_invalid()))?;
        email_invite::may_answer(&found, &user.email, now).map_err(refused)?;
        Ok(ReceivedEmailInvite(found))
    }
}

/// Mutations of invites by e-mail; `invite` makes one.
#[derive(Default)]
pub struct EmailInviteMutation;

#[Object]
impl EmailInviteMutation {
    /// Takes an invite by e-mail back that waits. For ADMIN and MANAGER.
    async fn withdraw_email_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: WithdrawEmailInviteInput,
    ) -> Result<WithdrawEmailInvitePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let id = allow!(local::<EmailInviteId>(&input.email_invite_id, "emailInviteId"));
        let (store, account) = (gateway(ctx).store(), authorised.account);
        let found = store.email_invites_by_ids(&[id]).await.map_err(fault)?.remove(&id);
        if found.is_none_or(|invite| invite.account != account) {
            return Ok(Refusal::not_found("invite by e-mail").at("emailInviteId").into());
        }
        let change = change(ctx, authorised, "withdrawEmailInvite", Some(Subject::Account(account)))?;
        let at = change.now;
        let rule = move |invite: &Row| email_invite::withdraw(invite, at).map(Outcome::of);
        let withdrawn = allow!(store.end_email_invite(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(WithdrawEmailInvitePayload { email_invite: Some(EmailInvite(withdrawn)), user_errors: vec![] })
    }

    /// Accepts an invite that came by e-mail, as the user whose address it is for: accepts the terms, creates an account, and
    /// connects it with the account that invited, which pays until both agree on something else.
    async fn accept_email_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to accept, and the new account.")] input: AcceptEmailInviteInput,
    ) -> Result<AcceptEmailInvitePayload> {
        let Actor::User(user) = viewer(ctx)?.actor else {
            return Ok(Refusal::new(Code::Forbidden, "Only a signed-in user accepts invites by e-mail.").into());
        };
        let (gateway, hash) = (gateway(ctx), secrets::token_hash(&input.token));
        let found = gateway.store().email_invite_by_token(hash).await.map_err(fault)?;
        let found = allow!(found.ok_or_else(token_invalid));
        let acceptance = allow!(acceptance(input, &found, user));
        let secrets = new_secrets(ctx, acceptance.account)?;
        let change = Change {
            account: Some(found.account),
            subject: Some(Subject::Connection(acceptance.connection)),
            ..super::access::change_outside_accounts(ctx, "acceptEmailInvite")?
        };
        let (at, terms) = (change.now, gateway.settings.terms_version.clone());
        let rule = move |known: &email_invite::Accepting| {
            let (accepted, events) = email_invite::accept(known, acceptance, &terms, at)?;
            let events = events.iter().flat_map(|(connection, event)| NewEvent::of_connection(connection, *event));
            Ok(Outcome::of(accepted).events(events.collect::<Vec<_>>()))
        };
        let accepted = gateway.store().accept_email_invite(change, found.id, user, secrets, Box::new(rule)).await;
        let accepted = allow!(accepted.map_err(fault)?);
        Ok(AcceptEmailInvitePayload {
            account: Some(Account(accepted.account)),
            connection: Some(Connection(accepted.connection)),
            user_errors: vec![],
        })
    }

    /// Declines an invite that came by e-mail. Its token is enough; nobody has to sign in.
    async fn decline_email_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to decline.")] input: DeclineEmailInviteInput,
    ) -> Result<DeclineEmailInvitePayload> {
        allow!(answer(ctx, &input.token, Answer::Decline).await?);
        Ok(DeclineEmailInvitePayload { declined: Some(true), user_errors: vec![] })
    }

    /// Reports an invite that came by e-mail as unwanted: its address gets no more of the account that invited. Its token is
    /// enough; nobody has to sign in.
    async fn report_email_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to report, and why.")] input: ReportEmailInviteInput,
    ) -> Result<ReportEmailInvitePayload> {
        allow!(answer(ctx, &input.token, Answer::Report(input.reason.into())).await?);
        Ok(ReportEmailInvitePayload { reported: Some(true), user_errors: vec![] })
    }
}

async fn answer(ctx: &Context<'_>, token: &str, answer: Answer) -> Result<Result<(), Refusal>> {
    let request_id = ctx.data_unchecked::<super::access::Caller>().request_id.clone();
    email_invites::answer(gateway(ctx), token, answer, &request_id).await.map_err(fault)
}

/// Who accepts an invite, and as what.
fn acceptance(input: AcceptEmailInviteInput, invite: &Row, user: UserId) -> Result<Acceptance, Refusal> {
    let profile = Profile {
        name: input.name,
        description: input.description,
        industry: input.industry,
        contact_email: input.contact_email.unwrap_or_else(|| invite.email.clone()),
    };
    let new = NewAccount {
        profile,
        role: input.role.into(),
        region: input.region,
        match_keys: account_keys(input.match_keys)?,
        privacy_level: input.privacy_level.map_or(DomainPrivacyLevel::Standard, Into::into),
    };
    let (account, connection) = (AccountId::new(), ConnectionId::new());
    Ok(Acceptance { user, account, new, connection, terms_read: input.terms_version })
}

/// Invites an address; the mail goes out by itself.
pub async fn invite_by_email(
    ctx: &Context<'_>,
    authorised: Authorised,
    (email, note): (String, String),
    idempotency_key: Option<String>,
) -> Result<Result<EmailInvite, Refusal>> {
    let gateway = gateway(ctx);
    if Mailer::of(&gateway.settings).is_none() {
        let message =
            "This gateway sends no mails: its operator has to set smtp_url, mail_from, terms_version and terms_url.";
        return Ok(Err(Refusal::new(Code::MailUnavailable, message).at("invitee.email")));
    }
    let email = match email_address("invitee.email", &email) {
        Ok(email) => email.to_lowercase(),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let change = match creation(ctx, authorised, "inviteByEmail", idempotency_key)? {
        Ok(change) => Change { subject: Some(Subject::Account(authorised.account)), ..change },
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (id, account, address, at) = (EmailInviteId::new(), authorised.account, email.clone(), change.now);
    let rule = move |known: &email_invite::Inviting| {
        let invite = email_invite::invite(id, account, (&address, &note), *known, at)?;
        Ok(Outcome::of(invite).job(job(id, account, at)))
    };
    let store = gateway.store();
    let made = match store.invite_by_email(change, id, account, email, Box::new(rule)).await.map_err(fault)? {
        Ok(created) => created.id,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let row = store.email_invites_by_ids(&[made]).await.map_err(fault)?.remove(&made);
    Ok(row.map(EmailInvite).ok_or_else(|| Refusal::not_found("invite by e-mail")))
}
