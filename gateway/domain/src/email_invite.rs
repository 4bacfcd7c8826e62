//! Invites by e-mail: how an organisation without an account comes to a connection. One is for an e-mail address, for a while,
//! and for once. The connection begins when it is accepted.

use crate::{
    AccountId, Code, ConnectionId, EmailInviteId, Refusal, Timestamp, UserId,
    account::{self, Account, NewAccount, email_address},
    agency,
    connection::{self, Command, Connection},
    event::ConnectionEvent,
    refusal::text,
    settings::Side,
    terms::{self, AcceptedTerms},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// How long one may be accepted.
pub const LIFETIME: TimeDelta = TimeDelta::days(14);
/// How long one is kept that was not accepted in time, or has ended otherwise.
pub const KEPT: TimeDelta = TimeDelta::days(30);
/// Those that an account may have waiting.
pub const MOST: u64 = 50;
/// Those that an account may make within a day.
pub const MOST_A_DAY: u64 = 50;
/// Those that an account may make for one address within a week.
pub const MOST_TO_ADDRESS: u64 = 3;
/// Mails that one address gets within a week, whoever invites it.
pub const MOST_MAILS: usize = 5;
/// The week of both.
pub const WEEK: TimeDelta = TimeDelta::days(7);

/// What became of one. One whose time is over still waits; it cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It was made and not answered.
    Waiting,
    /// It was accepted; the connection is there.
    Accepted,
    /// It was declined.
    Declined,
    /// It was reported as unwanted: its address gets no more of this account's.
    Reported,
    /// The account took it back.
    Withdrawn,
    /// The account invited the address anew.
    Replaced,
    /// The mail server says that there is no such address.
    Undeliverable,
}

/// Why one is unwanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReportReason {
    /// It is advertising that nobody asked for.
    Spam,
    /// Whoever got it does not know who sent it.
    UnknownSender,
}

impl ReportReason {
    /// All reasons.
    pub const ALL: [Self; 2] = [Self::Spam, Self::UnknownSender];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::UnknownSender => "unknown_sender",
        }
    }
}

/// An invite by e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailInvite {
    /// Its id.
    pub id: EmailInviteId,
    /// Who invites.
    pub account: AccountId,
    /// Who is invited, in lower case.
    pub email: String,
    /// Up to 1,000 characters for whoever is invited.
    pub note: String,
    /// What became of it.
    pub status: Status,
    /// Why it is unwanted, where it was reported.
    pub report_reason: Option<ReportReason>,
    /// What came of it, where it was accepted.
    pub connection: Option<ConnectionId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// It has to be accepted before.
    pub expires_at: Timestamp,
    /// When the mail server took its mail.
    pub sent_at: Option<Timestamp>,
    /// Since when it does not wait any more.
    pub ended_at: Option<Timestamp>,
}

impl EmailInvite {
    /// Whether it can be answered.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.status == Status::Waiting && now < self.expires_at
    }

    /// The same, ended so.
    fn ended(&self, status: Status, now: Timestamp) -> Self {
        Self { status, ended_at: Some(now), ..self.clone() }
    }
}

/// What is known when an address is invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inviting {
    /// Whether the address reported the account before.
    pub has_reported: bool,
    /// How many of the account's wait for other addresses.
    pub waiting: u64,
    /// How many the account made within a day.
    pub made_today: u64,
    /// How many the account made for this address within a week.
    pub made_for_address: u64,
}

/// Invites an address. One that is invited already is so anew.
pub fn invite(
    id: EmailInviteId,
    account: AccountId,
    (email, note): (&str, &str),
    known: Inviting,
    now: Timestamp,
) -> Result<EmailInvite, Refusal> {
    let at = "invitee.email";
    if known.has_reported {
        let message = "Whoever has this address reported an invite of this account and gets no more of them.";
        return Err(Refusal::new(Code::RecipientRefuses, message).at(at));
    }
    if known.waiting >= MOST {
        let message = format!("The account has {MOST} invites by e-mail waiting. Withdraw one first.");
        return Err(Refusal::new(Code::LimitReached, message));
    }
    if known.made_today >= MOST_A_DAY {
        let message = format!("The account sent {MOST_A_DAY} invites by e-mail within a day. Wait until tomorrow.");
        return Err(Refusal::new(Code::RateLimited, message));
    }
    if known.made_for_address >= MOST_TO_ADDRESS {
        let message =
            format!("The account sent this address {MOST_TO_ADDRESS} invites within a week. Wait for an answer.");
        return Err(Refusal::new(Code::RateLimited, message).at(at));
    }
    Ok(EmailInvite {
        id,
        account,
        email: email_address(at, email)?.to_lowercase(),
        note: text("note", note, 0, 1_000)?,
        status: Status::Waiting,
        report_reason: None,
        connection: None,
        created_at: now,
        expires_at: now + LIFETIME,
        sent_at: None,
        ended_at: None,
    })
}

/// What is done about the mail of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailing {
    /// It is sent.
    Send,
    /// Not any more.
    NotWanted,
    /// Not before.
    Later(Timestamp),
}

/// Whether the mail of one is sent. `mails` are those that its address got within a week, whoever invited it.
pub fn mailing(invite: &EmailInvite, mails: &[Timestamp], now: Timestamp) -> Mailing {
    if !invite.is_open(now) || invite.sent_at.is_some() {
        return Mailing::NotWanted;
    }
    let mut mails: Vec<_> = mails.iter().filter(|at| **at > now - WEEK).collect();
    mails.sort_unstable();
    // Once the oldest of the last few is a week old.
    match mails.len().checked_sub(MOST_MAILS).and_then(|over| mails.get(over)) {
        Some(oldest) => Mailing::Later(**oldest + WEEK),
        None => Mailing::Send,
    }
}

/// Takes one back.
pub fn withdraw(invite: &EmailInvite, now: Timestamp) -> Result<EmailInvite, Refusal> {
    if invite.status != Status::Waiting {
        return Err(Refusal::new(Code::WrongState, "This invite does not wait for an answer any more."));
    }
    Ok(invite.ended(Status::Withdrawn, now))
}

/// Declines one, as whoever holds its token.
pub fn decline(invite: &EmailInvite, now: Timestamp) -> Result<EmailInvite, Refusal> {
    if !invite.is_open(now) {
        return Err(token_invalid());
    }
    Ok(invite.ended(Status::Declined, now))
}

/// Reports one, as whoever holds its token: also one that was declined, withdrawn or replaced, or whose time is over.
pub fn report(invite: &EmailInvite, reason: ReportReason, now: Timestamp) -> Result<EmailInvite, Refusal> {
    if matches!(invite.status, Status::Accepted | Status::Reported) {
        return Err(token_invalid());
    }
    Ok(EmailInvite { report_reason: Some(reason), ..invite.ended(Status::Reported, now) })
}

/// What is known when somebody accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepting {
    /// The invite.
    pub invite: EmailInvite,
    /// Who invites.
    pub inviter: Account,
    /// The address of who accepts, in lower case.
    pub email: String,
}

/// Who accepts, and what.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The user who does.
    pub user: UserId,
    /// The id of its new account.
    pub account: AccountId,
    /// What the account is.
    pub new: NewAccount,
    /// The id of the connection.
    pub connection: ConnectionId,
    /// The version of the terms that the user read.
    pub terms_read: String,
}

/// What comes of accepting.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The new account.
    pub account: Account,
    /// Its connection, of which the inviter is the owner.
    pub connection: Connection,
    /// The terms that were accepted for the account.
    pub terms: AcceptedTerms,
    /// The invite, which nobody can use again.
    pub invite: EmailInvite,
}

/// Accepts one: whoever has the address gets an account, for which the terms are accepted, and the connection begins as one that
/// was invited and accepted at once. Its inviter pays.
pub fn accept(
    known: &Accepting,
    acceptance: Acceptance,
    terms_version: &str,
    now: Timestamp,
) -> Result<(Accepted, [(Connection, ConnectionEvent); 2]), Refusal> {
    let Accepting { invite, inviter, email } = known;
    may_answer(invite, email, now)?;
    terms::are_current(&acceptance.terms_read, terms_version)?;
    let account = account::create(acceptance.account, acceptance.new, now)?;
    let at_role = |refusal: Refusal| refusal.at("role");
    let (one, other) = agency::meeting(inviter, &account).map_err(at_role)?;
    let (owner, recipient) = ((inviter.id, one), (account.id, other));
    let (invited, event) =
        connection::invite(acceptance.connection, owner, recipient, &invite.note, None, now).map_err(at_role)?;
    let invited = Connection { payer: Some(Side::Owner), ..invited };
    let (connection, accepted) = connection::decide(&invited, Side::Recipient, Command::AcceptInvite, now)?;
    let terms =
        AcceptedTerms { account: account.id, version: acceptance.terms_read, user: acceptance.user, accepted_at: now };
    let invite = EmailInvite { connection: Some(connection.id), ..invite.ended(Status::Accepted, now) };
    let events = [(invited, event), (connection.clone(), accepted)];
    Ok((Accepted { account, connection, terms, invite }, events))
}

/// Whether a user with this address may read and accept it.
pub fn may_answer(invite: &EmailInvite, email: &str, now: Timestamp) -> Result<(), Refusal> {
    if invite.email != email || !invite.is_open(now) {
        return Err(token_invalid());
    }
    Ok(())
}

/// What is said of every token that names no invite which can be answered so.
pub fn token_invalid() -> Refusal {
    let message =
        "The invite is unknown, was answered, withdrawn or replaced, has run out, or is for another e-mail address.";
    Refusal::new(Code::EmailInviteInvalid, message).at("token")
}

#[cfg(test)]
mod tests;
