//! Files with bad rows, repeats and refusals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    ConversionPlan, EventFault, ExposurePlan, LoadFault, LoadedConversions, LoadedExposures, load_conversions,
    load_exposures,
};
use crate::digest::IndexSecret;
use crate::key_name::KeyName;
use crate::measure::definition::{Combine, ConversionEvent, Dimensions, ValueRule};
use crate::measure::event::{Conversion, Exposure, Kind, Ordered};
use crate::measure::instant::TimeForm;
use crate::measure::stored::{ConversionFile, ExposureFile, conversions_path, exposures_path};
use crate::normalise::{self, Form, Take};
use crate::source::{Control, DEFAULT_MEMORY, Input, Mapping, Progress, SourceFault};
use chrono::FixedOffset;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::path::Path;

fn key(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn identities() -> Vec<Mapping> {
    let phone = Form::HashedPhone { region: None };
    vec![
        Mapping { column: "email".into(), key: key("hashed_email"), form: Form::HashedEmail, take: Take::Transform },
        Mapping { column: "phone".into(), key: key("hashed_phone"), form: phone, take: Take::Transform },
    ]
}

fn exposure_plan() -> ExposurePlan {
    ExposurePlan {
        delimiter: b',',
        identities: identities(),
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: FixedOffset::east_opt(3_600) },
        campaign: "campaign".into(),
        campaigns: None,
        any_spelling: false,
        placement: Some("placement".into()),
        creative: None,
        cost: Some("cost".into()),
        viewable: Some("viewable".into()),
        kind: Some("kind".into()),
        memory: 1 << 20,
    }
}

fn conversion_plan() -> ConversionPlan {
    ConversionPlan {
        delimiter: b',',
        identities: identities(),
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        kind: "type".into(),
        value: Some("value".into()),
        currency: None,
        any_spelling: false,
        deduplication_key: Some("order".into()),
        attributes: vec!["shop".into()],
        memory: 1 << 20,
    }
}

/// Loads into `out` below a directory of its own, in which nothing else stays.
fn exposures(mut csv: &[u8], plan: &ExposurePlan, directory: &Path) -> Result<LoadedExposures, LoadFault> {
    let secret = IndexSecret::new([7; 16]);
    load_exposures(Input::Csv(&mut csv), plan, &secret, directory, &directory.join("out"), &mut |_| Control::Continue)
}

fn conversions(mut csv: &[u8], plan: &ConversionPlan, directory: &Path) -> Result<LoadedConversions, LoadFault> {
    let secret = IndexSecret::new([7; 16]);
    load_conversions(Input::Csv(&mut csv), plan, &secret, directory, &directory.join("out"), &mut |_| Control::Continue)
}

const EXPOSURES: &str = "email,phone,time,campaign,placement,cost,viewable,kind\n";

fn faults_of(row: &[u8]) -> Vec<(u64, Option<usize>, EventFault)> {
    let directory = tempfile::tempdir().unwrap();
    let good = b"ann@example.com,,2026-03-01T12:00:00Z,spring,home,1,true,view\n";
    let csv = [EXPOSURES.as_bytes(), good, row, b"\n", good].concat();
    let loaded = exposures(&csv, &exposure_plan(), directory.path()).unwrap().load;
    assert_eq!(loaded.rows, 3);
    assert!(loaded.accepted_rows >= 2);
    assert_eq!(loaded.faults.counts.values().sum::<u64>(), loaded.faults.listed.len() as u64);
    loaded.faults.listed.iter().map(|fault| (fault.row, fault.column, fault.fault)).collect()
}

#[test]
fn bad_rows_are_counted_and_listed_by_number() {
    use EventFault::*;
    let long = format!("ann@example.com,,2026-03-01T12:00:00Z,{},home,1,true,view", "x".repeat(257));
    for (row, column, fault) in [
        ("ann@example.com,,,spring,home,1,true,view", Some(2), TimeMissing),
        ("ann@example.com,,yesterday,spring,home,1,true,view", Some(2), TimeUnreadable),
        ("ann@example.com,,1999-03-01T12:00:00Z,spring,home,1,true,view", Some(2), TimeOutOfRange),
        ("ann@example.com,,2026-03-01T12:00:00Z, ,home,1,true,view", Some(3), CampaignMissing),
        (&long, Some(3), TextTooLong),
        ("ann@example.com,,2026-03-01T12:00:00Z,\"spr\ning\",home,1,true,view", Some(3), TextControlCharacter),
        ("ann@example.com,,2026-03-01T12:00:00Z,spring,home,free,true,view", Some(5), NumberUnreadable),
        ("ann@example.com,,2026-03-01T12:00:00Z,spring,home,99999999999,true,view", Some(5), NumberOutOfRange),
        ("ann@example.com,,2026-03-01T12:00:00Z,spring,home,-1,true,view", Some(5), CostNegative),
        ("ann@example.com,,2026-03-01T12:00:00Z,spring,home,1,maybe,view", Some(6), ViewableUnreadable),
        ("ann@example.com,,2026-03-01T12:00:00Z,spring,home,1,true,glance", Some(7), KindUnreadable),
        ("ann@example.com,,2026-03-01T12:00:00Z,spring", None, FieldCount),
        (",,2026-03-01T12:00:00Z,spring,home,1,true,view", None, NoIdentity),
    ] {
        assert_eq!(faults_of(row.as_bytes()), [(2, column, fault)], "{row}");
    }
    let latin1 = b"ann@example.com,,2026-03-01T12:00:00Z,fr\xfchling,home,1,true,view";
    assert_eq!(faults_of(latin1), [(2, Some(3), TextNotUtf8)]);
}

#[test]
fn what_is_hostile_in_a_file_of_exposures_is_a_fault_of_its_row() {
    use EventFault::*;
    let plan = ExposurePlan {
        time_form: TimeForm::Written { zone: None },
        campaigns: Some(["spring".to_owned()].into()),
        ..exposure_plan()
    };
    let rows = [
        ("2026-03-01T12:00:00Z,summer,home,1", 3, CampaignUnknown),
        ("2026-03-01T12:00:00Z,Spring,home,1", 3, CampaignUnknown),
        ("0000-01-01T00:00:00Z,spring,home,1", 2, TimeOutOfRange),
        ("9999-12-31T23:59:60Z,spring,home,1", 2, TimeOutOfRange),
        ("9999-12-31T23:59:60,spring,home,1", 2, TimeWithoutZone),
        ("2026-03-01 12:00,spring,home,1", 2, TimeWithoutZone),
        ("1e300,spring,home,1", 2, TimeUnreadable),
        ("1772366400,spring,home,1", 2, TimeUnreadable),
        ("03/01/2026 12:00,spring,home,1", 2, TimeUnreadable),
        ("2026-02-30T12:00:00Z,spring,home,1", 2, TimeUnreadable),
        ("2026-03-01T12:00:00Z,spring,home,12.50 EUR", 5, NumberWithCurrency),
        ("2026-03-01T12:00:00Z,spring,home,€3", 5, NumberWithCurrency),
        ("2026-03-01T12:00:00Z,spring,home,\"1,234.50\"", 5, NumberUnreadable),
        ("2026-03-01T12:00:00Z,spring,home,1e300", 5, NumberUnreadable),
        ("2026-03-01T12:00:00Z,spring,home,NaN", 5, NumberUnreadable),
        ("2026-03-01T12:00:00Z,spring,home,-0.01", 5, CostNegative),
    ];
    let bad: String = rows.iter().map(|(row, ..)| format!("ann@example.com,,{row},true,view\n")).collect();
    let good = "ann@example.com,,2026-03-01T12:00:00Z,spring,home,1,true,view\n";
    for (csv, accepted) in [(format!("{EXPOSURES}{bad}{good}"), 1), (format!("{EXPOSURES}{bad}"), 0)] {
        let directory = tempfile::tempdir().unwrap();
        let load = exposures(csv.as_bytes(), &plan, directory.path()).unwrap().load;
        assert_eq!(load.accepted_rows, accepted);
        let listed: Vec<_> = load.faults.listed.iter().map(|f| (f.row, f.column, f.fault)).collect();
        let expected: Vec<_> = (1..).zip(rows).map(|(n, (_, column, fault))| (n, Some(column), fault)).collect();
        assert_eq!(listed, expected);
        assert_eq!(load.faults.counts[&TimeUnreadable], 4);
    }
}

#[test]
fn values_of_one_file_are_in_one_currency() {
    use EventFault::*;
    let csv = "email,phone,time,type,value,order,shop,currency\n\
        ann@example.com,,2026-03-01T12:00:00Z,visit,,o0,Berlin,\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,3,o1,Berlin,EUR\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,4,o2,Berlin,USD\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,-3,o3,Berlin,eur\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,5,o4,Berlin,\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,6,o5,Berlin,€\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,$7,o6,Berlin,EUR\n";
    let directory = tempfile::tempdir().unwrap();
    let plan = ConversionPlan { currency: Some("currency".into()), ..conversion_plan() };
    let load = conversions(csv.as_bytes(), &plan, directory.path()).unwrap().load;
    let listed: Vec<_> = load.faults.listed.iter().map(|f| (f.row, f.column.unwrap(), f.fault)).collect();
    assert_eq!(
        listed,
        [(3, 7, CurrencyOther), (5, 7, CurrencyUnreadable), (6, 7, CurrencyUnreadable), (7, 4, NumberWithCurrency)]
    );
    assert_eq!(stored_values(directory.path(), "purchase", true), [-3, 3]);
}

#[test]
fn the_currency_is_that_of_the_first_row_that_is_taken() {
    let mut csv = "email,phone,time,type,value,order,shop,currency\n\
        ann@example.com,,never,purchase,3,,Berlin,USD\n"
        .to_owned();
    // More than a batch.
    for row in 0..20_000_u32 {
        let currency = if row % 2 == 0 { "EUR" } else { "USD" };
        csv += &format!("ann@example.com,,2026-03-01T12:00:00Z,purchase,3,,Berlin,{currency}\n");
    }
    let directory = tempfile::tempdir().unwrap();
    let plan = ConversionPlan { currency: Some("currency".into()), ..conversion_plan() };
    let load = conversions(csv.as_bytes(), &plan, directory.path()).unwrap().load;
    assert_eq!(load.accepted_rows, 10_000);
    assert_eq!(load.faults.counts[&EventFault::CurrencyOther], 10_000);
    assert_eq!(load.faults.listed[1].row, 3);
}

#[test]
fn campaigns_are_known_or_not_whichever_thread_reads_them() {
    let mut csv = EXPOSURES.to_owned();
    // More than a batch.
    for row in 0..20_000_u32 {
        let campaign = ["spring", "summer", " spring ", "autumn"][row as usize % 4];
        csv += &format!("ann@example.com,,2026-03-01T12:00:00Z,{campaign},home,1,true,view\n");
    }
    let directory = tempfile::tempdir().unwrap();
    let plan = ExposurePlan { campaigns: Some(["spring".to_owned()].into()), ..exposure_plan() };
    let LoadedExposures { load, dimensions, .. } = exposures(csv.as_bytes(), &plan, directory.path()).unwrap();
    assert_eq!((load.accepted_rows, dimensions.campaigns), (10_000, vec!["spring".to_owned()]));
    assert_eq!(load.faults.counts[&EventFault::CampaignUnknown], 10_000);
    assert_eq!(load.faults.listed[1].row, 4);
}

/// As the example of IAB Tech Lab's specification has it: one column of keys, another one that says of which type, seconds
/// since 1970, and names of columns that every file spells in its own way.
#[test]
fn files_of_admap_are_read_whatever_the_spelling() {
    let [ann, bob] = ["ann@example.com", "+4915112345678"].map(|key| hex::encode(Sha256::digest(key)));
    let of = |key: &str, form| {
        let (column, key) = ("ADMAP ID".to_owned(), self::key(key));
        Mapping { column, key, form, take: Take::AsHashed }
    };
    let identities =
        vec![of("hashed_email", Form::HashedEmail), of("hashed_phone", Form::HashedPhone { region: None })];
    let plan = ConversionPlan {
        identities,
        key_type: Some("Key Type".into()),
        time: "Timestamp".into(),
        time_form: TimeForm::EpochSeconds,
        kind: "Event Name".into(),
        value: Some("Event Revenue".into()),
        currency: Some("Event Currency".into()),
        deduplication_key: None,
        attributes: vec![],
        any_spelling: true,
        ..conversion_plan()
    };
    for header in [
        "Space ID,Key Type,ADMAP ID,Timestamp,Event Name,Event Revenue,Event Currency",
        "space_id,key_type,admap_id,timestamp,event_name,event_revenue,event_currency",
    ] {
        let csv = format!(
            "{header}\n123,email,{ann},1714933914,Purchase,50.0,USD\n123,phone,{bob},1714933915,Purchase,20,USD\n\
             123,ip,{ann},1714933914,Purchase,50.0,USD\n123,email,{ann},1714933914,Purchase,50.0,EUR\n\
             123,email,{ann},2024-05-05T18:31:54Z,Purchase,50.0,USD\n"
        );
        let directory = tempfile::tempdir().unwrap();
        let load = conversions(csv.as_bytes(), &plan, directory.path()).unwrap().load;
        let listed: Vec<_> = load.faults.listed.iter().map(|f| (f.row, f.fault)).collect();
        let expected = [EventFault::KeyTypeUnknown, EventFault::CurrencyOther, EventFault::TimeUnreadable];
        assert_eq!(listed, [3, 4, 5].into_iter().zip(expected).collect::<Vec<_>>());
        assert_eq!(load.keys.iter().map(|key| key.events).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(load.first.unwrap().to_rfc3339(), "2024-05-05T18:31:54+00:00");
        assert_eq!(stored_values(directory.path(), "Purchase", false), [50]);
    }
    // Revenue is metadata, which a file may leave out; without the type of a key nothing is known of it.
    let directory = tempfile::tempdir().unwrap();
    let csv = format!("key_type,admap_id,timestamp,event_name\nemail,{ann},1714933914,Visit\n");
    assert_eq!(conversions(csv.as_bytes(), &plan, directory.path()).unwrap().load.accepted_rows, 1);
    let directory = tempfile::tempdir().unwrap();
    let csv = format!("admap_id,timestamp,event_name\n{ann},1714933914,Visit\n");
    assert_eq!(conversions(csv.as_bytes(), &plan, directory.path()).unwrap_err().name(), "MISSING_COLUMN");
}

#[test]
fn an_unusable_identity_is_a_fault_of_its_own() {
    let email = EventFault::Identity(normalise::Fault::EmailInvalid);
    let alone = faults_of(b"nobody,,2026-03-01T12:00:00Z,spring,home,1,true,view");
    assert_eq!(alone, [(2, Some(0), email), (2, None, EventFault::NoIdentity)]);
    let beside = faults_of(b"nobody,+4915112345678,2026-03-01T12:00:00Z,spring,home,1,true,view");
    assert_eq!(beside, [(2, Some(0), email)]);
}

#[test]
fn values_are_read_and_stored_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let csv = [
        EXPOSURES,
        "bob@example.com,+4915112345678,2026-03-02 13:00,spring,,,,\n",
        "ann@example.com,,2026-03-01T12:00:00Z,winter,home,0.25,YES,Click\n",
        "bob@example.com,,2026-03-01T12:00:00Z,spring,player,1,0,engaged view\n",
    ]
    .concat();
    let loaded = exposures(csv.as_bytes(), &exposure_plan(), directory.path()).unwrap();
    assert_eq!(loaded.load.accepted_rows, 3);
    assert_eq!(loaded.load.first.unwrap().to_rfc3339(), "2026-03-01T12:00:00+00:00");
    assert_eq!(loaded.load.last.unwrap().to_rfc3339(), "2026-03-02T12:00:00+00:00");
    let keys: Vec<_> = loaded.load.keys.iter().map(|key| (key.key.as_str(), key.events, key.identities)).collect();
    assert_eq!(keys, [("hashed_email", 3, 2), ("hashed_phone", 1, 1)]);
    assert_eq!(loaded.dimensions.campaigns, ["spring", "winter"]);
    assert_eq!(loaded.dimensions.placements, ["home", "player"]);
    assert!(loaded.dimensions.creatives.is_empty() && !loaded.more_values);

    let file = File::open(exposures_path(&directory.path().join("out"), &key("hashed_email"))).unwrap();
    let stored: Vec<Exposure> =
        ExposureFile::open(file, &loaded.dimensions, 0..=u64::MAX).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(stored.is_sorted_by_key(Ordered::order));
    let click = stored.iter().find(|exposure| exposure.kind == Kind::Click).unwrap();
    assert_eq!((click.cost, click.viewable, click.place.campaign, click.place.placement), (250_000, true, 1, 0));
    let view = stored.iter().find(|exposure| exposure.kind == Kind::View).unwrap();
    assert_eq!((view.cost, view.viewable, view.place.campaign, view.place.placement), (0, false, 0, 2));
    assert!(stored.iter().any(|exposure| exposure.kind == Kind::EngagedView && exposure.cost == 1_000_000));
}

/// The exposures of a match key that are stored below a directory.
fn stored(directory: &Path, name: &str, dimensions: &Dimensions) -> Vec<Exposure> {
    let file = File::open(exposures_path(&directory.join("out"), &key(name))).unwrap();
    ExposureFile::open(file, dimensions, 0..=u64::MAX).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn small_memory_changes_nothing() {
    let mut csv = EXPOSURES.to_owned();
    for row in 0..10_000_u32 {
        // One identity has half of all.
        let person = if row % 2 == 0 { 0 } else { row % 700 };
        let (day, second, campaign, cost) = (row % 28 + 1, row % 7, row % 3, row % 1_000);
        csv += &format!(
            "p{person}@example.com,+4915112345678,2026-03-{day:02}T12:00:0{second}Z,c{campaign},p{row},0.{cost:03},,\n"
        );
    }
    let mut expected = None;
    for memory in [DEFAULT_MEMORY, 1 << 20, 64 << 10] {
        let directory = tempfile::tempdir().unwrap();
        let plan = ExposurePlan { memory, ..exposure_plan() };
        let LoadedExposures { load, dimensions, .. } = exposures(csv.as_bytes(), &plan, directory.path()).unwrap();
        let of_keys = ["hashed_email", "hashed_phone"].map(|name| stored(directory.path(), name, &dimensions));
        assert!(
            of_keys.iter().all(|exposures| exposures.len() == 10_000 && exposures.is_sorted_by_key(Ordered::order))
        );
        let identities: Vec<u64> = load.keys.iter().map(|key| key.identities).collect();
        assert_eq!(identities, [351, 1]);
        let found = (of_keys, load, dimensions);
        assert_eq!(*expected.get_or_insert_with(|| found.clone()), found);
    }
}

#[test]
fn only_chosen_campaigns_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let csv = format!("{EXPOSURES}ann@example.com,,2026-03-01T12:00:00Z,winter,home,1,true,view\n");
    exposures(csv.as_bytes(), &exposure_plan(), directory.path()).unwrap();
    let file = File::open(exposures_path(&directory.path().join("out"), &key("hashed_email"))).unwrap();
    let dimensions = Dimensions { campaigns: vec!["spring".into()], ..Dimensions::default() };
    assert_eq!(ExposureFile::open(file, &dimensions, 0..=u64::MAX).unwrap().count(), 0);
}

/// Values of the stored conversions of a type, sorted; with or without repeats.
fn stored_values(directory: &Path, kind: &str, deduplicate: bool) -> Vec<i64> {
    let event = ConversionEvent {
        name: "event".into(),
        kind: kind.into(),
        value: ValueRule::SumOfValue,
        deduplicate,
        combine: Combine::All,
        conditions: vec![],
    };
    let file = File::open(conversions_path(&directory.join("out"), &key("hashed_email"))).unwrap();
    let stored: Vec<Conversion> =
        ConversionFile::open(file, &[event], 0..=u64::MAX).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(stored.is_sorted_by_key(Ordered::order));
    let mut values: Vec<i64> = stored.iter().map(|conversion| conversion.value / 1_000_000).collect();
    values.sort_unstable();
    values
}

#[test]
fn of_repeats_the_first_by_time_counts() {
    let csv = "email,phone,time,type,value,order,shop\n\
        ann@example.com,,2026-03-01T12:00:00Z,purchase,3,o1,Berlin\n\
        bob@example.com,,2026-03-01T11:00:00Z,purchase,1,o1,Paris\n\
        ann@example.com,,2026-03-01T11:00:00Z,purchase,2,o1,Paris\n\
        ann@example.com,,2026-03-01T13:00:00Z,refund,-3,o1,Berlin\n\
        ann@example.com,,2026-03-01T13:00:00Z,purchase,4,o2,Berlin\n\
        ann@example.com,,2026-03-01T13:00:00Z,purchase,5,,Berlin\n\
        ann@example.com,,2026-03-01T13:00:00Z,purchase,5,,\n";
    for memory in [1 << 20, 200] {
        let directory = tempfile::tempdir().unwrap();
        let plan = ConversionPlan { memory, ..conversion_plan() };
        let loaded = conversions(csv.as_bytes(), &plan, directory.path()).unwrap();
        assert_eq!((loaded.load.accepted_rows, loaded.repeated_rows), (7, 2));
        assert_eq!(loaded.types, ["purchase", "refund"]);
        assert_eq!(stored_values(directory.path(), "purchase", false), [1, 2, 3, 4, 5, 5]);
        assert_eq!(stored_values(directory.path(), "purchase", true), [1, 4, 5, 5]);
        assert_eq!(stored_values(directory.path(), "refund", true), [-3]);
    }
}

#[test]
fn every_identity_of_the_first_row_keeps_it() {
    let csv = "email,phone,time,type,value,order,shop\n\
        ann@example.com,+4915112345678,2026-03-01T12:00:00Z,purchase,3,o1,Berlin\n\
        ann@example.com,+4915112345678,2026-03-01T12:00:00Z,purchase,3,o1,Berlin\n";
    let directory = tempfile::tempdir().unwrap();
    let loaded = conversions(csv.as_bytes(), &conversion_plan(), directory.path()).unwrap();
    assert_eq!(loaded.repeated_rows, 1);
    assert_eq!(loaded.load.keys.iter().map(|key| key.events).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(stored_values(directory.path(), "purchase", true), [3]);
}

#[test]
fn refusals_store_nothing() {
    let row = "ann@example.com,,2026-03-01T12:00:00Z,spring,home,1,true,view\n";
    let short = format!("{EXPOSURES}ann@example.com,spring\n");
    let unclosed = format!("{EXPOSURES}{row}\"ann@example.com,,\n");
    for (csv, name) in [
        ("", "FILE_EMPTY"),
        (EXPOSURES, "NO_ROWS"),
        ("email,time\n", "MISSING_COLUMN"),
        ("PK\x03\x04zip", "NOT_CSV"),
        (&EXPOSURES.replace(',', ";"), "WRONG_DELIMITER"),
        (&short, "FIELD_COUNTS"),
        (&unclosed, "MALFORMED_QUOTING"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let refused = exposures(csv.as_bytes(), &exposure_plan(), directory.path()).unwrap_err();
        assert_eq!(refused.name(), name);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn plans_that_would_store_identifiers_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let csv = b"email,phone,time,type,value,order,shop\n";
    let attribute = ConversionPlan { attributes: vec!["email ".into()], ..conversion_plan() };
    let deduplication = ConversionPlan { deduplication_key: Some("phone".into()), ..conversion_plan() };
    let none = ConversionPlan { identities: vec![], ..conversion_plan() };
    let twice = ConversionPlan { attributes: vec!["shop".into(), " shop".into()], ..conversion_plan() };
    let delimiter = ConversionPlan { delimiter: b'"', ..conversion_plan() };
    for plan in [attribute, deduplication, none, twice, delimiter] {
        assert_eq!(conversions(csv, &plan, directory.path()).unwrap_err().name(), "PLAN_INVALID");
    }
}

#[test]
fn a_place_that_is_taken_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let csv = format!("{EXPOSURES}ann@example.com,,2026-03-01T12:00:00Z,winter,home,1,true,view\n");
    exposures(csv.as_bytes(), &exposure_plan(), directory.path()).unwrap();
    assert!(exposures(csv.as_bytes(), &exposure_plan(), directory.path()).is_err());
}

#[test]
fn progress_is_told_and_the_caller_can_cancel() {
    let row = "ann@example.com,,2026-03-01T12:00:00Z,spring,home,1,true,view\n";
    let csv = format!("{EXPOSURES}{}", row.repeat(20_000));
    let directory = tempfile::tempdir().unwrap();
    let secret = IndexSecret::new([7; 16]);
    let mut told = Vec::new();
    let refused = load_exposures(
        Input::Csv(&mut csv.as_bytes()),
        &ExposurePlan { memory: 10_000, ..exposure_plan() },
        &secret,
        directory.path(),
        &directory.path().join("out"),
        &mut |Progress { rows, .. }| {
            told.push(rows);
            if told.len() < 2 { Control::Continue } else { Control::Cancel }
        },
    );
    assert!(matches!(refused, Err(LoadFault::Source(SourceFault::Cancelled))));
    assert!(told[0] > 0 && told[0] < told[1] && told[1] < 20_000, "{told:?}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
