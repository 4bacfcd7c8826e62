//! What of a source may change between two refreshes, and what stops one.

use entente_domain::drift::{Column, Drift, Shape, drifts};
use proptest::prelude::*;

/// Columns by name and type.
fn shape(columns: &[(&str, &str)], rows: u64) -> Shape {
    let column =
        |(name, data_type): &(&str, &str)| Column { name: (*name).to_owned(), data_type: (*data_type).to_owned() };
    Shape { columns: columns.iter().map(column).collect(), rows }
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

fn a_shape() -> impl Strategy<Value = Shape> {
    let columns = prop::collection::btree_map("[a-e]", "[XYZ]", 0..5);
    (columns, 0u64..50).prop_map(|(columns, rows)| {
        let column = |(name, data_type)| Column { name, data_type };
        Shape { columns: columns.into_iter().map(column).collect(), rows }
    })
}

proptest! {
    #[test]
    fn there_is_a_difference_for_each_column_that_is_not_as_it_was(before in a_shape(), now in a_shape()) {
        let stayed = before.columns.iter().filter(|column| now.columns.contains(column)).count();
        let found = drifts(&before, &now);
        let of_rows = found.iter().filter(|d| matches!(d, Drift::Empty | Drift::RowsDropped { .. })).count();
        prop_assert_eq!(found.len() - of_rows, before.columns.len() - stayed);
        prop_assert_eq!(of_rows == 1, now.rows == 0 || now.rows * 2 < before.rows);
    }

    #[test]
    fn what_is_as_it_was_or_more_has_not_drifted(before in a_shape(), more in 0u64..50) {
        let mut now = Shape { rows: before.rows + more, ..before.clone() };
        now.columns.insert(0, Column { name: "f".to_owned(), data_type: "X".to_owned() });
        prop_assert_eq!(drifts(&before, &now).is_empty(), now.rows > 0);
    }
}
