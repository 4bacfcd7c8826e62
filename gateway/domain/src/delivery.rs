//! Deliveries: whether one may happen, and what becomes of its activation.

use crate::{
    Code, Refusal, Timestamp,
    activation::{Activation, ActivationStatus, Recurrence, SentAudience},
    audience::{Audience, AudienceStatus},
    event::{AccountEventKind, NewEvent, Subject},
};
use chrono::NaiveDate;

/// Whether a delivery may happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It may.
    Ready,
    /// It is not its day yet.
    NotBefore(NaiveDate),
    /// An audience was not refreshed for 7 days; its next refresh brings the delivery.
    Paused,
    /// The sender took access away, or it is over.
    AccessEnded,
}

/// What is known of the audiences that a delivery is made from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// The sender's audience, when it is still there.
    pub audience: Option<&'a Audience>,
    /// The receiver's audiences that were chosen, those that are still there.
    pub within: &'a [Audience],
    /// Whether the receiver has an active audience.
    pub receiver_has_active: bool,
}

/// Whether a delivery may happen now.
pub fn readiness(activation: &Activation, sent: &SentAudience, sources: &Sources<'_>, now: Timestamp) -> Readiness {
    let today = now.date_naive();
    let Some(audience) = sources.audience else { return Readiness::AccessEnded };
    if !sent.grants(today) || sources.within.len() < sent.within.len() {
        return Readiness::AccessEnded;
    }
    if activation.on > today {
        return Readiness::NotBefore(activation.on);
    }
    let usable = audience.is_active(now)
        && sources.within.iter().all(|a| a.is_active(now))
        && (!sent.within.is_empty() || sources.receiver_has_active);
    if usable { Readiness::Ready } else { Readiness::Paused }
}

/// The threshold holds at every delivery, for each of its match keys, on the identities that both hold.
pub fn is_large_enough(identities_by_key: &[u64], minimum: u64) -> bool {
    !identities_by_key.is_empty() && identities_by_key.iter().all(|n| *n >= minimum)
}

/// How an activation reads: what its receiver paused reads so, what is recurring and waits for a refresh that does not come
/// is paused, and both are over once access is.
pub fn standing(
    activation: &Activation,
    sent: &SentAudience,
    audience: Option<AudienceStatus>,
    today: NaiveDate,
) -> ActivationStatus {
    use ActivationStatus::{AccessEnded, CredentialsRefused, Delivering, Paused, PausedByReceiver, Scheduled};
    let is_recurring = matches!(sent.recurrence, Recurrence::Recurring { .. });
    let is_paused = activation.paused_at.is_some();
    // A delivery that is under way ends by itself.
    let waits = activation.status.goes_on(is_recurring) && (is_paused || activation.status != Delivering);
    if waits && !sent.grants(today) {
        return AccessEnded;
    }
    if waits && is_paused {
        return PausedByReceiver;
    }
    let waits_for_refresh = waits && !matches!(activation.status, Scheduled | CredentialsRefused);
    if waits_for_refresh && is_recurring && audience == Some(AudienceStatus::Expired) {
        return Paused;
    }
    activation.status
}

/// Whether a refresh of the sender's or the receiver's audiences brings a delivery.
pub fn follows_refresh(activation: &Activation, sent: &SentAudience, today: NaiveDate) -> bool {
    use ActivationStatus::{Delivered, Delivering, Paused, SkippedBelowThreshold};
    let waits = match activation.status {
        Paused => true,
        Delivering | Delivered | SkippedBelowThreshold => matches!(sent.recurrence, Recurrence::Recurring { .. }),
        _ => false,
    };
    waits && activation.paused_at.is_none() && sent.grants(today) && activation.on <= today
}

/// The activation with a delivery that begins, unless it ended or its receiver stopped it in between.
pub fn begun(activation: &Activation, now: Timestamp) -> Result<Activation, Refusal> {
    if activation.paused_at.is_some() {
        return Err(Refusal::new(Code::Conflict, "The activation was paused meanwhile."));
    }
    moved_unless_over(activation, ActivationStatus::Delivering, None, now)
}

/// The activation in its next state, unless it ended in between. `failure` is for the receiver.
pub fn moved_unless_over(
    activation: &Activation,
    status: ActivationStatus,
    failure: Option<String>,
    now: Timestamp,
) -> Result<Activation, Refusal> {
    if activation.status.is_over() {
        return Err(Refusal::new(Code::Conflict, "The activation ended meanwhile."));
    }
    Ok(moved(activation, status, failure, now))
}

/// The activation in its next state. `failure` is for the receiver.
pub fn moved(activation: &Activation, status: ActivationStatus, failure: Option<String>, now: Timestamp) -> Activation {
    Activation { status, failure, version: activation.version + 1, updated_at: now, ..activation.clone() }
}

/// What the receiver's subscribers hear of a state; nothing of those in between.
pub fn event(activation: &Activation) -> Option<NewEvent> {
    let kind = match activation.status {
        ActivationStatus::Delivered => AccountEventKind::ActivationDelivered,
        ActivationStatus::SkippedBelowThreshold
        | ActivationStatus::Paused
        | ActivationStatus::AccessEnded
        | ActivationStatus::CredentialsRefused
        | ActivationStatus::Failed => AccountEventKind::ActivationStopped,
        // What its receiver does is told as it is done.
        ActivationStatus::Scheduled
        | ActivationStatus::Delivering
        | ActivationStatus::PausedByReceiver
        | ActivationStatus::Cancelled => return None,
    };
    Some(NewEvent::of_account(activation.account, kind, Subject::Activation(activation.id)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        AccountId, ActivationId, AudienceId, ConnectionId, DataConnectionId, DestinationId, ProjectId, SentAudienceId,
        audience::{ConnectionAccess, MetadataVisibility},
        slot::Slot,
    };
    use chrono::TimeDelta;
    use std::collections::BTreeMap;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn day(offset: i64) -> NaiveDate {
        now().date_naive() + TimeDelta::days(offset)
    }

    fn sent(recurrence: Recurrence) -> SentAudience {
        SentAudience {
            id: SentAudienceId::new(),
            connection: ConnectionId::new(),
            project: ProjectId::new(),
            sender: AccountId::new(),
            receiver: AccountId::new(),
            audience: AudienceId::new(),
            within: vec![],
            match_keys: vec![],
            recurrence,
            holdout: None,
            revoked_at: None,
            created_at: now(),
            version: 1,
        }
    }

    fn recurring(from: i64, until: i64) -> SentAudience {
        sent(Recurrence::Recurring { from: day(from), until: day(until) })
    }

    fn activation(status: ActivationStatus, on: i64) -> Activation {
        Activation {
            id: ActivationId::new(),
            sent: SentAudienceId::new(),
            account: AccountId::new(),
            destination: DestinationId::new(),
            on: day(on),
            match_keys: vec![],
            deliver_as: None,
            status,
            paused_at: None,
            failure: None,
            delivered: 0,
            rejected: 0,
            version: 1,
            created_at: now(),
            updated_at: now(),
        }
    }

    fn audience(refreshed_days_ago: i64) -> Audience {
        Audience {
            id: AudienceId::new(),
            account: AccountId::new(),
            data_connection: DataConnectionId::new(),
            slot: Slot(1),
            name: "Runners".to_owned(),
            description: String::new(),
            categories: vec![],
            access: ConnectionAccess::Private,
            visibility: MetadataVisibility::default(),
            failed: false,
            identities: BTreeMap::new(),
            refreshed_at: Some(now() - TimeDelta::days(refreshed_days_ago)),
            version: 1,
            created_at: now(),
            updated_at: now(),
            updated_by: "gateway".to_owned(),
        }
    }

    #[test]
    fn a_delivery_waits_for_its_day_and_for_fresh_audiences() {
        let (fresh, stale) = (audience(1), audience(7));
        let scheduled = |on| activation(ActivationStatus::Scheduled, on);
        let whole = |audience| Sources { audience, within: &[], receiver_has_active: true };
        let once = sent(Recurrence::Once);
        let revoked = SentAudience { revoked_at: Some(now()), ..once.clone() };
        let over = recurring(-9, -1);
        for (activation, sent, sources, expected) in [
            (scheduled(0), &once, whole(Some(&fresh)), Readiness::Ready),
            (scheduled(2), &once, whole(Some(&fresh)), Readiness::NotBefore(day(2))),
            (scheduled(0), &once, whole(Some(&stale)), Readiness::Paused),
            (scheduled(0), &once, whole(None), Readiness::AccessEnded),
            (scheduled(0), &revoked, whole(Some(&fresh)), Readiness::AccessEnded),
            (scheduled(0), &over, whole(Some(&fresh)), Readiness::AccessEnded),
            (scheduled(0), &recurring(-9, 0), whole(Some(&fresh)), Readiness::Ready),
        ] {
            assert_eq!(readiness(&activation, sent, &sources, now()), expected, "{sent:?}");
        }
        let nobody = Sources { audience: Some(&fresh), within: &[], receiver_has_active: false };
        assert_eq!(readiness(&scheduled(0), &once, &nobody, now()), Readiness::Paused);
        let within = SentAudience { within: vec![stale.id], ..once };
        let stale = [stale.clone()];
        let expired = Sources { audience: Some(&fresh), within: &stale, receiver_has_active: true };
        assert_eq!(readiness(&scheduled(0), &within, &expired, now()), Readiness::Paused);
        assert_eq!(readiness(&scheduled(0), &within, &whole(Some(&fresh)), now()), Readiness::AccessEnded);
    }

    #[test]
    fn each_key_meets_the_threshold() {
        for (counts, enough) in [(&[1_000][..], true), (&[1_000, 999], false), (&[5_000, 1_000], true), (&[], false)] {
            assert_eq!(is_large_enough(counts, 1_000), enough, "{counts:?}");
        }
    }

    #[test]
    fn what_waits_for_a_refresh_reads_so() {
        use ActivationStatus::{AccessEnded, CredentialsRefused, Delivered, Failed, Paused, Scheduled};
        let (fresh, stale) = (Some(AudienceStatus::Active), Some(AudienceStatus::Expired));
        for (status, sent, audience, expected) in [
            (Delivered, recurring(-9, 9), fresh, Delivered),
            (Delivered, recurring(-9, 9), stale, Paused),
            (Delivered, recurring(-9, -1), fresh, AccessEnded),
            (Delivered, sent(Recurrence::Once), stale, Delivered),
            (Scheduled, recurring(-9, 9), stale, Scheduled),
            (CredentialsRefused, recurring(-9, 9), stale, CredentialsRefused),
            (CredentialsRefused, recurring(-9, -1), fresh, AccessEnded),
            (Failed, recurring(-9, -1), stale, Failed),
        ] {
            assert_eq!(standing(&activation(status, 0), &sent, audience, day(0)), expected, "{status:?} {sent:?}");
        }
    }

    #[test]
    fn what_its_receiver_paused_reads_so_while_access_lasts() {
        use ActivationStatus::{AccessEnded, Delivered, Delivering, Failed, Paused, PausedByReceiver, Scheduled};
        let (fresh, stale) = (Some(AudienceStatus::Active), Some(AudienceStatus::Expired));
        for (status, sent, audience, expected) in [
            (Scheduled, sent(Recurrence::Once), fresh, PausedByReceiver),
            (Delivering, sent(Recurrence::Once), stale, PausedByReceiver),
            (Paused, recurring(-9, 9), stale, PausedByReceiver),
            (Delivered, recurring(-9, 9), stale, PausedByReceiver),
            (Delivering, recurring(-9, -1), fresh, AccessEnded),
            (Delivered, sent(Recurrence::Once), fresh, Delivered),
            (Failed, recurring(-9, 9), fresh, Failed),
        ] {
            let paused = Activation { paused_at: Some(now()), ..activation(status, 0) };
            assert_eq!(standing(&paused, &sent, audience, day(0)), expected, "{status:?} {sent:?}");
            assert!(!follows_refresh(&paused, &sent, day(0)));
        }
    }

    #[test]
    fn what_was_stopped_meanwhile_begins_nothing() {
        use ActivationStatus::{AccessEnded, Cancelled, Delivered, Delivering, Failed, Scheduled};
        for status in [Scheduled, Delivered] {
            assert_eq!(begun(&activation(status, 0), now()).unwrap().status, Delivering);
            let paused = Activation { paused_at: Some(now()), ..activation(status, 0) };
            assert_eq!(begun(&paused, now()).unwrap_err().code, Code::Conflict);
        }
        for status in [AccessEnded, Cancelled, Failed] {
            assert_eq!(begun(&activation(status, 0), now()).unwrap_err().code, Code::Conflict);
        }
    }

    #[test]
    fn a_refresh_brings_what_recurs_and_what_was_paused() {
        use ActivationStatus::{CredentialsRefused, Delivered, Delivering, Failed, Paused, Scheduled};
        for (status, sent, on, follows) in [
            (Delivered, recurring(-9, 9), 0, true),
            (Delivered, recurring(-9, -1), 0, false),
            (Delivered, sent(Recurrence::Once), 0, false),
            (Paused, sent(Recurrence::Once), 0, true),
            (Paused, sent(Recurrence::Once), 1, false),
            (Scheduled, recurring(-9, 9), 0, false),
            (Delivering, recurring(-9, 9), 0, true),
            (Delivering, sent(Recurrence::Once), 0, false),
            (CredentialsRefused, recurring(-9, 9), 0, false),
            (Failed, recurring(-9, 9), 0, false),
        ] {
            assert_eq!(follows_refresh(&activation(status, on), &sent, day(0)), follows, "{status:?} {sent:?}");
        }
    }

    #[test]
    fn only_what_ends_a_delivery_is_told() {
        let told = |status| event(&activation(status, 0)).is_some();
        assert!(told(ActivationStatus::Delivered) && told(ActivationStatus::Paused));
        assert!(!told(ActivationStatus::Delivering) && !told(ActivationStatus::Scheduled));
    }
}
