//! The mail of an invite.

use entente_domain::{Timestamp, account::Account, email_invite::EmailInvite};

/// What is to be done about the mail of an invite.
#[derive(Clone, Debug, PartialEq)]
pub enum MailOfInvite {
    /// It is sent, with the token that was given.
    Send {
        /// The invite.
        invite: Box<EmailInvite>,
        /// Who invites.
        inviter: Box<Account>,
    },
    /// It is not sent any more.
    NotWanted,
    /// It is not sent before.
    Later(Timestamp),
}
