#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::{
    MatchKey, MatchKeyKind, PrivacyLevel,
    account::{Profile, Role},
    connection::{CollaborationPattern, State, pattern},
    match_key::AccountMatchKey,
};
use proptest::prelude::*;

fn at(days: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::days(days)
}

const NOTHING: Inviting = Inviting { has_reported: false, waiting: 0, made_today: 0, made_for_address: 0 };

fn invited(email: &str) -> EmailInvite {
    invite(EmailInviteId::new(), AccountId::new(), (email, "Hello"), NOTHING, at(0)).unwrap()
}

fn of(role: Role) -> NewAccount {
    let profile = Profile {
        name: "TV Tube".to_owned(),
        description: String::new(),
        industry: String::new(),
        contact_email: "team@tvtube.example".to_owned(),
    };
    let match_keys = vec![AccountMatchKey { key: MatchKey::of(MatchKeyKind::HashedEmail), provider_account_id: None }];
    NewAccount { profile, role, region: "US".to_owned(), match_keys, privacy_level: PrivacyLevel::Standard }
}

fn accepting(inviter: Role, invitee: Role) -> (Accepting, Acceptance) {
    let inviter = account::create(AccountId::new(), of(inviter), at(0)).unwrap();
    let invite = EmailInvite { account: inviter.id, ..invited("Ada@TVTube.example") };
    let acceptance = Acceptance {
        user: UserId::new(),
        account: AccountId::new(),
        new: of(invitee),
        connection: ConnectionId::new(),
        terms_read: "2026-01".to_owned(),
    };
    (Accepting { invite, inviter, email: "ada@tvtube.example".to_owned() }, acceptance)
}

#[test]
fn nobody_is_mailed_to_death() {
    for (known, expected) in [
        (NOTHING, Ok(())),
        (
            Inviting {
                waiting: MOST - 1,
                made_today: MOST_A_DAY - 1,
                made_for_address: MOST_TO_ADDRESS - 1,
                ..NOTHING
            },
            Ok(()),
        ),
        (Inviting { has_reported: true, ..NOTHING }, Err(Code::RecipientRefuses)),
        (Inviting { waiting: MOST, ..NOTHING }, Err(Code::LimitReached)),
        (Inviting { made_today: MOST_A_DAY, ..NOTHING }, Err(Code::RateLimited)),
        (Inviting { made_for_address: MOST_TO_ADDRESS, ..NOTHING }, Err(Code::RateLimited)),
    ] {
        let made = invite(EmailInviteId::new(), AccountId::new(), ("ada@tvtube.example", ""), known, at(0));
        assert_eq!(made.map(|_| ()).map_err(|refusal| refusal.code), expected, "{known:?}");
    }
}

#[test]
fn a_mail_goes_out_once_and_not_among_many() {
    let waiting = invited("ada@tvtube.example");
    let sent = EmailInvite { sent_at: Some(at(0)), ..waiting.clone() };
    let withdrawn = withdraw(&waiting, at(0)).unwrap();
    let five: Vec<_> = (0..5).map(at).collect();
    for (invite, mails, day, expected) in [
        (&waiting, &five[..0], 0, Mailing::Send),
        (&waiting, &five[..4], 5, Mailing::Send),
        (&waiting, &five[..], 5, Mailing::Later(at(7))),
        (&waiting, &five[..], 7, Mailing::Send),
        (&waiting, &five[..0], 14, Mailing::NotWanted),
        (&sent, &five[..0], 0, Mailing::NotWanted),
        (&withdrawn, &five[..0], 0, Mailing::NotWanted),
    ] {
        assert_eq!(mailing(invite, mails, at(day)), expected, "{invite:?} {mails:?} {day}");
    }
}

#[test]
fn an_answer_is_for_what_waits() {
    let all = [
        (Status::Waiting, true, true, true),
        (Status::Accepted, false, false, false),
        (Status::Declined, false, false, true),
        (Status::Reported, false, false, false),
        (Status::Withdrawn, false, false, true),
        (Status::Replaced, false, false, true),
        (Status::Undeliverable, false, false, true),
    ];
    for (status, withdrawn, declined, reported) in all {
        let invite = EmailInvite { status, ..invited("ada@tvtube.example") };
        assert_eq!(withdraw(&invite, at(1)).is_ok(), withdrawn, "{status:?}");
        assert_eq!(decline(&invite, at(13)).is_ok(), declined, "{status:?}");
        assert!(decline(&invite, at(14)).is_err(), "{status:?}");
        assert_eq!(report(&invite, ReportReason::Spam, at(14)).is_ok(), reported, "{status:?}");
        assert_eq!(may_answer(&invite, "ada@tvtube.example", at(13)).is_ok(), declined, "{status:?}");
        for (email, day) in [("ada@tvtube.example", 14), ("ben@tvtube.example", 1)] {
            assert_eq!(may_answer(&invite, email, at(day)).unwrap_err().code, Code::EmailInviteInvalid);
        }
    }
}

#[test]
fn accepting_makes_an_account_and_a_connection_that_its_inviter_pays() {
    let (known, acceptance) = accepting(Role::Advertiser, Role::Publisher);
    let (accepted, events) = accept(&known, acceptance.clone(), "2026-01", at(1)).unwrap();
    let connection = &accepted.connection;
    assert_eq!((connection.owner, connection.recipient), (known.inviter.id, acceptance.account));
    assert_eq!((connection.state, connection.payer), (State::Configuring, Some(Side::Owner)));
    assert_eq!(
        events.map(|(c, e)| (c.state, e)),
        [(State::Invited, ConnectionEvent::Invited), (State::Configuring, ConnectionEvent::InviteAccepted)]
    );
    assert_eq!((accepted.invite.status, accepted.invite.connection), (Status::Accepted, Some(connection.id)));
    let terms = &accepted.terms;
    assert_eq!((terms.account, terms.user, &*terms.version), (acceptance.account, acceptance.user, "2026-01"));
    let changed = accept(&known, acceptance.clone(), "2026-02", at(1)).unwrap_err();
    assert_eq!(changed.code, Code::TermsChanged);
    let again = Accepting { invite: accepted.invite, ..known };
    assert_eq!(accept(&again, acceptance, "2026-01", at(1)).unwrap_err().code, Code::EmailInviteInvalid);
}

proptest! {
    /// Only roles that may meet do, whoever invites. An agency meets all but advertisers for its clients alone.
    #[test]
    fn pairs_are_those_of_the_patterns(one in 0..4_usize, other in 0..4_usize) {
        let roles = [Role::Advertiser, Role::Publisher, Role::Agency, Role::DataPartner];
        let (known, acceptance) = accepting(roles[one], roles[other]);
        let accepted = accept(&known, acceptance, "2026-01", at(1));
        let meet = pattern(roles[one], roles[other]).filter(|pattern| {
            !matches!(pattern, CollaborationPattern::AgencyToPublisher | CollaborationPattern::AgencyToDataPartner)
        });
        match meet {
            Some(pattern) => prop_assert_eq!(accepted.unwrap().0.connection.pattern, pattern),
            None => prop_assert_eq!(accepted.unwrap_err().code, Code::PatternNotAllowed),
        }
    }
}
