//! Holding people out of what is sent, so that what a campaign brought can be measured.

use crate::{AccountId, Code, ProjectId, Refusal, Timestamp, activation::SentAudience, match_key::MatchKey};
use serde::{Deserialize, Serialize};

/// The most that is held out, of a hundred people.
pub const MOST_PERCENT: u32 = 50;

/// Who is left out of the deliveries of a sent audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdout {
    /// Of a hundred people so many, 1 to [`MOST_PERCENT`]. They are drawn from the audience by lot.
    pub percent: u32,
    /// Who was in the audience when it was sent, once that is on record.
    pub roster: Option<Roster>,
}

/// Who was in an audience when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Identities, those held out among them.
    pub identities: u64,
    /// When that was put on record.
    pub at: Timestamp,
}

impl Holdout {
    /// A holdout of a send by these match keys.
    pub fn new(percent: u32, match_keys: &[MatchKey]) -> Result<Self, Refusal> {
        if !(1..=MOST_PERCENT).contains(&percent) {
            return Err(Refusal::invalid("holdoutPercent", format!("Between 1 and {MOST_PERCENT}.")));
        }
        // A person who is held out by the one key and sent by the other would be in both groups.
        if match_keys.len() != 1 {
            let message = "With a holdout an audience is sent by one match key.";
            return Err(Refusal::invalid("matchKeys", message));
        }
        Ok(Self { percent, roster: None })
    }
}

/// Puts on record who was in the audience when it was sent; once.
pub fn record(sent: &SentAudience, identities: u64, now: Timestamp) -> Result<SentAudience, Refusal> {
    match sent.holdout {
        Some(Holdout { percent, roster: None }) => {
            let holdout = Some(Holdout { percent, roster: Some(Roster { identities, at: now }) });
            Ok(SentAudience { holdout, version: sent.version + 1, ..sent.clone() })
        }
        _ => Err(Refusal::new(Code::WrongState, "There is nothing to put on record.")),
    }
}

/// The sent audience of whose lift an account may make a report, in a project: its own, with somebody held out.
pub fn comparable(
    sent: Option<&SentAudience>,
    account: AccountId,
    project: ProjectId,
) -> Result<&SentAudience, Refusal> {
    const FIELD: &str = "report.lift.sentAudienceId";
    let sent = sent.filter(|s| s.sender == account && s.project == project);
    let sent = sent.ok_or_else(|| Refusal::not_found("sent audience").at(FIELD))?;
    if sent.holdout.is_none() {
        let message = "It was sent for everybody: nobody was held out whom the others could be compared with.";
        return Err(Refusal::new(Code::WrongState, message).at(FIELD));
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        AudienceId, ConnectionId, SentAudienceId,
        activation::Recurrence,
        match_key::MatchKeyKind::{HashedEmail, HashedPhone},
    };

    fn sent(holdout: Option<Holdout>) -> SentAudience {
        SentAudience {
            id: SentAudienceId::new(),
            connection: ConnectionId::new(),
            project: ProjectId::new(),
            sender: AccountId::new(),
            receiver: AccountId::new(),
            audience: AudienceId::new(),
            within: vec![],
            match_keys: vec![MatchKey::of(HashedEmail)],
            recurrence: Recurrence::Once,
            holdout,
            revoked_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    #[test]
    fn up_to_a_half_is_held_out_by_one_key() {
        let (email, phone) = (MatchKey::of(HashedEmail), MatchKey::of(HashedPhone));
        for (percent, keys, field) in [
            (1, vec![email.clone()], None),
            (50, vec![phone.clone()], None),
            (0, vec![email.clone()], Some("holdoutPercent")),
            (51, vec![email.clone()], Some("holdoutPercent")),
            (10, vec![email, phone], Some("matchKeys")),
            (10, vec![], Some("matchKeys")),
        ] {
            let refused = Holdout::new(percent, &keys).err().map(|r| r.field.join("."));
            assert_eq!(refused.as_deref(), field, "{percent} {keys:?}");
        }
    }

    #[test]
    fn a_roster_is_put_on_record_once() {
        let recorded = record(&sent(Some(Holdout { percent: 10, roster: None })), 7, Timestamp::UNIX_EPOCH).unwrap();
        let roster = Roster { identities: 7, at: Timestamp::UNIX_EPOCH };
        assert_eq!(recorded.holdout, Some(Holdout { percent: 10, roster: Some(roster) }));
        assert_eq!(recorded.version, 2);
        for not_to_be in [recorded, sent(None)] {
            assert_eq!(record(&not_to_be, 8, Timestamp::UNIX_EPOCH).unwrap_err().code, Code::WrongState);
        }
    }

    #[test]
    fn only_an_own_send_with_a_holdout_has_a_lift() {
        let held_out = sent(Some(Holdout { percent: 10, roster: None }));
        let code =
            |sent: Option<&SentAudience>, account, project| comparable(sent, account, project).err().map(|r| r.code);
        assert_eq!(code(Some(&held_out), held_out.sender, held_out.project), None);
        assert_eq!(code(None, held_out.sender, held_out.project), Some(Code::NotFound));
        assert_eq!(code(Some(&held_out), held_out.receiver, held_out.project), Some(Code::NotFound));
        assert_eq!(code(Some(&held_out), held_out.sender, ProjectId::new()), Some(Code::NotFound));
        let whole = sent(None);
        assert_eq!(code(Some(&whole), whole.sender, whole.project), Some(Code::WrongState));
    }
}
