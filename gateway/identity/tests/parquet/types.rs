//! Which types of columns can be mapped to what.

use crate::files::{Columns, mapping, plan, refused, sourced, sourced_csv, written};
use crate::handmade::{Handmade, Page, Struct};
use arrow_array::builder::{FixedSizeBinaryBuilder, Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int32Array, Int64Array, NullArray, StringArray, StructArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field};
use entente_identity::normalise::{Form, Region, Take};
use entente_identity::random_access::RandomAccess;
use entente_identity::source::{OfRow, ParquetFault, SourceFault, SourcePlan, columns};
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};
use std::sync::Arc;

fn file(columns: Columns) -> Vec<u8> {
    written(columns, WriterProperties::default())
}

fn one(form: Form, take: Take) -> SourcePlan {
    plan(vec![mapping("id", "crm_id", form, take)], None)
}

/// Sources a column as `form`, and the texts that it should read as in CSV.
fn alike(form: Form, take: Take, column: ArrayRef, texts: &[&str]) {
    let csv = format!("id,note\n{}", texts.iter().map(|text| format!("{text},\n")).collect::<String>());
    let what = format!("{:?} as {form:?}", column.data_type());
    let found = sourced(&one(form, take), file(vec![("id", column)])).unwrap();
    let expected = sourced_csv(&one(form, take), &csv);
    assert!(found.1 == expected.1, "{what}");
    assert_eq!(found.0.faults, expected.0.faults, "{what}");
    assert!(found.0.accepted_rows > 0, "{what}");
}

#[test]
fn whole_numbers_are_ids_in_decimal_digits() {
    let columns: [(ArrayRef, &[&str]); 5] = [
        (Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(42)])), &["-9223372036854775808", "", "42"]),
        (Arc::new(Int32Array::from(vec![i32::MIN, 0])), &["-2147483648", "0"]),
        (Arc::new(Int8Array::from(vec![-1, 7])), &["-1", "7"]),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), &["18446744073709551615"]),
        (Arc::new(UInt32Array::from(vec![u32::MAX, 1])), &["4294967295", "1"]),
    ];
    for (column, texts) in columns {
        for form in [Form::CrmId, Form::LoyaltyId, Form::PartnerId, Form::Ecid] {
            alike(form, Take::Transform, column.clone(), texts);
        }
    }
    let phones = Arc::new(Int64Array::from(vec![2_025_550_123]));
    alike(Form::HashedPhone { region: Some(Region::US) }, Take::Transform, phones, &["2025550123"]);
}

#[test]
fn digests_are_taken_raw_and_in_hex_digits() {
    let digests: Vec<[u8; 32]> = (0..50u8).map(|i| Sha256::digest([i]).into()).collect();
    let hex: Vec<String> = digests.iter().map(hex::encode).collect();
    let texts: Vec<&str> = hex.iter().map(String::as_str).collect();
    let mut fixed = FixedSizeBinaryBuilder::new(32);
    digests.iter().for_each(|digest| fixed.append_value(digest).unwrap());
    alike(Form::HashedEmail, Take::AsHashed, Arc::new(fixed.finish()), &texts);
    alike(Form::HashedEmail, Take::AsHashed, Arc::new(digests.iter().map(Some).collect::<BinaryArray>()), &texts);
    alike(Form::HashedEmail, Take::AsHashed, Arc::new(hex.iter().map(Some).collect::<BinaryArray>()), &texts);
    alike(Form::HashedEmail, Take::AsHashed, Arc::new(StringArray::from(texts.clone())), &texts);
    // The digest of nothing, and 32 characters that are no digest, are what they are in CSV.
    let nothing = Sha256::digest(b"");
    let faulty = [&nothing[..], b"9e107d9d372bb6826bd81d3542a419d6", &digests[0], &digests[1][..31]];
    let (found, _) = sourced(
        &one(Form::HashedEmail, Take::AsHashed),
        file(vec![("id", Arc::new(BinaryArray::from_iter_values(faulty)))]),
    )
    .unwrap();
    let faults: Vec<_> = found.faults.listed.iter().map(|fault| (fault.row, fault.fault.name())).collect();
    assert_eq!(
        faults,
        [
            (1, "DIGEST_OF_NOTHING"),
            (1, "NO_IDENTITY"),
            (2, "DIGEST_INVALID"),
            (2, "NO_IDENTITY"),
            (4, "DIGEST_INVALID"),
            (4, "NO_IDENTITY"),
        ]
    );
}

#[test]
fn what_is_not_utf8_or_missing_is_a_fault_of_its_row() {
    let column = Arc::new(BinaryArray::from_opt_vec(vec![Some(&b"\xff"[..]), Some(b"a\0b"), None, Some(b"c-1")]));
    let (found, _) = sourced(&one(Form::CrmId, Take::Transform), file(vec![("id", column)])).unwrap();
    let faults: Vec<_> = found.faults.listed.iter().map(|fault| (fault.row, fault.fault.name())).collect();
    assert_eq!(found.accepted_rows, 1);
    assert_eq!(
        faults,
        [(1, "NOT_UTF8"), (1, "NO_IDENTITY"), (2, "CONTROL_CHARACTER"), (2, "NO_IDENTITY"), (3, "NO_IDENTITY")]
    );
    let nothing = file(vec![("id", Arc::new(NullArray::new(3)))]);
    assert_eq!(sourced(&one(Form::CrmId, Take::Transform), nothing).unwrap().0.accepted_rows, 0);
}

#[test]
fn a_value_of_more_than_a_row_may_have_is_refused() {
    let long = "x".repeat((1 << 20) + 1);
    let column: ArrayRef = Arc::new(StringArray::from(vec!["c-1", &long]));
    let fault = refused(&one(Form::CrmId, Take::Transform), file(vec![("id", column)]));
    assert!(matches!(fault, SourceFault::RowTooLong { row: 2, .. }), "{fault}");
}

#[test]
fn wrong_types_are_refused_by_column_and_type() {
    let columns: [(ArrayRef, &str); 6] = [
        (Arc::new(Float64Array::from(vec![1.5])), "floating-point numbers"),
        (Arc::new(Float32Array::from(vec![1.5])), "floating-point numbers"),
        (Arc::new(BooleanArray::from(vec![true])), "truth values"),
        (Arc::new(TimestampMicrosecondArray::from(vec![1])), "timestamps"),
        (Arc::new(Date32Array::from(vec![1])), "days"),
        (Arc::new(Decimal128Array::from(vec![1]).with_precision_and_scale(9, 2).unwrap()), "decimal numbers"),
    ];
    for (column, found) in columns {
        let fault = refused(&one(Form::CrmId, Take::Transform), file(vec![("id", column)]));
        let expected = ParquetFault::ColumnType { column: "id".to_owned(), found, wanted: "ids" };
        assert!(matches!(&fault, SourceFault::Parquet(fault) if *fault == expected), "{found}: {fault}");
        assert_eq!(fault.name(), "COLUMN_TYPE");
    }
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for (form, take, wanted) in [
        (Form::HashedEmail, Take::Transform, "e-mail addresses"),
        (Form::HashedIpv4, Take::Transform, "IPv4 addresses"),
        (Form::Idfa, Take::Transform, "device ids"),
        (Form::CrmId, Take::AsHashed, "SHA-256 digests"),
    ] {
        let fault = refused(&one(form, take), file(vec![("id", numbers.clone())]));
        let message = format!("column \"id\" holds whole numbers, which cannot be read as {wanted}");
        assert_eq!(fault.to_string(), message);
    }
}

#[test]
fn uuids_are_device_ids_and_ids_but_no_addresses() {
    let uuid = "6d92078a-8246-4ba4-ae5b-76104861e7dc";
    let mut made = Handmade::pages(1, vec![Page::data(1, 0, hex::decode(uuid.replace('-', "")).unwrap())]);
    let means = Struct::new().inner(14, Struct::new());
    made.schema[1] = Struct::new().integer(1, 7).integer(2, 16).integer(3, 0).text(4, b"id").inner(10, means);
    for form in [Form::Idfa, Form::Gaid, Form::CrmId] {
        let expected = sourced_csv(&one(form, Take::Transform), &format!("id,note\n{uuid},\n"));
        assert!(sourced(&one(form, Take::Transform), made.bytes()).unwrap().1 == expected.1, "{form:?}");
    }
    let fault = refused(&one(Form::HashedEmail, Take::Transform), made.bytes());
    assert_eq!(fault.to_string(), "column \"id\" holds UUIDs, which cannot be read as e-mail addresses");
}

#[test]
fn nested_columns_are_ignored_unless_they_are_mapped() {
    let mut list = ListBuilder::new(Int32Builder::new());
    list.append_value([Some(1), None]);
    list.append_null();
    let inner: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let fields = vec![(Arc::new(Field::new("id", DataType::Utf8, false)), inner)];
    let columns = || -> Columns {
        vec![
            ("tags", Arc::new(list.finish_cloned())),
            ("person", Arc::new(StructArray::from(fields.clone()))),
            ("id", Arc::new(StringArray::from(vec!["c-1", "c-2"]))),
        ]
    };
    let (found, _) = sourced(&one(Form::CrmId, Take::Transform), file(columns())).unwrap();
    assert_eq!((found.rows, found.accepted_rows, found.columns), (2, 2, vec!["id".to_owned()]));
    for nested in ["tags", "person"] {
        let mapped = plan(vec![mapping(nested, "crm_id", Form::CrmId, Take::Transform)], None);
        let fault = refused(&mapped, file(columns()));
        assert!(matches!(&fault, SourceFault::Parquet(ParquetFault::Nested { column }) if column == nested), "{fault}");
        let audience = plan(vec![mapping("id", "crm_id", Form::CrmId, Take::Transform)], Some(nested));
        assert_eq!(refused(&audience, file(columns())).name(), "COLUMN_NESTED");
    }
}

#[test]
fn columns_are_found_by_name() {
    let ids = || -> ArrayRef { Arc::new(StringArray::from(vec!["c-1"])) };
    let by = |columns: Columns| sourced(&one(Form::CrmId, Take::Transform), file(columns));
    assert!(by(vec![("x", ids()), (" id ", ids())]).is_ok());
    let missing = by(vec![("x", ids())]).unwrap_err();
    assert!(matches!(&missing, SourceFault::MissingColumn { column } if column == "id"));
    let twice = by(vec![("x", ids()), ("id", ids()), ("y", ids()), ("id ", ids())]).unwrap_err();
    assert!(matches!(twice, SourceFault::DuplicateHeader { first: 2, second: 4 }));
}

#[test]
fn columns_are_told_with_their_types() {
    let file = file(vec![
        ("id", Arc::new(Int64Array::from(vec![1]))),
        ("small", Arc::new(Int8Array::from(vec![1]))),
        ("email", Arc::new(StringArray::from(vec!["a@b.cd"]))),
        ("raw", Arc::new(BinaryArray::from(vec![&b"x"[..]]))),
        ("rate", Arc::new(Float32Array::from(vec![0.5]))),
        ("is_member", Arc::new(BooleanArray::from(vec![true]))),
        ("day", Arc::new(Date32Array::from(vec![1]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![1]))),
        ("nothing", Arc::new(NullArray::new(1))),
    ]);
    let file: Arc<dyn RandomAccess> = Arc::new(file);
    let plan = one(Form::CrmId, Take::Transform);
    let found: Vec<_> =
        columns(&file, &plan).unwrap().into_iter().map(|c| format!("{}: {}", c.name, c.data_type)).collect();
    let expected = [
        "id: whole numbers",
        "small: whole numbers",
        "email: text",
        "raw: bytes",
        "rate: floating-point numbers",
        "is_member: truth values",
        "day: days",
        "at: timestamps",
        "nothing: nothing",
    ];
    assert_eq!(found, expected);
}
