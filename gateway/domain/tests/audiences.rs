//! Editing audiences: many at once, all or none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{TimeDelta, TimeZone, Utc};
use entente_domain::{
    AccountId, AudienceId, Code, ConnectionId, DataConnectionId, MatchKey, MatchKeyKind, Refusal,
    account::Role,
    audience::{
        Audience, AudienceChange, AudienceStatus, ConnectionAccess, MetadataVisibility, NewNames, VisibilityChange,
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

fn edit_at(
    audiences: &[Audience],
    change: AudienceChange,
    active: u64,
    by: &str,
    at: entente_domain::Timestamp,
) -> Result<Vec<Audience>, Refusal> {
    let order: Vec<_> = audiences.iter().map(|a| a.id).collect();
    update_many(audiences, &order, change, active, by, at)
}

fn edit(audiences: &[Audience], change: AudienceChange) -> Result<Vec<Audience>, Refusal> {
    edit_at(audiences, change, 0, "x", now())
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
    let edited = edit_at(&[audience("Runners"), audience("Cyclists")], change, 0, "user ada", later).unwrap();
    for (audience, name) in edited.iter().zip(["Runners", "Cyclists"]) {
        assert_eq!(audience.name, name);
        assert_eq!(audience.categories, ["running", "sport"]);
        assert_eq!(audience.access, ConnectionAccess::Public);
        assert!(audience.visibility.identity_count && !audience.visibility.overlap_percentage);
        assert_eq!((audience.version, audience.updated_at, audience.updated_by.as_str()), (2, later, "user ada"));
    }
}

fn field(refusal: Refusal) -> (Code, String) {
    (refusal.code, refusal.field.join("."))
}

#[test]
fn each_audience_gets_a_name_of_its_own() {
    let (runners, cyclists) = (audience("Runners"), audience("Cyclists"));
    let order = [cyclists.id, runners.id];
    let both = [runners, cyclists];
    let named =
        |names| update_many(&both, &order, AudienceChange { names, ..AudienceChange::default() }, 0, "x", now());
    let each = |names: &[&str]| NewNames::Each(names.iter().map(|n| (*n).to_owned()).collect());
    let edited = named(each(&["C", " R "])).unwrap();
    assert_eq!(edited.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["R", "C"]);
    for (names, at) in [
        (NewNames::One("Both".into()), "name"),
        (each(&["C"]), "names"),
        (each(&["C", "R", "S"]), "names"),
        (each(&["C", ""]), "names.1"),
        (each(&["\u{202e}C", "R"]), "names.0"),
    ] {
        assert_eq!(field(named(names.clone()).unwrap_err()), (Code::Invalid, at.to_owned()), "{names:?}");
    }
    let change = AudienceChange { names: each(&["A", "B"]), ..AudienceChange::default() };
    let twice = update_many(&both[..1], &[both[0].id; 2], change, 0, "x", now()).unwrap_err();
    assert_eq!(field(twice), (Code::Invalid, "audienceIds.1".to_owned()));
    let change = AudienceChange { names: NewNames::One("Runners of 2026".into()), ..AudienceChange::default() };
    assert_eq!(edit(&both[..1], change).unwrap()[0].name, "Runners of 2026");
}

#[test]
fn categories_are_added_to_what_each_has_and_taken_from_it() {
    let with = |categories: Vec<String>| Audience { categories, ..audience("Runners") };
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let audiences = [with(texts(&["health", "sport"])), with(vec![])];
    let change = |add: &[&str], remove: &[&str]| AudienceChange {
        add_categories: texts(add),
        remove_categories: texts(remove),
        ..AudienceChange::default()
    };
    for (add, remove, expected) in [
        (&["sport", " news "][..], &[][..], [&["health", "news", "sport"][..], &["news", "sport"]]),
        (&[], &["sport", "none"], [&["health"], &[]]),
        (&["sport"], &["sport"], [&["health", "sport"], &["sport"]]),
    ] {
        let edited = edit(&audiences, change(add, remove)).unwrap();
        assert_eq!(edited.iter().map(|a| a.categories.clone()).collect::<Vec<_>>(), expected);
    }
    let full = with((0..20).map(|n| format!("category {n}")).collect());
    let refused = edit(&[audience("Cyclists"), full.clone()], change(&["one more"], &[])).unwrap_err();
    assert_eq!(field(refused), (Code::Invalid, "audienceIds.1".to_owned()));
    edit(std::slice::from_ref(&full), change(&["one more"], &["category 0"])).unwrap();
    let either = AudienceChange { categories: Some(vec![]), ..change(&["news"], &[]) };
    assert_eq!(field(edit(&[full], either).unwrap_err()), (Code::Invalid, "categories".to_owned()));
    assert_eq!(field(edit(&audiences, change(&[""], &[])).unwrap_err()), (Code::Invalid, "addCategories".to_owned()));
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
        let edited = edit_at(&[audience("Runners")], show(shown), active, "x", now());
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
