//! Invitations: how a person comes to an account. One is for an e-mail address, for a role, for a while, and for once.

use crate::{AccountId, Code, InvitationId, Refusal, Timestamp, access::MemberRole};
use chrono::TimeDelta;

/// How long an invitation may be accepted.
pub const LIFETIME: TimeDelta = TimeDelta::days(7);
/// Invitations that an account may have waiting.
pub const MOST: u64 = 100;

/// An invitation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The account that the person comes to.
    pub account: AccountId,
    /// Who may accept it, in lower case.
    pub email: String,
    /// What the person may do there.
    pub role: MemberRole,
    /// Whether whoever accepts it takes the account over from its agency.
    pub hands_over: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// It has to be accepted before.
    pub expires_at: Timestamp,
}

/// What is known when somebody is invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inviting {
    /// Whether a user with this address belongs to the account.
    pub is_member: bool,
    /// How many others the account has invited.
    pub waiting: u64,
}

/// Whether somebody may be invited. Who was invited already is so anew.
pub fn invite(known: Inviting) -> Result<(), Refusal> {
    if known.is_member {
        return Err(already_member().at("email"));
    }
    may_wait(known.waiting)
}

/// What is known when somebody accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepting {
    /// The invitation.
    pub invitation: Invitation,
    /// The address of who accepts, in lower case.
    pub email: String,
    /// Whether that user belongs to the account already.
    pub is_member: bool,
}

/// The role that somebody who accepts gets.
pub fn accept(known: &Accepting, now: Timestamp) -> Result<MemberRole, Refusal> {
    let Accepting { invitation, email, is_member } = known;
    may_answer(invitation, email, now)?;
    if invitation.hands_over {
        let message = "This invitation hands the account over: accept it with acceptHandOver.";
        return Err(Refusal::new(Code::WrongState, message).at("token"));
    }
    if *is_member {
        return Err(already_member());
    }
    Ok(invitation.role)
}

/// Whether an invitation is for this address, in lower case, and for now.
pub fn may_answer(invitation: &Invitation, email: &str, now: Timestamp) -> Result<(), Refusal> {
    if invitation.email != email || invitation.expires_at <= now {
        return Err(token_invalid());
    }
    Ok(())
}

/// Whether an account may have another invitation waiting.
pub fn may_wait(waiting: u64) -> Result<(), Refusal> {
    if waiting < MOST {
        return Ok(());
    }
    let message = format!("The account has {MOST} invitations waiting. Withdraw one first.");
    Err(Refusal::new(Code::LimitReached, message))
}

/// What is said of every token that names no invitation which this user may accept.
pub fn token_invalid() -> Refusal {
    let message = "The invitation is unknown, was used or withdrawn, has run out, or is for another e-mail address.";
    Refusal::new(Code::InvitationInvalid, message).at("token")
}

fn already_member() -> Refusal {
    Refusal::new(Code::AlreadyExists, "This user belongs to the account already.")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn at(days: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::days(days)
    }

    #[test]
    fn somebody_is_invited_who_is_not_there_yet() {
        for (is_member, waiting, expected) in [
            (false, 0, Ok(())),
            (false, MOST - 1, Ok(())),
            (false, MOST, Err(Code::LimitReached)),
            (true, 0, Err(Code::AlreadyExists)),
        ] {
            assert_eq!(invite(Inviting { is_member, waiting }).map_err(|refusal| refusal.code), expected);
        }
    }

    #[test]
    fn an_invitation_is_for_its_address_and_its_time() {
        let invitation = Invitation {
            id: InvitationId::new(),
            account: AccountId::new(),
            email: "ada@luma.example".to_owned(),
            role: MemberRole::Manager,
            hands_over: false,
            created_at: at(0),
            expires_at: at(0) + LIFETIME,
        };
        for (email, is_member, days, expected) in [
            ("ada@luma.example", false, 6, Ok(MemberRole::Manager)),
            ("ada@luma.example", false, 7, Err(Code::InvitationInvalid)),
            ("ben@luma.example", false, 1, Err(Code::InvitationInvalid)),
            ("ben@luma.example", true, 1, Err(Code::InvitationInvalid)),
            ("ada@luma.example", true, 1, Err(Code::AlreadyExists)),
        ] {
            let known = Accepting { invitation: invitation.clone(), email: email.to_owned(), is_member };
            assert_eq!(accept(&known, at(days)).map_err(|refusal| refusal.code), expected, "{email} {days}");
        }
        let hands_over = Invitation { hands_over: true, ..invitation };
        let known = Accepting { email: hands_over.email.clone(), invitation: hands_over, is_member: false };
        assert_eq!(accept(&known, at(1)).map_err(|refusal| refusal.code), Err(Code::WrongState));
    }
}
