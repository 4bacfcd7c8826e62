//! Exposures and conversions from Parquet: the same rows give the same load and the same stored files as CSV, byte by byte.

use crate::files::{Columns, mapping, written};
use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::types::Int32Type as Int32Keys;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt32Array,
};
use arrow_buffer::i256;
use chrono::FixedOffset;
use entente_identity::IndexSecret;
use entente_identity::measure::{
    ConversionPlan, ExposurePlan, Load, LoadFault, TimeForm, load_conversions, load_exposures,
};
use entente_identity::normalise::{Form, Take};
use entente_identity::random_access::RandomAccess;
use entente_identity::source::{Control, DEFAULT_MEMORY, Input, Mapping, OfRow, SourceFault};
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Columns of texts; the first has the identities.
type Table = Vec<(&'static str, Vec<String>)>;
/// Rows and faults, what else is told of them, and the stored files.
type Loaded = (Load, String, BTreeMap<PathBuf, Vec<u8>>);

/// A plan of either kind.
trait Loads {
    fn load(&self, input: Input<'_>, scratch: &Path, out: &Path) -> Result<(Load, String), LoadFault>;
}

impl Loads for ExposurePlan {
    fn load(&self, input: Input<'_>, scratch: &Path, out: &Path) -> Result<(Load, String), LoadFault> {
        let secret = IndexSecret::new([7; 16]);
        let found = load_exposures(input, self, &secret, scratch, out, &mut |_| Control::Continue)?;
        Ok((found.load, format!("{:?} {}", found.dimensions, found.more_values)))
    }
}

impl Loads for ConversionPlan {
    fn load(&self, input: Input<'_>, scratch: &Path, out: &Path) -> Result<(Load, String), LoadFault> {
        let secret = IndexSecret::new([7; 16]);
        let found = load_conversions(input, self, &secret, scratch, out, &mut |_| Control::Continue)?;
        Ok((found.load, format!("{} {:?} {}", found.repeated_rows, found.types, found.more_types)))
    }
}

fn loaded(plan: &dyn Loads, input: Input<'_>) -> Result<Loaded, LoadFault> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let found = plan.load(input, dir.path(), &out);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, usize::from(found.is_ok()), "a refused file left something");
    let (load, more) = found?;
    let files = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let files = files.map(|path| (path.strip_prefix(&out).unwrap().to_owned(), std::fs::read(&path).unwrap()));
    Ok((load, more, files.collect()))
}

fn of_file(plan: &dyn Loads, file: Vec<u8>) -> Result<Loaded, LoadFault> {
    loaded(plan, Input::File(Arc::new(file)))
}

fn of_parts(plan: &dyn Loads, files: impl IntoIterator<Item = Vec<u8>>) -> Result<Loaded, LoadFault> {
    let part = |file: Vec<u8>| -> Result<Arc<dyn RandomAccess>, SourceFault> { Ok(Arc::new(file)) };
    loaded(plan, Input::Parts(&mut files.into_iter().map(part)))
}

/// Loads the columns `email`, `at`, `audience`, `cost` and `viewable` of a file as exposures.
pub fn as_exposures(file: Vec<u8>) -> Result<Load, LoadFault> {
    let (time, campaign) = ("at".into(), "audience".into());
    let plan = ExposurePlan { time, campaign, placement: None, creative: None, kind: None, ..exposure_plan() };
    Ok(of_file(&plan, file)?.0)
}

/// Loads the columns `email`, `at`, `audience` and `value` of a file as conversions, `price` being in place of their value where
/// that will not do, and `viewable` an attribute.
pub fn as_conversions(file: Vec<u8>) -> Result<Load, LoadFault> {
    let plan = |value: &str| ConversionPlan {
        time: "at".into(),
        kind: "audience".into(),
        value: Some(value.into()),
        deduplication_key: Some("loyalty".into()),
        currency: None,
        attributes: vec!["viewable".into()],
        ..conversion_plan()
    };
    let found = of_file(&plan("value"), file.clone()).or_else(|_| of_file(&plan("price"), file));
    Ok(found?.0)
}

/// Loads columns, and CSV with what they should read as.
fn alike(plan: &dyn Loads, what: &str, columns: Columns, table: &Table) -> Load {
    let found = of_file(plan, written(columns, WriterProperties::default())).unwrap();
    let expected = of_file(plan, csv(table).into_bytes()).unwrap();
    assert_eq!((&found.0, &found.1), (&expected.0, &expected.1), "{what}");
    assert!(found.2 == expected.2, "{what}: the stored files differ");
    found.0
}

fn csv(table: &Table) -> String {
    let header: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let row = |row: usize| table.iter().map(|(_, texts)| texts[row].as_str()).collect::<Vec<_>>().join(",") + "\n";
    header.join(",") + "\n" + &(0..table[0].1.len()).map(row).collect::<String>()
}

/// The columns of a table as text, empty ones as missing values, but for one.
fn columns(table: &Table, other: &str, array: &ArrayRef) -> Columns {
    let text = |texts: &Vec<String>| -> ArrayRef {
        Arc::new(texts.iter().map(|text| Some(text).filter(|text| !text.is_empty())).collect::<StringArray>())
    };
    let column =
        |(name, texts): &(&'static str, Vec<String>)| (*name, if *name == other { array.clone() } else { text(texts) });
    table.iter().map(column).collect()
}

/// A table of which one column has other texts.
fn with(table: &Table, other: &str, texts: &[&str]) -> Table {
    let mut table = table.clone();
    let (_, column) = table.iter_mut().find(|(name, _)| *name == other).unwrap();
    *column = texts.iter().map(|text| (*text).to_owned()).collect();
    table
}

fn table(columns: &[(&'static str, [&str; 4])]) -> Table {
    columns.iter().map(|(name, texts)| (*name, texts.iter().map(|text| (*text).to_owned()).collect())).collect()
}

fn emails() -> Vec<Mapping> {
    vec![mapping("email", "hashed_email", Form::HashedEmail, Take::Transform)]
}

fn exposure_plan() -> ExposurePlan {
    ExposurePlan {
        delimiter: b',',
        identities: emails(),
        key_type: None,
        time: "time".into(),
        time_form: TimeForm::Written { zone: None },
        campaign: "campaign".into(),
        campaigns: None,
        placement: Some("placement".into()),
        creative: Some("creative".into()),
        cost: Some("cost".into()),
        viewable: Some("viewable".into()),
        kind: Some("kind".into()),
        any_spelling: false,
        memory: DEFAULT_MEMORY,
    }
}

fn conversion_plan() -> ConversionPlan {
    ConversionPlan {
        delimiter: b',',
        identities: emails(),
        key_type: None,
        time: "time".into(),
        time_form: TimeForm::Written { zone: None },
        kind: "type".into(),
        value: Some("value".into()),
        currency: Some("currency".into()),
        deduplication_key: Some("order".into()),
        attributes: vec!["shop".into(), "first".into()],
        any_spelling: false,
        memory: DEFAULT_MEMORY,
    }
}

const EMAILS: [&str; 4] = ["ann@example.com", "bob@example.com", "ann@example.com", "nobody"];
const TIMES: [&str; 4] =
    ["2026-03-02T10:00:00Z", "2026-03-01T10:00:00.250000Z", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"];

fn exposures() -> Table {
    table(&[
        ("email", EMAILS),
        ("time", TIMES),
        ("campaign", ["spring", "winter", "spring", "spring"]),
        ("placement", ["home", "", "sports", "home"]),
        ("creative", ["spot", "spot", "", "spot"]),
        ("cost", ["0.25", "", "1", "3"]),
        ("viewable", ["true", "", "false", "true"]),
        ("kind", ["view", "click", "", "view"]),
    ])
}

fn conversions() -> Table {
    table(&[
        ("email", EMAILS),
        ("time", TIMES),
        ("type", ["purchase", "visit", "purchase", "purchase"]),
        ("value", ["12.5", "", "-3", "1"]),
        ("currency", ["EUR", "", "eur", "EUR"]),
        ("order", ["1", "2", "1", "4"]),
        ("shop", ["Berlin", "", "Paris", "Paris"]),
        ("first", ["true", "false", "", "true"]),
    ])
}

fn millis() -> Vec<i64> {
    TIMES.iter().map(|time| chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis()).collect()
}

fn micros() -> TimestampMicrosecondArray {
    millis().into_iter().map(|millis| millis * 1_000).collect::<Vec<_>>().into()
}

#[test]
fn every_type_of_an_exposures_column_is_what_it_is_in_csv() {
    let decimals = |unscaled: [Option<i128>; 4], precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(unscaled.to_vec()).with_precision_and_scale(precision, scale).unwrap())
    };
    let e18 = |numbers: [Option<i128>; 4], scale: u32| numbers.map(|n| Some(n? * 10_i128.pow(scale)));
    let nanos: Vec<i64> = millis().into_iter().map(|millis| millis * 1_000_000 + 999).collect();
    let some = TimestampMillisecondArray::from(vec![Some(1_772_359_200_000), None, Some(0), Some(4_102_444_800_000)]);
    let some_written = ["2026-03-01T10:00:00Z", "", "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];
    let cost = ["0.25", "", "1", "3"];
    let cases: Vec<(&str, ArrayRef, &[&str])> = vec![
        ("time", Arc::new(TimestampMillisecondArray::from(millis()).with_timezone("UTC")), &TIMES),
        ("time", Arc::new(micros().with_timezone("+02:00")), &TIMES),
        ("time", Arc::new(TimestampNanosecondArray::from(nanos).with_timezone("UTC")), &TIMES),
        ("time", Arc::new(some.with_timezone("UTC")), &some_written),
        ("cost", decimals([Some(25), None, Some(100), Some(300)], 9, 2), &cost),
        ("cost", decimals([Some(2_500), None, Some(10_000), Some(30_000)], 18, 4), &cost),
        ("cost", decimals(e18([Some(25), None, Some(100), Some(300)], 16), 38, 18), &cost),
        (
            "cost",
            decimals([Some(-1), None, Some(1), Some(10_i128.pow(24))], 38, 8),
            &["-0.00000001", "", "0.00000001", "10000000000000000"],
        ),
        ("cost", Arc::new(Float64Array::from(vec![Some(0.25), None, Some(1.0), Some(3.0)])), &cost),
        (
            "cost",
            Arc::new(Float64Array::from(vec![0.1 + 0.2, f64::NAN, f64::INFINITY, -0.0])),
            &["0.3", "NaN", "99999999999", "0"],
        ),
        (
            "cost",
            Arc::new(Float32Array::from(vec![0.1, 16_777.77, -2.0, 1e30])),
            &["0.1", "16777.77", "-2", "99999999999"],
        ),
        (
            "cost",
            Arc::new(Int32Array::from(vec![Some(1), None, Some(-2), Some(i32::MAX)])),
            &["1", "", "-2", "2147483647"],
        ),
        (
            "viewable",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])),
            &["true", "", "false", "true"],
        ),
        ("viewable", Arc::new(Int8Array::from(vec![Some(1), None, Some(0), Some(2)])), &["1", "", "0", "2"]),
        ("placement", Arc::new(Int64Array::from(vec![Some(17), None, Some(-3), Some(0)])), &["17", "", "-3", "0"]),
        ("campaign", Arc::new(UInt32Array::from(vec![u32::MAX, 0, 1, 1])), &["4294967295", "0", "1", "1"]),
        (
            "creative",
            Arc::new(BinaryArray::from(vec![&b"spot"[..], b" spot ", b"Spot", b""])),
            &["spot", " spot ", "Spot", ""],
        ),
        (
            "kind",
            Arc::new(["view", "click", "glance", "view"].into_iter().collect::<DictionaryArray<Int32Keys>>()),
            &["view", "click", "glance", "view"],
        ),
    ];
    for (column, array, texts) in cases {
        let what = format!("{column}: {:?} as {texts:?}", array.data_type());
        let table = exposures();
        alike(&exposure_plan(), &what, columns(&table, column, &array), &with(&table, column, texts));
    }
}

#[test]
fn every_type_of_a_conversions_column_is_what_it_is_in_csv() {
    let value = Decimal128Array::from(vec![Some(1_250), None, Some(-300), Some(100)]);
    let cases: Vec<(&str, ArrayRef, &[&str])> = vec![
        ("time", Arc::new(micros().with_timezone("UTC")), &TIMES),
        ("value", Arc::new(value.with_precision_and_scale(38, 2).unwrap()), &["12.5", "", "-3", "1"]),
        (
            "value",
            Arc::new(Float64Array::from(vec![Some(12.5), None, Some(-3.0), Some(1.0)])),
            &["12.5", "", "-3", "1"],
        ),
        (
            "value",
            Arc::new(Int64Array::from(vec![Some(12), None, Some(-3), Some(i64::MAX)])),
            &["12", "", "-3", "9223372036854775807"],
        ),
        ("order", Arc::new(Int64Array::from(vec![Some(7), None, Some(7), Some(8)])), &["7", "", "7", "8"]),
        (
            "first",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
            &["true", "false", "", "true"],
        ),
        ("shop", Arc::new(Int32Array::from(vec![Some(1), None, Some(-1), Some(2)])), &["1", "", "-1", "2"]),
        ("type", Arc::new(BinaryArray::from(vec![&b"a"[..], b"b", b"", b"a"])), &["a", "b", "", "a"]),
    ];
    for (column, array, texts) in cases {
        let what = format!("{column}: {:?} as {texts:?}", array.data_type());
        let table = conversions();
        let load = alike(&conversion_plan(), &what, columns(&table, column, &array), &with(&table, column, texts));
        assert!(load.accepted_rows > 0, "{what}");
    }
}

#[test]
fn local_times_need_a_zone_as_in_csv() {
    let local = TIMES.map(|time| time.trim_end_matches('Z'));
    let (table, array): (Table, ArrayRef) = (with(&exposures(), "time", &local), Arc::new(micros()));
    let none = alike(&exposure_plan(), "no zone", columns(&table, "time", &array), &table);
    assert_eq!((none.accepted_rows, none.faults.listed[0].fault.name()), (0, "TIME_WITHOUT_ZONE"));
    let zone = FixedOffset::east_opt(3_600);
    let plan = ExposurePlan { time_form: TimeForm::Written { zone }, ..exposure_plan() };
    let berlin = alike(&plan, "a zone", columns(&table, "time", &array), &table);
    assert_eq!(berlin.first.unwrap().to_rfc3339(), "2026-03-01T09:00:00+00:00");
    // Instants need none, and it changes nothing.
    let array: ArrayRef = Arc::new(micros().with_timezone("UTC"));
    let instants = alike(&plan, "instants", columns(&exposures(), "time", &array), &exposures());
    assert_eq!(instants.first.unwrap().to_rfc3339(), "2026-03-01T10:00:00+00:00");
}

/// Digests as bytes, seconds as numbers, and names of columns that every file spells in its own way.
#[test]
fn files_of_admap_are_read_whatever_the_spelling() {
    let digests = ["ann@example.com", "bob@example.com", "ann@example.com"].map(Sha256::digest);
    let plan = ConversionPlan {
        identities: vec![mapping("ADMAP ID", "hashed_email", Form::HashedEmail, Take::AsHashed)],
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
    let columns = |names: [&'static str; 6]| -> Columns {
        let arrays: [ArrayRef; 6] = [
            Arc::new(StringArray::from(vec!["email", "email", "cookie"])),
            Arc::new(BinaryArray::from_iter_values(digests)),
            Arc::new(Int64Array::from(vec![1_714_933_914, 1_714_933_915, 1_714_933_916])),
            Arc::new(StringArray::from(vec!["Purchase"; 3])),
            Arc::new(Float64Array::from(vec![50.0, 0.1, 1.0])),
            Arc::new(StringArray::from(vec!["USD"; 3])),
        ];
        names.into_iter().zip(arrays).collect()
    };
    for names in [
        ["Key Type", "ADMAP ID", "Timestamp", "Event Name", "Event Revenue", "Event Currency"],
        ["key_type", "admap_id", "timestamp", "event_name", "event-revenue", "EVENT CURRENCY"],
    ] {
        let rows = [("email", 4, "50.0"), ("email", 5, "0.1"), ("cookie", 6, "1")];
        let texts = (0..6).map(|column| {
            let text = |(row, (key_type, second, revenue)): (usize, (&str, i32, &str))| match column {
                0 => key_type.to_owned(),
                1 => hex::encode(digests[row]),
                2 => format!("171493391{second}"),
                3 => "Purchase".to_owned(),
                4 => revenue.to_owned(),
                _ => "USD".to_owned(),
            };
            (names[column], rows.into_iter().enumerate().map(text).collect())
        });
        let load = alike(&plan, names[0], columns(names), &texts.collect());
        assert_eq!(load.accepted_rows, 2);
        // What nobody asks for may be anything.
        let mut list = ListBuilder::new(Int32Builder::new());
        (0..3).for_each(|_| list.append_null());
        let nested: Columns =
            [("Space ID", Arc::new(list.finish()) as ArrayRef)].into_iter().chain(columns(names)).collect();
        assert_eq!(of_file(&plan, written(nested, WriterProperties::default())).unwrap().0.accepted_rows, 2);
    }
    let names = ["key_type", "admap_id", "timestamp", "event_name", "event_revenue", "event_currency"];
    let few: Columns = columns(names).into_iter().take(4).collect();
    assert_eq!(of_file(&plan, written(few, WriterProperties::default())).unwrap().0.accepted_rows, 2);
    let few: Columns = columns(names).into_iter().skip(1).collect();
    let refused = of_file(&plan, written(few, WriterProperties::default())).unwrap_err();
    assert_eq!(refused.to_string(), "there is no column \"Key Type\"");
    // A column that the first of several files does without is not left out of the others.
    let file = |count: usize| written(columns(names).into_iter().take(count).collect(), WriterProperties::default());
    let csv = |count: usize| (names[..count].join(",") + "\n").into_bytes();
    for files in [[file(4), file(6)], [file(6), file(4)], [file(4), csv(6)], [csv(4), file(6)], [csv(4), csv(6)]] {
        let refused = of_parts(&plan, files).unwrap_err();
        assert!(matches!(refused.name(), "OTHER_COLUMNS" | "MISSING_COLUMN"), "{refused}");
        assert!(refused.to_string().starts_with("file 2: "), "{refused}");
    }
}

#[test]
fn what_a_column_cannot_be_is_refused_by_name_and_type() {
    let mut list = ListBuilder::new(Int32Builder::new());
    (0..4).for_each(|_| list.append_null());
    let wide = Decimal256Array::from(vec![i256::ONE; 4]).with_precision_and_scale(76, 2).unwrap();
    let (numbers, truths, days): (ArrayRef, ArrayRef, ArrayRef) = (
        Arc::new(Int64Array::from(vec![1; 4])),
        Arc::new(BooleanArray::from(vec![true; 4])),
        Arc::new(Date32Array::from(vec![1; 4])),
    );
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 4]));
    let stamps: ArrayRef = Arc::new(micros().with_timezone("UTC"));
    let cases: Vec<(&str, &ArrayRef, &str)> = vec![
        ("time", &numbers, "holds whole numbers, which cannot be read as times"),
        ("time", &days, "holds days, which cannot be read as times"),
        ("time", &floats, "holds floating-point numbers, which cannot be read as times"),
        ("cost", &truths, "holds truth values, which cannot be read as decimal numbers"),
        ("cost", &stamps, "holds timestamps, which cannot be read as decimal numbers"),
        ("viewable", &floats, "holds floating-point numbers, which cannot be read as yes or no"),
        ("campaign", &truths, "holds truth values, which cannot be read as text"),
        ("placement", &days, "holds days, which cannot be read as text"),
        ("email", &numbers, "holds whole numbers, which cannot be read as e-mail addresses"),
    ];
    let refused =
        |plan: &dyn Loads, columns: Columns| of_file(plan, written(columns, WriterProperties::default())).unwrap_err();
    for (column, array, told) in cases {
        let fault = refused(&exposure_plan(), columns(&exposures(), column, array));
        assert_eq!((fault.name(), fault.to_string()), ("COLUMN_TYPE", format!("column {column:?} {told}")));
    }
    let nested: ArrayRef = Arc::new(list.finish());
    assert_eq!(refused(&exposure_plan(), columns(&exposures(), "creative", &nested)).name(), "COLUMN_NESTED");
    let fault = refused(&conversion_plan(), columns(&conversions(), "value", &(Arc::new(wide) as ArrayRef)));
    let told = "column \"value\" holds decimal numbers of more than 38 digits, which cannot be read as decimal numbers";
    assert_eq!(fault.to_string(), told);
    let seconds = ExposurePlan { time_form: TimeForm::EpochSeconds, ..exposure_plan() };
    let fault = refused(&seconds, columns(&exposures(), "time", &stamps));
    assert_eq!(fault.to_string(), "column \"time\" holds timestamps, which cannot be read as seconds since 1970");
    // What a column is wanted as twice has to suit both.
    let twice = ConversionPlan { deduplication_key: Some("first".into()), ..conversion_plan() };
    let fault = refused(&twice, columns(&conversions(), "first", &truths));
    assert_eq!(fault.to_string(), "column \"first\" holds truth values, which cannot be read as text");
}

#[test]
fn damaged_files_are_refused_and_leave_nothing() {
    let array: ArrayRef = Arc::new(micros().with_timezone("UTC"));
    let whole = written(columns(&exposures(), "time", &array), WriterProperties::default());
    let mut flipped = whole.clone();
    flipped[4..60].fill(0xff);
    let empty = exposures().into_iter().map(|(name, _)| (name, Arc::new(StringArray::from(Vec::<&str>::new())) as _));
    for (file, name) in [
        (b"PAR1".to_vec(), "PARQUET_CUT_SHORT"),
        (whole[..whole.len() / 2].to_vec(), "PARQUET_CUT_SHORT"),
        (b"PARE\0\0\0\0PARE".to_vec(), "PARQUET_ENCRYPTED"),
        (flipped, "PARQUET_DAMAGED"),
        (written(empty.collect(), WriterProperties::default()), "NO_ROWS"),
        (written(columns(&exposures(), "time", &array)[1..].to_vec(), WriterProperties::default()), "MISSING_COLUMN"),
    ] {
        assert_eq!(of_file(&exposure_plan(), file).unwrap_err().name(), name);
    }
}

#[test]
fn parts_of_both_formats_are_one_file() {
    let array: ArrayRef = Arc::new(micros().with_timezone("UTC"));
    // Nobody maps the first.
    let note = |text: &str| ("note", vec![text.to_owned(); 4]);
    let noted = |text: &str| -> Table { [note(text)].into_iter().chain(exposures()).collect() };
    let parquet = || written(columns(&noted("x"), "time", &array), WriterProperties::default());
    let csv = csv(&noted("y"));
    let rows = csv.split_once('\n').unwrap().1;
    let expected = of_file(&exposure_plan(), (csv.clone() + rows + rows).into_bytes()).unwrap();
    let read = |files: Vec<Vec<u8>>| of_parts(&exposure_plan(), files);
    let csv = || csv.clone().into_bytes();
    for files in [
        vec![parquet(), parquet(), parquet()],
        vec![parquet(), csv(), parquet()],
        vec![csv(), parquet(), csv()],
        vec![csv(), parquet(), parquet()],
    ] {
        let found = read(files).unwrap();
        assert_eq!((found.0.rows, found.0.accepted_rows, &found.1), (12, 9, &expected.1));
        let faults: Vec<_> = found.0.faults.listed.iter().map(|fault| (fault.row, fault.fault)).collect();
        let told: Vec<_> = expected.0.faults.listed.iter().map(|fault| (fault.row, fault.fault)).collect();
        assert_eq!(faults, told);
        assert_eq!(found.0.columns[found.0.faults.listed[4].column.unwrap()], "email");
        assert!(found.2 == expected.2, "the stored files differ");
    }
    let fault = read(vec![csv(), parquet()[..99].to_vec()]).unwrap_err();
    assert_eq!(
        (fault.name(), fault.to_string().as_str()),
        ("PARQUET_CUT_SHORT", "file 2: the Parquet file is cut short")
    );
}

/// Types that Arrow does not write: timestamps of 96 bits, decimal numbers of any length, UUIDs.
#[test]
fn what_older_writers_write_is_read_too() {
    let schema = "message events {
        REQUIRED BYTE_ARRAY email (UTF8); REQUIRED INT96 time; REQUIRED BYTE_ARRAY campaign (UTF8);
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) placement (UUID); REQUIRED BYTE_ARRAY cost (DECIMAL(20, 3)); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = |texts: [&str; 4]| texts.map(ByteArray::from);
    // Ten hours of a day, a quarter of a second and some nanoseconds more.
    let time = |day: u32, more: u64| {
        let nanos = 36_000_000_000_000 + more;
        Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day])
    };
    let times = [time(2_461_102, 0), time(2_461_101, 250_000_999), time(2_461_101, 0), time(u32::MAX, 0)];
    let uuid = FixedLenByteArray::from(hex::decode("6d92078a82464ba4ae5b76104861e7dc").unwrap());
    let costs: [&[u8]; 4] = [&[0xfa], &[0x00, 0xfa], &[0x03, 0xe8], &[0x7f; 20]];
    for column in 0..5 {
        let mut columns = group.next_column().unwrap().unwrap();
        match column {
            0 => _ = columns.typed::<ByteArrayType>().write_batch(&texts([EMAILS[0]; 4]), None, None).unwrap(),
            1 => _ = columns.typed::<Int96Type>().write_batch(&times, None, None).unwrap(),
            2 => _ = columns.typed::<ByteArrayType>().write_batch(&texts(["spring"; 4]), None, None).unwrap(),
            3 => {
                let uuids = [const { 0 }; 4].map(|_| uuid.clone());
                columns.typed::<FixedLenByteArrayType>().write_batch(&uuids, None, None).unwrap();
            }
            _ => {
                let costs = costs.map(|cost| ByteArray::from(cost.to_vec()));
                columns.typed::<ByteArrayType>().write_batch(&costs, None, None).unwrap();
            }
        }
        columns.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let plan = ExposurePlan { creative: None, viewable: None, kind: None, ..exposure_plan() };
    let found = of_file(&plan, file).unwrap();
    let expected = csv(&table(&[
        ("email", [EMAILS[0]; 4]),
        ("time", ["2026-03-02T10:00:00Z", "2026-03-01T10:00:00.25Z", "2026-03-01T10:00:00Z", "9999-12-31T23:59:59Z"]),
        ("campaign", ["spring"; 4]),
        ("placement", ["6d92078a-8246-4ba4-ae5b-76104861e7dc"; 4]),
        ("cost", ["-0.006", "0.25", "1", "-"]),
    ]));
    let expected = of_file(&plan, expected.into_bytes()).unwrap();
    assert_eq!((&found.0, &found.1), (&expected.0, &expected.1));
    assert!(found.2 == expected.2, "the stored files differ");
    let faults: Vec<_> = found.0.faults.listed.iter().map(|fault| fault.fault.name()).collect();
    assert_eq!(faults, ["COST_NEGATIVE", "TIME_OUT_OF_RANGE"]);
}
