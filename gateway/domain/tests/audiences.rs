//! Editing audiences: many at once, all or none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{TimeDelta, TimeZone, Utc};
use entente_domain::{
    AccountId, AudienceId, Code, ConnectionId, DataConnectionId, MatchKey, MatchKeyKind,
    account::Role,
    audience::{
        Audience, AudienceChange, AudienceStatus, ConnectionAccess, MetadataVisibility, VisibilityChange,
        checked_access, update_many,
    },
    connection::{self, Command, Connection},
    data_connection::{AudienceSource, FieldMapping, Mapping, Transformation, checked_mapping},
    settings::Side,
    slot::Slot,
};

fn now() -> entente_domain::Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

fn audience(name: &str) -> Audience {
    Audience {
        id: AudienceId::new(),
        account: AccountId::new(),
        data_connection: DataConnectionId::new(),
        slot: Slot(1),
        name: name.to_owned(),
        description: String::new(),
        categories: vec![],
        access: ConnectionAccess::Private,
        visibility: MetadataVisibility { identity_count: true, overlap_percentage: true, audience_index: false },
        failed: false,
        identities: [("hashed_email".to_owned(), 3), ("hashed_phone".to_owned(), 2)].into(),
        refreshed_at: Some(now()),
        version: 1,
        created_at: now(),
        updated_at: now(),
        updated_by: "gateway".to_owned(),
    }
}

fn invite(owner: AccountId, recipient: AccountId) -> Connection {
    let (owner, recipient) = ((owner, Role::Advertiser), (recipient, Role::Publisher));
    connection::invite(ConnectionId::new(), owner, recipient, "", None, now()).unwrap().0
}

#[test]
fn many_are_edited_alike() {
    let change = AudienceChange {
        categories: Some(vec![" sport ".into(), "running".into(), "sport".into()]),
        access: Some(ConnectionAccess::Public),
        visibility: VisibilityChange { overlap_percentage: Some(false), ..VisibilityChange::default() },
        ..AudienceChange::default()
    };
    let later = now() + TimeDelta::hours(1);
    let edited = update_many(&[audience("Runners"), audience("Cyclists")], &change, 0, "user ada", later).unwrap();
    for (audience, name) in edited.iter().zip(["Runners", "Cyclists"]) {
        assert_eq!(audience.name, name);
        assert_eq!(audience.categories, ["running", "sport"]);
        assert_eq!(audience.access, ConnectionAccess::Public);
        assert!(audience.visibility.identity_count && !audience.visibility.overlap_percentage);
        assert_eq!((audience.version, audience.updated_at, audience.updated_by.as_str()), (2, later, "user ada"));
    }
}

#[test]
fn a_name_is_given_to_one_audience_only() {
    let change = AudienceChange { name: Some("Runners of 2026".into()), ..AudienceChange::default() };
    let one = update_many(&[audience("Runners")], &change, 0, "x", now()).unwrap();
    assert_eq!(one[0].name, "Runners of 2026");
    let refused = update_many(&[audience("Runners"), audience("Cyclists")], &change, 0, "x", now()).unwrap_err();
    assert_eq!((refused.code, refused.field), (Code::Invalid, vec!["name".to_owned()]));
}

#[test]
fn an_index_needs_three_active_audiences_when_it_is_asked_for() {
    let show = |shown| AudienceChange {
        visibility: VisibilityChange { audience_index: shown, ..VisibilityChange::default() },
        ..AudienceChange::default()
    };
    for (shown, active, allowed) in
        [(Some(true), 2, false), (Some(true), 3, true), (Some(false), 0, true), (None, 0, true)]
    {
        let edited = update_many(&[audience("Runners")], &show(shown), active, "x", now());
        assert_eq!(edited.is_ok(), allowed, "{shown:?} with {active}");
    }
}

#[test]
fn custom_access_names_live_connections_of_the_account() {
    let (luma, tv_tube, fit_apparel) = (AccountId::new(), AccountId::new(), AccountId::new());
    let own = invite(luma, tv_tube);
    let others = invite(fit_apparel, tv_tube);
    let over = connection::decide(&own, Side::Owner, Command::Withdraw, now()).unwrap().0;
    let custom = |id| ConnectionAccess::Custom(vec![id]);
    let known = [own.clone(), others.clone()];
    let twice = ConnectionAccess::Custom(vec![own.id, own.id]);
    assert_eq!(checked_access(twice, luma, &known).unwrap(), custom(own.id));
    assert_eq!(checked_access(custom(own.id), tv_tube, &known).unwrap(), custom(own.id));
    let unknown = checked_access(custom(ConnectionId::new()), luma, &known).unwrap_err();
    assert_eq!(checked_access(custom(others.id), luma, &known).unwrap_err(), unknown);
    assert_eq!(unknown.code, Code::NotFound);
    assert_eq!(checked_access(custom(over.id), luma, &[over]).unwrap_err().code, Code::WrongState);
    let nobody = checked_access(ConnectionAccess::Custom(vec![]), luma, &known).unwrap_err();
    assert_eq!(nobody.code, Code::Invalid);
    assert_eq!(checked_access(ConnectionAccess::Private, luma, &[]).unwrap(), ConnectionAccess::Private);
}

#[test]
fn an_audience_expires_after_seven_days() {
    let audience = audience("Runners");
    let expires = audience.expires_at().unwrap();
    assert_eq!(expires, now() + TimeDelta::days(7));
    assert_eq!(audience.status(expires - TimeDelta::microseconds(1)), AudienceStatus::Active);
    assert_eq!(audience.status(expires), AudienceStatus::Expired);
    assert_eq!(Audience { refreshed_at: None, ..audience }.expires_at(), None);
}

#[test]
fn a_column_of_identities_does_not_name_audiences() {
    let key = MatchKey::of(MatchKeyKind::HashedEmail);
    let field = FieldMapping {
        column: " email".into(),
        match_key: key.clone(),
        transformation: Transformation::NormaliseAndHash,
    };
    let mapping = |audience| Mapping { fields: vec![field.clone()], audience, delimiter: ',' };
    let keys = [key];
    assert!(checked_mapping(mapping(AudienceSource::Column("segment".into())), &keys).is_ok());
    assert!(checked_mapping(mapping(AudienceSource::Named("email".into())), &keys).is_ok());
    let refused = checked_mapping(mapping(AudienceSource::Column("email ".into())), &keys).unwrap_err();
    assert_eq!((refused.code, refused.field), (Code::Invalid, vec!["mapping".to_owned(), "audience".to_owned()]));
}
