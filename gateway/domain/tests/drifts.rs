//! What of a source may change between two refreshes, and what stops one.

use entente_domain::{
    Code, MatchKey, MatchKeyKind,
    data_connection::{AudienceSource, FieldMapping, Mapping, Transformation},
    drift::{Column, Drift, Drifted, Shape, accept, drifts, not_accepted, told},
};
use proptest::prelude::*;

/// Columns by name and type.
fn shape(columns: &[(&str, &str)], rows: u64) -> Shape {
    let column =
        |(name, data_type): &(&str, &str)| Column { name: (*name).to_owned(), data_type: (*data_type).to_owned() };
    Shape { columns: columns.iter().map(column).collect(), rows: Some(rows) }
}

#[test]
fn differences_are_told_by_what_is_different() {
    let before = shape(&[("email", "TEXT"), ("visits", "INTEGER"), ("segment", "TEXT")], 1_000);
    for (columns, rows, told) in [
        (&[("email", "TEXT"), ("visits", "INTEGER"), ("segment", "TEXT")][..], 1_000, &[][..]),
        // More columns and rows, another order.
        (&[("segment", "TEXT"), ("email", "TEXT"), ("city", "TEXT"), ("visits", "INTEGER")], 9_000, &[]),
        (&[("email", "TEXT"), ("visits", "INTEGER"), ("segment", "TEXT")], 500, &[]),
        (&[("email", "TEXT"), ("visits", "INTEGER"), ("segment", "TEXT")], 499, &["Of 1000 rows 499 are left."]),
        (&[("email", "TEXT"), ("visits", "INTEGER"), ("segment", "TEXT")], 0, &["There are no rows."]),
        (&[("email", "TEXT"), ("visits", "INTEGER")], 1_000, &["The column segment is no longer there."]),
        (
            &[("e-mail", "TEXT"), ("visits", "INTEGER"), ("segment", "TEXT")],
            1_000,
            &["Where the column email was, there is e-mail."],
        ),
        // What took its place was there before.
        (&[("visits", "INTEGER"), ("segment", "TEXT")], 1_000, &["The column email is no longer there."]),
        (
            &[("email", "TEXT"), ("visits", "TEXT"), ("segment", "TEXT")],
            1_000,
            &["The column visits was INTEGER and is TEXT."],
        ),
        (
            &[("visits", "DOUBLE"), ("mail", "TEXT")],
            10,
            &[
                "The column email is no longer there.",
                "The column visits was INTEGER and is DOUBLE.",
                "The column segment is no longer there.",
                "Of 1000 rows 10 are left.",
            ],
        ),
    ] {
        let found: Vec<_> = drifts(&before, &shape(columns, rows)).iter().map(Drift::to_string).collect();
        assert_eq!(found, told, "{columns:?}, {rows} rows");
    }
}

#[test]
fn rows_that_were_not_counted_are_those_that_are_published() {
    let published = shape(&[("email", "text"), ("city", "text")], 100);
    let accepted = Shape { rows: None, ..shape(&[("email", "text")], 0) };
    assert_eq!(drifts(&published, &accepted), [Drift::ColumnVanished { column: "city".to_owned() }]);
    for (rows, is_taken) in [(50, true), (49, false), (0, false)] {
        let now = shape(&[("email", "text")], rows);
        assert_eq!(not_accepted(&published, Some(&accepted), &now).is_empty(), is_taken, "{rows}");
    }
}

#[test]
fn many_differences_are_told_in_few_sentences() {
    let drift = |n: usize| Drift::ColumnVanished { column: n.to_string() };
    let drifts: Vec<_> = (0..7).map(drift).collect();
    assert_eq!(told(&drifts[..1]), "The column 0 is no longer there.");
    assert!(told(&drifts[..6]).ends_with("The column 4 is no longer there. There is one more difference."));
    assert!(told(&drifts).ends_with("The column 4 is no longer there. There are 2 more differences."));
    let before =
        Shape::of_columns((0..500).map(|n| Column { name: n.to_string(), data_type: String::new() }).collect());
    let now = shape(&[("other", "")], 0);
    assert_eq!(entente_domain::drift::drifts(&before, &now).len(), 101);
    assert_eq!(entente_domain::drift::drifts(&before, &Shape::nothing()), [Drift::Empty]);
}

#[test]
fn a_drift_is_accepted_where_it_can_be_read() {
    let field = FieldMapping {
        column: " email ".to_owned(),
        match_key: MatchKey::of(MatchKeyKind::HashedEmail),
        transformation: Transformation::NormaliseAndHash,
    };
    let mapping = |audience| Mapping { fields: vec![field.clone()], audience, delimiter: ',' };
    let by_column = mapping(AudienceSource::Column("segment".to_owned()));
    let good = Drifted {
        shape: shape(&[("email", "text")], 9),
        drifts: vec![Drift::ColumnVanished { column: "segment".to_owned() }],
        is_last: true,
        is_being_taken: false,
        can_be_read: true,
    };
    let named = mapping(AudienceSource::Named("Runners".to_owned()));
    for (drifted, mapping, code) in [
        (good.clone(), &named, None),
        (good.clone(), &by_column, Some(Code::MappedColumnMissing)),
        (Drifted { shape: shape(&[("mail", "text")], 9), ..good.clone() }, &named, Some(Code::MappedColumnMissing)),
        (Drifted { is_last: false, ..good.clone() }, &named, Some(Code::WrongState)),
        (Drifted { is_being_taken: true, ..good.clone() }, &named, Some(Code::WrongState)),
        (Drifted { can_be_read: false, ..good.clone() }, &named, Some(Code::UploadUnavailable)),
        (Drifted { drifts: vec![Drift::Empty], ..good.clone() }, &named, Some(Code::FileRefused)),
    ] {
        assert_eq!(accept(&drifted, mapping).err().map(|refusal| refusal.code), code, "{drifted:?}");
    }
}

fn a_shape() -> impl Strategy<Value = Shape> {
    let columns = prop::collection::btree_map("[a-e]", "[XYZ]", 0..5);
    (columns, 0u64..50).prop_map(|(columns, rows)| {
        let column = |(name, data_type)| Column { name, data_type };
        Shape { columns: columns.into_iter().map(column).collect(), rows: Some(rows) }
    })
}

proptest! {
    #[test]
    fn there_is_a_difference_for_each_column_that_is_not_as_it_was(before in a_shape(), now in a_shape()) {
        let stayed = before.columns.iter().filter(|column| now.columns.contains(column)).count();
        let found = drifts(&before, &now);
        let of_rows = found.iter().filter(|d| matches!(d, Drift::Empty | Drift::RowsDropped { .. })).count();
        let of_columns = if now == Shape::nothing() { 0 } else { before.columns.len() - stayed };
        prop_assert_eq!(found.len() - of_rows, of_columns);
        let (rows, rows_before) = (now.rows.unwrap_or(0), before.rows.unwrap_or(0));
        prop_assert_eq!(of_rows == 1, rows == 0 || rows * 2 < rows_before);
    }

    #[test]
    fn what_is_as_it_was_or_more_has_not_drifted(before in a_shape(), more in 0u64..50) {
        let mut now = Shape { rows: before.rows.map(|rows| rows + more), ..before.clone() };
        now.columns.insert(0, Column { name: "f".to_owned(), data_type: "X".to_owned() });
        prop_assert_eq!(drifts(&before, &now).is_empty(), now.rows > Some(0));
    }

    /// What was accepted is taken, and so is what is as it always was; nothing else is that would not be taken anyway.
    #[test]
    fn what_was_accepted_is_taken(published in a_shape(), accepted in a_shape(), now in a_shape()) {
        let stops = |accepted: Option<&Shape>, now: &Shape| !not_accepted(&published, accepted, now).is_empty();
        prop_assert_eq!(stops(Some(&accepted), &accepted), accepted.rows == Some(0));
        prop_assert_eq!(stops(None, &now), !drifts(&published, &now).is_empty());
        let either = drifts(&published, &now).is_empty() || drifts(&accepted, &now).is_empty();
        prop_assert_eq!(stops(Some(&accepted), &now), !either);
    }
}
