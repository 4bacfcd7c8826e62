//! What a preview of a Parquet file shows, and how little it reads.

use crate::files::{Columns, written};
use arrow_array::builder::{FixedSizeBinaryBuilder, Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMillisecondArray, UInt64Array,
};
use entente_identity::random_access::RandomAccess;
use entente_identity::source::{ColumnType, SourceFault, preview};
use parquet::file::properties::WriterProperties;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn file(columns: Columns) -> Arc<Vec<u8>> {
    Arc::new(written(columns, WriterProperties::default()))
}

#[test]
fn identifiers_are_hidden_and_types_are_told() {
    let mut digest = FixedSizeBinaryBuilder::new(32);
    digest.append_value([0xe3; 32]).unwrap();
    digest.append_value([0x11; 32]).unwrap();
    let mut tags = ListBuilder::new(Int32Builder::new());
    tags.append_value([Some(1)]);
    tags.append_null();
    let columns: Columns = vec![
        ("email", Arc::new(StringArray::from(vec![Some("alice@example.com"), None]))),
        ("audience", Arc::new(StringArray::from(vec!["Runners", "alice@example.com"]))),
        ("score", Arc::new(Float64Array::from(vec![1.5, -2.0]))),
        ("seen", Arc::new(Date32Array::from(vec![20_484, -1]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![1_769_853_600_500, 0]))),
        ("cost", Arc::new(Decimal128Array::from(vec![1_250, -5]).with_precision_and_scale(9, 2).unwrap())),
        ("active", Arc::new(BooleanArray::from(vec![true, false]))),
        ("rank", Arc::new(Int64Array::from(vec![Some(-17), None]))),
        ("customer no", Arc::new(UInt64Array::from(vec![17, u64::MAX]))),
        ("digests", Arc::new(digest.finish())),
        ("tags", Arc::new(tags.finish())),
        ("empty", Arc::new(StringArray::from(vec![None::<&str>, None]))),
    ];
    let preview = preview(file(columns), None).unwrap();
    assert_eq!((preview.delimiter, preview.estimated_rows), (None, 2));
    let types: Vec<_> = preview.columns.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
    assert_eq!(
        types,
        [
            ("email", ColumnType::Email),
            ("audience", ColumnType::Text),
            ("score", ColumnType::Decimal),
            ("seen", ColumnType::Date),
            ("at", ColumnType::Timestamp),
            ("cost", ColumnType::Decimal),
            ("active", ColumnType::Boolean),
            ("rank", ColumnType::Integer),
            ("customer no", ColumnType::Integer),
            ("digests", ColumnType::Digest),
            ("tags", ColumnType::Nested),
            ("empty", ColumnType::Empty),
        ]
    );
    let at = "2026-01-31T10:00:00.500000";
    assert_eq!(
        preview.rows[0],
        ["***", "Runners", "1.5", "2026-01-31", at, "12.5", "true", "-17", "***", "***", "", ""]
    );
    let at = "1970-01-01T00:00:00";
    assert_eq!(preview.rows[1], ["", "***", "-2", "1969-12-31", at, "-0.05", "false", "", "***", "***", "", ""]);
    assert_eq!(preview.rows.len(), 2);
}

/// Counts what is read of a file.
struct Counting(Vec<u8>, AtomicU64);

impl RandomAccess for Counting {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_part(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.1.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.0.read_part(offset, out)
    }
}

#[test]
fn a_preview_reads_little_and_knows_the_rows() {
    let texts = |column: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            (0..100_000u64).map(|i| format!("{:x}", i.wrapping_mul(0x9E37_79B9_7F4A_7C15) + column as u64)),
        ))
    };
    let names: Vec<&'static str> = vec!["a", "b", "c", "d", "e", "f"];
    let columns = names.iter().enumerate().map(|(i, name)| (*name, texts(i))).collect();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_data_page_size_limit(64 << 10);
    let properties = properties.build();
    let counted = Arc::new(Counting(written(columns, properties), AtomicU64::new(0)));
    let preview = preview(counted.clone(), None).unwrap();
    assert_eq!((preview.estimated_rows, preview.rows.len()), (100_000, 10));
    let (read, size) = (counted.1.load(Ordering::Relaxed), counted.0.len() as u64);
    assert!(read < size / 3, "{read} bytes of {size}");
}

#[test]
fn what_takes_too_much_is_shown_without_values() {
    let long = "x".repeat(9 << 20);
    let column = || -> ArrayRef { Arc::new(StringArray::from(vec![long.as_str()])) };
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let file = written(vec![("a", column()), ("b", column()), ("c", column())], properties);
    let preview = preview(Arc::new(file), None).unwrap();
    assert_eq!(preview.rows, [["x".repeat(100), String::new(), String::new()]]);
}

#[test]
fn bad_files_are_refused_like_in_sourcing() {
    let whole = file(vec![("email", Arc::new(StringArray::from(vec!["a@b.cd"])))]);
    let name = |file: Vec<u8>| preview(Arc::new(file), None).unwrap_err().name();
    assert_eq!(name(whole[..whole.len() - 1].to_vec()), "PARQUET_CUT_SHORT");
    assert_eq!(name(b"PAR1\0\0\0\0PAR1".to_vec()), "PARQUET_DAMAGED");
    assert_eq!(name(b"PK\x03\x04".to_vec()), "NOT_CSV");
    let empty = file(vec![("email", Arc::new(StringArray::from(Vec::<&str>::new())))]);
    assert!(matches!(preview(empty, None), Err(SourceFault::NoRows)));
    // CSV is still previewed as CSV.
    assert_eq!(preview(Arc::new(b"a;b\n1;2\n".to_vec()), None).unwrap().delimiter, Some(b';'));
}
