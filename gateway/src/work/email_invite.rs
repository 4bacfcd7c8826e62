//! Sends the mail of an invite, until the mail server takes it or the invite's time is over.

use super::{Ended, Fault, Task};
use crate::{
    destinations::backoff::{Backoff, RetryPolicy},
    mail::{
        Mailer, NotSent,
        invite::{Links, mail},
    },
    secrets::{new_token, token_hash},
};
use entente_domain::{AccountId, EmailInviteId, JobId, Timestamp};
use entente_store::{MailOfInvite, NewJob};
use serde_json::json;
use std::time::Duration;

/// The kind of this job.
pub const KIND: &str = "email_invite";

/// The waits between attempts.
const RETRY: RetryPolicy = RetryPolicy { longest: Duration::from_secs(60 * 60), ..RetryPolicy::DEFAULT };
/// How long it is waited until it is noted again that a mail was taken.
const NOTE_AGAIN: Duration = Duration::from_secs(1);

/// The job that sends the mail of an invite.
pub fn job(invite: EmailInviteId, account: AccountId, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: format!("email_invite:{invite}"),
        share: None,
        account,
        subject: None,
        payload: json!({ "emailInvite": invite }),
        run_at: now,
    }
}

/// Sends the mail, with a token that is made now: what was sent without being noted as such names nothing any more.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (gateway, now) = (&task.gateway, crate::clock::now());
    let id: EmailInviteId = serde_json::from_value(task.job.payload["emailInvite"].clone()).map_err(Fault::new)?;
    let put_off = || Ended::PutOff(now + Backoff::going_on(RETRY, task.job.attempts.saturating_sub(1)).next(None));
    let Some(mailer) = Mailer::of(&gateway.settings) else {
        tracing::warn!(message = "a mail waits: smtp_url and mail_from are not set", job = %task.job.id);
        return Ok(put_off());
    };
    let token = new_token("invite");
    let begun = gateway.store().begin_mail_of_invite(id, token_hash(&token), now).await?;
    let (invite, inviter) = match begun {
        MailOfInvite::NotWanted => return Ok(Ended::Done),
        MailOfInvite::Later(at) => return Ok(Ended::Later(at)),
        MailOfInvite::Send { .. } if task.stop.is_cancelled() => return Ok(Ended::HandedBack),
        MailOfInvite::Send { invite, inviter } => (invite, inviter),
    };
    let links = Links::of(&gateway.base_url, &gateway.settings.email_invite_url, &token);
    let sent = match mail(&mailer.from, &invite, &inviter, &links) {
        Ok(mail) => mailer.send(mail).await,
        Err(_) => Err(NotSent::NoSuchAddress),
    };
    metrics::counter!("entente_mails_total", "outcome" => outcome(&sent)).increment(1);
    match sent {
        Ok(()) => note_sent(&task, id).await,
        Err(NotSent::NoSuchAddress) => {
            gateway.store().mail_of_invite_undeliverable(id, crate::clock::now()).await?;
            Ok(Ended::Failed("The mail server knows no such address.".to_owned()))
        }
        Err(NotSent::NotNow(why)) => {
            tracing::warn!(message = "a mail is put off", job = %task.job.id, why);
            Ok(put_off())
        }
    }
}

fn outcome(sent: &Result<(), NotSent>) -> &'static str {
    match sent {
        Ok(()) => "taken",
        Err(NotSent::NoSuchAddress) => "refused",
        Err(NotSent::NotNow(_)) => "put_off",
    }
}

/// Notes that the server took the mail: again and again, since otherwise it would be sent a second time.
async fn note_sent(task: &Task, id: EmailInviteId) -> Result<Ended, Fault> {
    loop {
        match task.gateway.store().mail_of_invite_sent(id, crate::clock::now()).await {
            Ok(()) => return Ok(Ended::Done),
            Err(error) if task.stop.is_cancelled() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(message = "a mail that was sent could not be noted", job = %task.job.id, %error)
            }
        }
        tokio::time::sleep(NOTE_AGAIN).await;
    }
}
