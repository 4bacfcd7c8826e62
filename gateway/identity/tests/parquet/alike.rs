//! The same rows give the same run, byte by byte, whichever way they are written.

use crate::files::{Columns, mapping, plan, sourced, sourced_csv, written};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BinaryViewArray, DictionaryArray, Float64Array, Int64Array, LargeBinaryArray,
    LargeStringArray, StringArray, StringViewArray,
};
use entente_identity::normalise::{Form, Region, Take};
use entente_identity::source::SourcePlan;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use std::sync::Arc;

const ROWS: usize = 5_000;

/// E-mail, phone, loyalty number and audience; each but the audience may be missing, some are wrong.
type PersonRow = (Option<String>, Option<String>, Option<i64>, String);
/// Makes an array of one kind of texts.
type Texts = fn(Vec<Option<&str>>) -> ArrayRef;

fn rows() -> Vec<PersonRow> {
    let row = |i: usize| {
        let email = match i % 17 {
            3 => None,
            5 => Some("nobody".to_owned()),
            7 => Some(format!(" Person{}@Example.COM ", i / 2)),
            _ => Some(format!("person{}@example.com", i / 2)),
        };
        let phone = i.is_multiple_of(3).then(|| format!("+1 202 555 {:04}", i % 2_000));
        let audience = if i == 40 { String::new() } else { format!("Audience {}", i % 7) };
        (email, phone, (i % 4 == 1).then_some(i as i64 * 1_000_003), audience)
    };
    (0..ROWS).map(row).collect()
}

fn both_plan() -> SourcePlan {
    let phone = Form::HashedPhone { region: Some(Region::US) };
    plan(
        vec![
            mapping("email", "hashed_email", Form::HashedEmail, Take::Transform),
            mapping("phone", "hashed_phone", phone, Take::Transform),
            mapping("loyalty", "loyalty_id", Form::LoyaltyId, Take::Transform),
        ],
        Some("audience"),
    )
}

fn csv() -> String {
    let line = |(email, phone, loyalty, audience): &PersonRow| {
        let loyalty = loyalty.map_or_else(String::new, |number| number.to_string());
        format!("{},{},{loyalty},{audience}\n", email.as_deref().unwrap_or(""), phone.as_deref().unwrap_or(""))
    };
    "email,phone,loyalty,audience\n".to_owned() + &rows().iter().map(line).collect::<String>()
}

/// The columns, with texts in the arrays that `texts` makes, between others that nobody maps.
fn columns(texts: Texts) -> Columns {
    let rows = rows();
    let column = |of: fn(&PersonRow) -> Option<&str>| texts(rows.iter().map(of).collect());
    vec![
        ("score", Arc::new(Float64Array::from_iter_values((0..ROWS).map(|i| i as f64)))),
        ("email", column(|row| row.0.as_deref())),
        ("phone", column(|row| row.1.as_deref())),
        ("loyalty", Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>())),
        ("note", column(|row| Some(&row.3))),
        ("audience", column(|row| Some(&row.3))),
    ]
}

const ARRAYS: [(&str, Texts); 7] = [
    ("Utf8", |texts| Arc::new(StringArray::from(texts))),
    ("LargeUtf8", |texts| Arc::new(LargeStringArray::from(texts))),
    ("Utf8View", |texts| Arc::new(StringViewArray::from_iter(texts))),
    ("Dictionary", |texts| Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>())),
    ("Binary", |texts| Arc::new(texts.into_iter().map(|text| text.map(str::as_bytes)).collect::<BinaryArray>())),
    ("LargeBinary", |texts| Arc::new(texts.into_iter().map(|t| t.map(str::as_bytes)).collect::<LargeBinaryArray>())),
    ("BinaryView", |texts| Arc::new(texts.into_iter().map(|t| t.map(str::as_bytes)).collect::<BinaryViewArray>())),
];

pub fn shapes() -> Vec<(&'static str, WriterProperties)> {
    let zstd = || Compression::ZSTD(ZstdLevel::default());
    let plain = |builder: WriterPropertiesBuilder| builder.set_dictionary_enabled(false);
    let new = WriterProperties::builder;
    let second = || new().set_writer_version(WriterVersion::PARQUET_2_0);
    let shapes = [
        ("as it comes", new()),
        ("snappy", new().set_compression(Compression::SNAPPY)),
        ("zstd", new().set_compression(zstd())),
        ("plain", plain(new())),
        ("plain and snappy", plain(new()).set_compression(Compression::SNAPPY)),
        ("second version", second()),
        ("second version, zstd", second().set_compression(zstd())),
        ("second version, deltas", plain(second())),
        ("second version, deltas and snappy", plain(second()).set_compression(Compression::SNAPPY)),
        ("lengths as deltas", plain(second()).set_column_encoding("email".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)),
        ("numbers split by bytes", plain(new()).set_column_encoding("loyalty".into(), Encoding::BYTE_STREAM_SPLIT)),
        ("a small dictionary", new().set_dictionary_page_size_limit(1_000)),
        ("small pages", new().set_data_page_row_count_limit(37).set_write_batch_size(8)),
        ("small row groups", new().set_max_row_group_row_count(Some(700))),
        ("bloom filters", new().set_bloom_filter_enabled(true).set_max_row_group_row_count(Some(900))),
        (
            "statistics in pages",
            new().set_statistics_enabled(EnabledStatistics::Page).set_write_page_header_statistics(true),
        ),
        ("no statistics", new().set_statistics_enabled(EnabledStatistics::None).set_offset_index_disabled(true)),
    ];
    shapes.into_iter().map(|(what, builder)| (what, builder.build())).collect()
}

#[test]
fn a_run_does_not_show_what_its_file_was() {
    let expected = sourced_csv(&both_plan(), &csv());
    assert!(expected.0.faults.total() > 500);
    for (array, texts) in ARRAYS {
        for (shape, properties) in shapes() {
            let found = sourced(&both_plan(), written(columns(texts), properties)).unwrap();
            assert_eq!(found.0, expected.0, "{array}, {shape}");
            assert!(found.1 == expected.1, "{array}, {shape}: the runs differ");
        }
    }
}
