//! Where lists of opt-outs come from by themselves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{NaiveDate, TimeDelta};
use entente_domain::{
    AccountId, Code, MatchKey, MatchKeyKind, Timestamp,
    account::{self, Account, NewAccount, Profile, Role},
    data_connection::{FieldMapping, Transformation},
    match_key::AccountMatchKey,
    opt_out::{OptOutLoad, OptOutMode, present, source},
    privacy::PrivacyLevel,
    schedule::Schedule,
};

fn luma() -> Account {
    let profile = Profile {
        name: "Luma".into(),
        description: String::new(),
        industry: String::new(),
        contact_email: "team@luma.example".into(),
    };
    let email = AccountMatchKey { key: MatchKey::of(MatchKeyKind::HashedEmail), provider_account_id: None };
    let new = NewAccount {
        profile,
        role: Role::Advertiser,
        region: "US".into(),
        match_keys: vec![email],
        privacy_level: PrivacyLevel::Standard,
    };
    account::create(AccountId::new(), new, now()).unwrap()
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn day(after: i64) -> NaiveDate {
    now().date_naive() + TimeDelta::days(after)
}

fn load(kind: MatchKeyKind) -> OptOutLoad {
    let field = FieldMapping {
        column: "id".into(),
        match_key: MatchKey::of(kind),
        transformation: Transformation::AlreadyHashed,
    };
    OptOutLoad { mode: OptOutMode::Replace, fields: vec![field], delimiter: ',', by: "ada".into() }
}

#[test]
fn a_source_is_read_when_its_schedule_and_its_columns_will_do() {
    let every = |every_days, from, until| Schedule::Recurring { every_days, from: day(from), until: day(until) };
    let (email, idfa) = (MatchKeyKind::HashedEmail, MatchKeyKind::Idfa);
    for (kind, schedule, refused) in [
        (email, Schedule::Once, None),
        (email, every(1, 0, 0), None),
        (email, every(6, -9, 9), None),
        (email, every(7, 0, 9), Some(Code::Invalid)),
        (email, every(1, -9, -1), Some(Code::Invalid)),
        (email, every(1, 2, 1), Some(Code::Invalid)),
        (idfa, Schedule::Once, Some(Code::MatchKeyUnavailable)),
    ] {
        let set = source(&luma(), "s3", load(kind), schedule, now());
        assert_eq!(set.as_ref().err().map(|refusal| refusal.code), refused, "{kind:?} {schedule:?}");
        if let Ok(set) = set {
            assert_eq!((set.source_type.as_str(), set.schedule, set.set_at), ("s3", schedule, now()));
            assert_eq!(set.load.mapping().fields, load(kind).fields);
            assert!(present(Some(&set)).is_ok());
        }
    }
    assert_eq!(present(None).unwrap_err().code, Code::WrongState);
}
