//! What a receiver does about an activation that it has: pause it, resume it, cancel it.

use super::{Activation, ActivationStatus, Recurrence, SentAudience};
use crate::{Code, Refusal, Timestamp, event::AccountEventKind};
use chrono::NaiveDate;

/// What its receiver wants of an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Deliver nothing for now.
    Pause,
    /// Go on where it was paused.
    Resume,
    /// Deliver nothing more, for good. What was delivered stays.
    Cancel,
}

/// Whether anything is still to be delivered by an activation, now or at a refresh.
pub fn goes_on(activation: &Activation, sent: &SentAudience, today: NaiveDate) -> bool {
    let recurs = matches!(sent.recurrence, Recurrence::Recurring { .. });
    activation.status.goes_on(recurs) && sent.grants(today)
}

/// The activation after a command, and what its receiver's subscribers hear. An activation by which nothing more would be
/// delivered takes none.
pub fn decide(
    activation: &Activation,
    sent: &SentAudience,
    command: Command,
    now: Timestamp,
) -> Result<(Activation, AccountEventKind), Refusal> {
    let wrong_state = |message: &str| Err(Refusal::new(Code::WrongState, message).at("activationId"));
    if !goes_on(activation, sent, now.date_naive()) {
        return wrong_state("Nothing more is delivered by this activation.");
    }
    let (status, paused_at, event) = match (command, activation.paused_at) {
        (Command::Pause, Some(_)) => return wrong_state("It is paused already."),
        (Command::Resume, None) => return wrong_state("It is not paused."),
        (Command::Pause, None) => (activation.status, Some(now), AccountEventKind::ActivationPaused),
        (Command::Resume, Some(_)) => (activation.status, None, AccountEventKind::ActivationResumed),
        (Command::Cancel, _) => (ActivationStatus::Cancelled, None, AccountEventKind::ActivationCancelled),
    };
    let next = Activation { status, paused_at, version: activation.version + 1, updated_at: now, ..activation.clone() };
    Ok((next, event))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        AccountId, ActivationId, AudienceId, ConnectionId, DestinationId, ProjectId, SentAudienceId,
        delivery::{self, standing},
    };
    use chrono::TimeDelta;
    use proptest::prelude::*;

    const ALL: [ActivationStatus; 9] = [
        ActivationStatus::Scheduled,
        ActivationStatus::Delivering,
        ActivationStatus::Delivered,
        ActivationStatus::SkippedBelowThreshold,
        ActivationStatus::Paused,
        ActivationStatus::AccessEnded,
        ActivationStatus::Failed,
        ActivationStatus::CredentialsRefused,
        ActivationStatus::Cancelled,
    ];
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn sent(until: Option<i64>) -> SentAudience {
        let day = |offset| NOW.date_naive() + TimeDelta::days(offset);
        SentAudience {
            id: SentAudienceId::new(),
            connection: ConnectionId::new(),
            project: ProjectId::new(),
            sender: AccountId::new(),
            receiver: AccountId::new(),
            audience: AudienceId::new(),
            within: vec![],
            match_keys: vec![],
            recurrence: until
                .map_or(Recurrence::Once, |until| Recurrence::Recurring { from: day(-9), until: day(until) }),
            holdout: None,
            revoked_at: None,
            created_at: NOW,
            version: 1,
        }
    }

    fn activation(status: ActivationStatus, paused: bool) -> Activation {
        Activation {
            id: ActivationId::new(),
            sent: SentAudienceId::new(),
            account: AccountId::new(),
            destination: DestinationId::new(),
            on: NOW.date_naive(),
            match_keys: vec![],
            deliver_as: None,
            status,
            paused_at: paused.then_some(NOW),
            failure: None,
            delivered: 7,
            rejected: 1,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    #[test]
    fn what_takes_which_command() {
        use ActivationStatus::{Delivered, Delivering, Paused, PausedByReceiver, Scheduled};
        use Command::{Cancel, Pause, Resume};
        let (once, recurring) = (sent(None), sent(Some(9)));
        for (status, paused, sent, command, expected) in [
            (Scheduled, false, &once, Pause, Some(PausedByReceiver)),
            (Delivering, false, &once, Pause, Some(PausedByReceiver)),
            (Paused, false, &once, Pause, Some(PausedByReceiver)),
            (Delivered, false, &recurring, Pause, Some(PausedByReceiver)),
            (Delivered, false, &once, Pause, None),
            (Delivering, true, &once, Pause, None),
            (Delivering, true, &once, Resume, Some(Delivering)),
            (Delivered, true, &recurring, Resume, Some(Delivered)),
            (Delivering, false, &once, Resume, None),
            (Delivering, false, &once, Cancel, Some(ActivationStatus::Cancelled)),
            (Delivering, true, &once, Cancel, Some(ActivationStatus::Cancelled)),
            (Delivered, false, &recurring, Cancel, Some(ActivationStatus::Cancelled)),
            (Delivered, false, &once, Cancel, None),
            (Delivered, false, &sent(Some(-1)), Cancel, None),
            (ActivationStatus::Failed, false, &recurring, Cancel, None),
        ] {
            let before = activation(status, paused);
            let next = decide(&before, sent, command, NOW);
            let read = next.as_ref().ok().map(|(a, _)| standing(a, sent, None, NOW.date_naive()));
            assert_eq!(read, expected, "{status:?} {paused} {command:?}");
            if let Err(refusal) = next {
                assert_eq!(refusal.code, Code::WrongState);
            }
        }
    }

    fn commands() -> impl Strategy<Value = Vec<Command>> {
        prop::collection::vec(prop::sample::select(vec![Command::Pause, Command::Resume, Command::Cancel]), 0..12)
    }

    proptest! {
        /// Whatever is pressed: what was delivered stays, cancelling is for good, resuming undoes pausing, and what is paused
        /// or cancelled neither begins a delivery nor follows a refresh.
        #[test]
        fn any_sequence_of_commands(
            status in prop::sample::select(ALL.to_vec()),
            until in prop::option::of(-3_i64..9),
            commands in commands(),
        ) {
            let sent = sent(until);
            let today = NOW.date_naive();
            let first = activation(status, false);
            let mut now = first.clone();
            for command in commands {
                let Ok((next, _)) = decide(&now, &sent, command, NOW) else { continue };
                prop_assert!(goes_on(&now, &sent, today), "nothing that is over changes");
                prop_assert_eq!((next.version, next.delivered, next.rejected), (now.version + 1, 7, 1));
                prop_assert_eq!(next.paused_at.is_some(), command == Command::Pause);
                prop_assert_eq!(next.status, if command == Command::Cancel { ActivationStatus::Cancelled } else { status });
                now = next;
                if command != Command::Resume {
                    prop_assert!(delivery::begun(&now, NOW).is_err());
                    prop_assert!(!delivery::follows_refresh(&now, &sent, today));
                }
            }
            if now.status == ActivationStatus::Cancelled {
                for command in [Command::Pause, Command::Resume, Command::Cancel] {
                    prop_assert_eq!(decide(&now, &sent, command, NOW).unwrap_err().code, Code::WrongState);
                }
                prop_assert!(!now.status.stands(), "it can be activated again");
            } else if now.paused_at.is_none() {
                prop_assert_eq!(standing(&now, &sent, None, today), standing(&first, &sent, None, today));
            }
        }
    }
}
