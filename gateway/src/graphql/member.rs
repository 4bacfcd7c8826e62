//! Users of an account.

use crate::graphql::{
    access::{authorise, change, gateway, loaders, viewer},
    account::MemberRole,
    fault::{allow, fault, payload},
    id::{global, local},
    loaders::load,
    page::page,
    user::User,
};
use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    Code, Refusal, UserId,
    access::{Act, Actor},
    event::Subject,
};
use entente_store::{Member as Row, Outcome};

/// A user in an account.
#[derive(Clone)]
pub struct Member(pub Row);

page!(MemberPage, MemberEdge, Member, "members");

/// A user in an account.
#[Object]
impl Member {
    /// Who.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let user = load(&loaders(ctx).users, self.0.user).await?;
        user.map(User).ok_or_else(|| fault("a member without its user"))
    }

    /// What it may do in the account.
    async fn role(&self) -> MemberRole {
        self.0.role.into()
    }

    /// Since when.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// Adds a user to an account, or changes its role.
#[derive(InputObject)]
struct SetMemberInput {
    /// The account.
    account_id: ID,
    /// The user, by e-mail address.
    email: String,
    /// What it may do. The last ADMIN cannot become anything else, unless an agency acts for the account.
    role: MemberRole,
}

/// Removes a user from an account.
#[derive(InputObject)]
struct RemoveMemberInput {
    /// The account.
    account_id: ID,
    /// The user. The last ADMIN cannot go, unless an agency acts for the account.
    user_id: ID,
}

/// Leaves an account.
#[derive(InputObject)]
struct LeaveAccountInput {
    /// The account. Its last ADMIN cannot go, unless an agency acts for it.
    account_id: ID,
}

payload! {
    /// What was left, or why it was not.
    LeaveAccountPayload {
        /// The account that the user no longer belongs to.
        left_account_id: ID,
    }
}

payload! {
    /// The member, or why nothing was done.
    SetMemberPayload {
        /// As it is now.
        member: Member,
    }
}

payload! {
    /// Who was removed, or why nobody was.
    RemoveMemberPayload {
        /// The id of the user who no longer belongs to the account.
        removed_user_id: ID,
    }
}

/// Mutations of members.
#[derive(Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Adds a user to an account, or changes its role. For ADMIN.
    async fn set_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: SetMemberInput,
    ) -> Result<SetMemberPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let change = change(ctx, authorised, "setMember", Some(Subject::Account(authorised.account)))?;
        let store = gateway(ctx).store();
        let user = store.user_by_email(&input.email.trim().to_lowercase()).await.map_err(fault)?;
        let user = allow!(user.ok_or_else(|| Refusal::not_found("user").at("email")));
        let wanted =
            Row { account: authorised.account, user: user.id, role: input.role.into(), created_at: change.now };
        let rule = move |members: &[Row]| {
            let mut members = members.to_vec();
            match members.iter_mut().find(|m| m.user == wanted.user) {
                Some(member) => member.role = wanted.role,
                None => members.push(wanted),
            }
            Ok(Outcome::of(members))
        };
        let members = allow!(store.change_members(change, authorised.account, Box::new(rule)).await.map_err(fault)?);
        let member = members.into_iter().find(|m| m.user == user.id).map(Member);
        Ok(SetMemberPayload { member, user_errors: vec![] })
    }

    /// Removes a user from an account. For ADMIN.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RemoveMemberInput,
    ) -> Result<RemoveMemberPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Administer)?);
        let user = allow!(local::<UserId>(&input.user_id, "userId"));
        let change = change(ctx, authorised, "removeMember", Some(Subject::Account(authorised.account)))?;
        let rule = Box::new(move |members: &[Row]| without(user, members));
        allow!(gateway(ctx).store().change_members(change, authorised.account, rule).await.map_err(fault)?);
        Ok(RemoveMemberPayload { removed_user_id: Some(global(user)), user_errors: vec![] })
    }

    /// Removes the user who asks from an account.
    async fn leave_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account.")] input: LeaveAccountInput,
    ) -> Result<LeaveAccountPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::Read)?);
        let Actor::User(user) = viewer(ctx)?.actor else {
            return Ok(Refusal::new(Code::Forbidden, "Only a signed-in user leaves an account.").into());
        };
        let change = change(ctx, authorised, "leaveAccount", Some(Subject::Account(authorised.account)))?;
        let rule = Box::new(move |members: &[Row]| {
            without(user, members).map_err(|_| {
                let message = "You act for this account as a user of its agency; leave the agency.";
                Refusal::new(Code::WrongState, message).at("accountId")
            })
        });
        allow!(gateway(ctx).store().change_members(change, authorised.account, rule).await.map_err(fault)?);
        Ok(LeaveAccountPayload { left_account_id: Some(global(authorised.account)), user_errors: vec![] })
    }
}

/// The members but one.
fn without(user: UserId, members: &[Row]) -> Result<Outcome<Vec<Row>>, Refusal> {
    let rest: Vec<_> = members.iter().filter(|m| m.user != user).cloned().collect();
    if rest.len() == members.len() {
        return Err(Refusal::not_found("member").at("userId"));
    }
    Ok(Outcome::of(rest))
}
