//! Invitations: how users come to an account.

use crate::{
    graphql::{
        access::{authorise, change, change_outside_accounts, gateway, now, viewer},
        account::MemberRole,
        fault::{allow, fault, payload},
        id::{global, local},
        member::Member,
        page::page,
    },
    secrets,
};
use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    Code, InvitationId, Refusal, UserId,
    access::{Act, Actor},
    account::email_address,
    event::Subject,
    invitation::{self, Invitation as Row},
};
use entente_store::{Change, Outcome};

/// An invitation that waits to be accepted.
#[derive(Clone)]
pub struct Invitation(pub Row);

page!(InvitationPage, InvitationEdge, Invitation, "invitations");

/// An invitation that waits to be accepted.
#[Object]
impl Invitation {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Who may accept it.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What the user may do in the account then.
    async fn role(&self) -> MemberRole {
        self.0.role.into()
    }

    /// Whether whoever accepts it takes the account over from its agency, with `acceptHandOver`.
    async fn hands_over(&self) -> bool {
        self.0.hands_over
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// It has to be accepted before.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }
}

/// Invites somebody to an account.
#[derive(InputObject)]
struct InviteMemberInput {
    /// The account.
    account_id: ID,
    /// Whom, by e-mail address; it need not be a user's yet.
    email: String,
    /// What the user may do in the account.
    role: MemberRole,
}

/// Takes an invitation back.
#[derive(InputObject)]
struct WithdrawInvitationInput {
    /// The account.
    account_id: ID,
    /// The invitation.
    invitation_id: ID,
}

/// Accepts an invitation.
#[derive(InputObject)]
struct AcceptInvitationInput {
    /// The token of an invitation to the address of who accepts it.
    token: String,
}

payload! {
    /// The invitation, or why there is none.
    InviteMemberPayload {
        /// What was created.
        invitation: Invitation,
        /// What `acceptInvitation` takes, once; shown this once. Give it to whom you invite.
        token: String,
    }
}

payload! {
    /// Which invitation was withdrawn, or why none was.
    WithdrawInvitationPayload {
        /// The id of the invitation that can no longer be accepted.
        withdrawn_invitation_id: ID,
    }
}

payload! {
    /// What came of it, or why nothing did.
    AcceptInvitationPayload {
        /// The account that the user belongs to now.
        account_id: ID,
        /// The user in it.
        member: Member,
    }
}

/// Mutations of invitations.
#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Invites somebody to an account, by e-mail address. The invitation can be accepted for seven days, once, by a user with
    /// this address. Who was invited already is invited anew: the former token stops working. For ADMIN.
    async fn invite_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: InviteMemberInput,
    ) -> Result<InviteMemberPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let change = change(ctx, authorised, "inviteMember", Some(Subject::Account(authorised.account)))?;
        let new = Row {
            id: InvitationId::new(),
            account: authorised.account,
            email: allow!(email_address("email", &input.email)).to_lowercase(),
            role: input.role.into(),
            hands_over: false,
            created_at: change.now,
            expires_at: change.now + invitation::LIFETIME,
        };
        let token = secrets::new_token("invitation");
        let rule = |known: &invitation::Inviting| invitation::invite(*known).map(Outcome::of);
        let store = gateway(ctx).store();
        let hash = secrets::token_hash(&token);
        allow!(store.invite_member(change, new.clone(), hash, Box::new(rule)).await.map_err(fault)?);
        Ok(InviteMemberPayload { invitation: Some(Invitation(new)), token: Some(token), user_errors: vec![] })
    }

    /// Takes an invitation back that was not accepted yet. For ADMIN.
    async fn withdraw_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: WithdrawInvitationInput,
    ) -> Result<WithdrawInvitationPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let id = allow!(local::<InvitationId>(&input.invitation_id, "invitationId"));
        let change = change(ctx, authorised, "withdrawInvitation", Some(Subject::Account(authorised.account)))?;
        allow!(gateway(ctx).store().withdraw_invitation(change, authorised.account, id).await.map_err(fault)?);
        Ok(WithdrawInvitationPayload { withdrawn_invitation_id: Some(global(id)), user_errors: vec![] })
    }

    /// Accepts an invitation, as the user whose address it is for.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to accept.")] input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload> {
        let Accepting { user, found, change } = allow!(accepting(ctx, &input.token, "acceptInvitation").await?);
        let store = gateway(ctx).store();
        let rule = |known: &invitation::Accepting| invitation::accept(known, now()).map(Outcome::of);
        let member = allow!(store.accept_invitation(change, found.id, user, Box::new(rule)).await.map_err(fault)?);
        Ok(AcceptInvitationPayload {
            account_id: Some(global(member.account)),
            member: Some(Member(member)),
            user_errors: vec![],
        })
    }
}

/// What is known of an acceptance before its rule is asked.
pub struct Accepting {
    /// Who accepts.
    pub user: UserId,
    /// The invitation.
    pub found: Row,
    /// What it is recorded with.
    pub change: Change,
}

/// Finds the invitation that a signed-in user accepts, by its token.
pub async fn accepting(
    ctx: &Context<'_>,
    token: &str,
    action: &'static str,
) -> Result<std::result::Result<Accepting, Refusal>> {
    let Actor::User(user) = viewer(ctx)?.actor else {
        return Ok(Err(Refusal::new(Code::Forbidden, "Only a signed-in user accepts invitations.")));
    };
    let found = gateway(ctx).store().invitation_by_token(secrets::token_hash(token)).await.map_err(fault)?;
    let Some(found) = found else { return Ok(Err(invitation::token_invalid())) };
    let change = Change {
        account: Some(found.account),
        subject: Some(Subject::Account(found.account)),
        ..change_outside_accounts(ctx, action)?
    };
    Ok(Ok(Accepting { user, found, change }))
}
