#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::chunk::Column;
use super::columns::{Flags, Integers};
use super::texts::TextRows;
use super::*;
use crate::measure::load::{Packed, Repeating};
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, Int64Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

/// What a row has beside its identity and time: texts that have to be there or not, an integer, whether something is so.
type Values = (usize, Option<usize>, Option<i64>, Option<bool>);

/// Texts with a number; others are carried along.
const NUMBERED: usize = 3;

struct AllKinds {
    rows: vec::IntoIter<Values>,
    texts: [TextRows; 2],
    integers: Integers,
    flags: Flags,
}

fn text(number: usize) -> String {
    "text ".repeat(number % 5) + &number.to_string()
}

impl AllKinds {
    fn new(rows: Vec<Values>) -> Self {
        let numbered = Arc::new((0..NUMBERED).map(text).collect::<Vec<_>>());
        let texts = [(); 2].map(|()| TextRows::new(numbered.clone(), 0));
        Self { rows: rows.into_iter(), texts, integers: Integers::new(0), flags: Flags::new(0) }
    }
}

impl Rows for AllKinds {
    fn schema(&self) -> SchemaRef {
        schema([
            Field::new("text", text_type(), false),
            Field::new("text or none", text_type(), true),
            Field::new("integer", DataType::Int64, true),
            Field::new("flag", DataType::Boolean, true),
        ])
    }

    fn append(&mut self, _: &[u8]) -> bool {
        let (first, second, integer, flag) = self.rows.next().unwrap();
        for (texts, number) in self.texts.iter_mut().zip([Some(first), second]) {
            let text = number.map(text);
            let appended = texts.append(match (number, &text) {
                (Some(number), _) if number < NUMBERED => Repeating::Number(number as u32),
                (_, Some(text)) => Repeating::Text(text),
                _ => Repeating::Absent,
            });
            assert!(appended);
        }
        self.integers.append(integer);
        self.flags.append(flag);
        true
    }

    fn columns(self) -> Vec<Column> {
        let [first, second] = self.texts.map(TextRows::finish);
        vec![first, second, self.integers.finish(), self.flags.finish()]
    }
}

type Row = (u64, i64, Values);

/// Row groups as a file, and what reads it.
fn written(groups: &[Vec<Row>]) -> (File, WrittenKey) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let (mut file, encoder) = KeyFile::create(&path, AllKinds::new(vec![]).schema()).unwrap();
    for group in groups {
        let mut rows = encoder.group(AllKinds::new(group.iter().map(|row| row.2).collect()), 0);
        group.iter().for_each(|(key, time, _)| rows.append(*key, *time, &[]).unwrap());
        file.append(rows.finish().unwrap()).unwrap();
    }
    let written = file.finish().unwrap();
    (File::open(path).unwrap(), written)
}

/// A row with its texts.
type ReadRow = (u64, i64, [Option<String>; 2], Option<i64>, Option<bool>);

/// What the crate `parquet` reads.
fn read(file: File, range: KeyRange) -> Vec<ReadRow> {
    let mut batches = Batches::open(file, range).unwrap();
    let mut all = Vec::new();
    while let Some(batch) = batches.next().unwrap() {
        let texts = ["text", "text or none"].map(|name| Texts::of(&batch, name).unwrap());
        let integers = column(&batch, "integer").unwrap().as_primitive::<Int64Type>();
        let flags = column(&batch, "flag").unwrap().as_boolean();
        let (keys, times) = (keys(&batch).unwrap(), times(&batch).unwrap());
        all.extend((0..batch.num_rows()).map(|row| {
            let texts = texts.each_ref().map(|texts| texts.text(row).map(str::to_owned));
            let integer = integers.is_valid(row).then(|| integers.value(row));
            let flag = flags.is_valid(row).then(|| flags.value(row));
            (keys.value(row), times.value(row), texts, integer, flag)
        }));
    }
    all
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let integer = prop_oneof![any::<i64>(), 0..1_000_i64, Just(7)];
    // All of a column may be absent, or none.
    (any::<bool>(), any::<bool>(), 1_usize..2_000, 1_u64..400).prop_flat_map(move |(all, none, texts, identities)| {
        let maybe = move |value: bool| (value || all) && !none;
        let integer = (any::<bool>(), integer.clone());
        let values = (0..texts, (any::<bool>(), 0..texts), integer, (any::<bool>(), any::<bool>()));
        let row =
            (0..identities, any::<i64>(), values).prop_map(move |(identity, time, (first, second, third, fourth))| {
                let key = identity.wrapping_mul(u64::MAX / identities);
                let second = maybe(second.0).then_some(second.1);
                (key, time, (first, second, maybe(third.0).then_some(third.1), maybe(fourth.0).then_some(fourth.1)))
            });
        prop::collection::vec(row, 0..1_500)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_what_is_read(mut rows in rows(), parts in 1_usize..4) {
        rows.sort_by_key(|(key, time, _)| (*key, *time));
        let groups: Vec<Vec<Row>> = rows.chunks(rows.len() / parts + 1).map(<[Row]>::to_vec).collect();
        let (file, written) = written(&groups);
        let mut identities: Vec<u64> = rows.iter().map(|row| row.0).collect();
        identities.dedup();
        prop_assert_eq!(written, WrittenKey { events: rows.len() as u64, identities: identities.len() as u64 });
        let expected: Vec<_> = rows
            .iter()
            .map(|(key, time, (first, second, integer, flag))| {
                (*key, *time, [Some(text(*first)), second.map(text)], *integer, *flag)
            })
            .collect();
        prop_assert_eq!(&read(file.try_clone().unwrap(), 0..=u64::MAX), &expected);
        let half = u64::MAX / 2;
        let of_half: Vec<_> = expected.into_iter().filter(|row| row.0 <= half).collect();
        prop_assert_eq!(read(file, 0..=half), of_half);
    }
}

#[test]
fn an_identity_with_many_events_takes_little() {
    let rows = |identities: u64| -> Vec<Row> {
        let mut rows: Vec<Row> = (0..100_000).map(|row| ((row % identities) << 40, 0, (0, None, None, None))).collect();
        rows.sort_unstable_by_key(|row| row.0);
        rows
    };
    let bytes = |identities| written(&[rows(identities)]).0.metadata().unwrap().len();
    // Eight bytes, and a run of one byte for its length and two for its number.
    assert!(bytes(10_000) - bytes(1) < 10_000 * (8 + 3) + 100, "{} {}", bytes(10_000), bytes(1));
}

/// More than two bytes can number, in runs and one by one.
#[test]
fn row_groups_may_be_large() {
    for events_of_each in [1, 5] {
        let rows: Vec<Row> = (0..70_000 * events_of_each)
            .map(|row| {
                let second = (row % 1_000 > 0).then_some(row as usize % 66_000);
                ((row / events_of_each) << 40, row as i64, (row as usize % 67_000, second, Some(row as i64), None))
            })
            .collect();
        let (file, written) = written(std::slice::from_ref(&rows));
        assert_eq!(written, WrittenKey { events: rows.len() as u64, identities: 70_000 });
        let expected = rows.into_iter().map(|(key, time, (first, second, integer, flag))| {
            (key, time, [Some(text(first)), second.map(text)], integer, flag)
        });
        assert!(read(file, 0..=u64::MAX).into_iter().eq(expected), "{events_of_each}");
    }
}

/// Threads number what they read, each for itself.
#[test]
fn a_text_with_several_numbers_is_stored_once() {
    let mut texts = TextRows::new(Arc::new(["home", "player", "home"].map(str::to_owned).to_vec()), 0);
    for text in [Repeating::Number(2), Repeating::Number(0), Repeating::Text("home"), Repeating::Number(1)] {
        assert!(texts.append(text));
    }
    assert!(!texts.append(Repeating::Number(3)), "there is none of this number");
    let dictionary = texts.finish().dictionary.unwrap();
    assert_eq!((dictionary.0.as_slice(), dictionary.1), (b"\x04\0\0\0home\x06\0\0\0player".as_slice(), 2));
}

#[test]
fn a_row_group_is_full_at_so_many_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let rows = ConversionRows::new(["shop"], 0);
    let (_, encoder) = KeyFile::create(&directory.path().join("events"), rows.schema()).unwrap();
    let mut group = encoder.group(rows, 0);
    let mut packed = Packed::default();
    packed.number(None);
    packed.text(Some("purchase"));
    packed.number(None);
    packed.text(Some(&"x".repeat(60_000)));
    let mut events = 0;
    while !group.is_full() {
        group.append(events, 1, packed.bytes()).unwrap();
        events += 1;
    }
    assert!((270..290).contains(&events), "{events}");
}

#[test]
fn a_required_value_that_is_absent_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let rows = ConversionRows::new(None, 0);
    let (_, encoder) = KeyFile::create(&directory.path().join("events"), rows.schema()).unwrap();
    let mut group = encoder.group(rows, 0);
    // No type, no value, not repeated.
    group.append(1, 1, &[0, 0, 0]).unwrap();
    assert!(group.finish().is_err());
}

#[test]
fn ranges_hold_every_identity_once() {
    for count in 1..10 {
        let ranges: Vec<KeyRange> = key_ranges(count).collect();
        assert_eq!((ranges.len(), ranges.first().map(|range| *range.start())), (count, Some(0)));
        assert_eq!(ranges.last().map(|range| *range.end()), Some(u64::MAX));
        assert!(ranges.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()));
    }
}

/// As versions before wrote them: by the crate, compressed, with dictionaries of its own.
#[test]
fn files_of_earlier_versions_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let schema = AllKinds::new(vec![]).schema();
    let properties = WriterProperties::builder()
        .set_column_dictionary_enabled("key".into(), false)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_max_row_group_row_count(Some(2_000))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema.clone(), Some(properties)).unwrap();
    let rows: Vec<ReadRow> = (0..5_000_u64)
        .map(|row| {
            let second = (row % 3 > 0).then(|| text(row as usize % 70));
            let (integer, flag) = ((row % 5 > 0).then_some(row as i64), (row % 7 > 0).then_some(row % 2 == 0));
            (row / 4, row as i64, [Some(text(row as usize % 9)), second], integer, flag)
        })
        .collect();
    for rows in rows.chunks(700) {
        let texts =
            |column: usize| -> DictionaryArray<Int32Type> { rows.iter().map(|row| row.2[column].as_deref()).collect() };
        let times: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.1)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt64Array>()),
            Arc::new(times.with_timezone("UTC")),
            Arc::new(texts(0)),
            Arc::new(texts(1)),
            Arc::new(rows.iter().map(|row| row.3).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.4).collect::<BooleanArray>()),
        ];
        writer.write(&RecordBatch::try_new(schema.clone(), columns).unwrap()).unwrap();
    }
    writer.close().unwrap();
    assert_eq!(read(File::open(&path).unwrap(), 0..=u64::MAX), rows);
    let of_some: Vec<ReadRow> = rows.into_iter().filter(|row| (300..=900).contains(&row.0)).collect();
    assert_eq!(read(File::open(path).unwrap(), 300..=900), of_some);
}
