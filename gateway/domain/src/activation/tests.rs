#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::{
    CrosswalkId, MatchKeyKind,
    MatchKeyKind::{CrmId, HashedEmail, HashedPhone},
    crosswalk::{CrosswalkSide, CrosswalkStatus, LinkCounts},
    data_connection::Consent,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn keys(kinds: &[MatchKeyKind]) -> Vec<MatchKey> {
    kinds.iter().copied().map(MatchKey::of).collect()
}

fn crosswalk(account: AccountId, join: MatchKeyKind, linked: MatchKeyKind) -> Crosswalk {
    let side = |kind| CrosswalkSide { match_key: MatchKey::of(kind), columns: vec![] };
    Crosswalk {
        id: CrosswalkId::new(),
        account,
        name: "Members".to_owned(),
        join: side(join),
        linked: side(linked),
        delimiter: ',',
        consent: Consent { by: "user".to_owned(), at: NOW },
        status: CrosswalkStatus::Active,
        failure: None,
        links: Some("links".to_owned()),
        counts: LinkCounts::default(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

#[test]
fn the_destination_takes_the_key_that_is_delivered() {
    let (luma, tv_tube) = (AccountId::new(), AccountId::new());
    let sent = SentAudience {
        id: SentAudienceId::new(),
        connection: ConnectionId::new(),
        project: ProjectId::new(),
        sender: luma,
        receiver: tv_tube,
        audience: AudienceId::new(),
        within: vec![],
        match_keys: keys(&[HashedEmail, HashedPhone]),
        recurrence: Recurrence::Once,
        holdout: None,
        revoked_at: None,
        created_at: NOW,
        version: 1,
    };
    let crosswalks = [crosswalk(tv_tube, CrmId, HashedEmail)];
    let activated = |takes: &[MatchKeyKind], deliver_as: Option<MatchKeyKind>| {
        let all = keys(&[CrmId, HashedEmail, HashedPhone]);
        let id = DestinationId::new();
        let zone = destination(id, tv_tube, "Zone", "landing-zone", keys(takes), &all, NOW).unwrap();
        let delivered = (deliver_as.map(MatchKey::of), crosswalks.as_slice());
        activate(ActivationId::new(), (&sent, &[]), tv_tube, &zone, delivered, NOW.date_naive(), NOW)
    };
    for (takes, deliver_as, matched) in [
        (&[CrmId][..], Some(CrmId), Ok(&[HashedEmail][..])),
        (&[CrmId, HashedEmail], Some(CrmId), Ok(&[HashedEmail])),
        (&[CrmId, HashedPhone], None, Ok(&[HashedPhone])),
        (&[HashedEmail], Some(CrmId), Err((Code::MatchKeyUnavailable, "deliverAs"))),
        (&[HashedPhone], Some(HashedPhone), Err((Code::CrosswalkMissing, "deliverAs"))),
        (&[CrmId], None, Err((Code::MatchKeyUnavailable, "destinationId"))),
    ] {
        let made = activated(takes, deliver_as);
        if let Ok(made) = &made {
            assert_eq!(made.deliver_as, deliver_as.map(MatchKey::of));
        }
        let found = made.map(|a| a.match_keys).map_err(|r| (r.code, r.field.join(".")));
        let matched = matched.map(keys).map_err(|(code, field)| (code, field.to_owned()));
        assert_eq!(found, matched, "{takes:?} as {deliver_as:?}");
    }
}
