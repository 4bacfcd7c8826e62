//! Answers to an invite by e-mail that need its token alone. Whoever gives one is nobody that the gateway knows.

use crate::{gateway::Gateway, http::request_id::RequestId, secrets::token_hash};
use entente_domain::{
    Code, Refusal,
    access::Actor,
    email_invite::{self, EmailInvite, ReportReason, token_invalid},
    event::Subject,
};
use entente_store::{Change, Outcome, StoreError};

/// What somebody answers.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// The invite is declined.
    Decline,
    /// It is reported, and no more of this account's come to the address.
    Report(ReportReason),
}

/// Answers the invite that a token names.
///
/// # Errors
/// Those of the database.
pub async fn answer(
    gateway: &Gateway,
    token: &str,
    answer: Answer,
    request_id: &RequestId,
) -> Result<Result<(), Refusal>, StoreError> {
    if !gateway.rates().answer() {
        return Ok(Err(Refusal::new(Code::RateLimited, "Too many invites are answered; wait a minute.")));
    }
    let found = gateway.store().email_invite_by_token(token_hash(token)).await?;
    let Some(invite) = found else { return Ok(Err(token_invalid())) };
    let change = change(&invite, answer, request_id);
    let at = change.now;
    let rule = move |invite: &EmailInvite| {
        let ended = match answer {
            Answer::Decline => email_invite::decline(invite, at),
            Answer::Report(reason) => email_invite::report(invite, reason, at),
        };
        ended.map(Outcome::of)
    };
    let ended = gateway.store().end_email_invite(change, invite.id, Box::new(rule)).await?;
    if let (Ok(_), Answer::Report(reason)) = (&ended, answer) {
        metrics::counter!("entente_email_invite_reports_total", "reason" => reason.name()).increment(1);
    }
    Ok(ended.map(|_| ()))
}

/// The account that invited finds it in its audit log.
fn change(invite: &EmailInvite, answer: Answer, request_id: &RequestId) -> Change {
    Change {
        actor: Actor::Gateway,
        account: Some(invite.account),
        agency: None,
        request_id: request_id.as_str().to_owned(),
        action: match answer {
            Answer::Decline => "declineEmailInvite",
            Answer::Report(_) => "reportEmailInvite",
        },
        subject: Some(Subject::Account(invite.account)),
        idempotency_key: None,
        now: crate::clock::now(),
    }
}
