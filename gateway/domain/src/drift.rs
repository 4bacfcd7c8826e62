//! Drift: a source that no longer holds what it held. A refresh that finds it so changes nothing, and says what is
//! different, until somebody of the account accepts it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A column, as a file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are, as the file says; of CSV all are the same.
    pub data_type: String,
}

/// What is compared of what a refresh read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// In the order of the file.
    pub columns: Vec<Column>,
    /// Rows, accepted or not.
    pub rows: u64,
}

/// A difference that stops a refresh. As text it is a sentence without values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind")]
pub enum Drift {
    /// There are no rows.
    Empty,
    /// A column is no longer there.
    ColumnVanished {
        /// Its name.
        column: String,
    },
    /// Where a column was, there is another one that was not there.
    ColumnChanged {
        /// The name of the one that was there.
        before: String,
        /// The name of the one that is there.
        now: String,
    },
    /// The values of a column are of another type.
    TypeChanged {
        /// Its name.
        column: String,
        /// The type that it had.
        before: String,
        /// The type that it has.
        now: String,
    },
    /// More than half of the rows are gone.
    RowsDropped {
        /// How many there were.
        before: u64,
        /// How many there are.
        now: u64,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "There are no rows."),
            Self::ColumnVanished { column } => write!(f, "The column {column} is no longer there."),
            Self::ColumnChanged { before, now } => write!(f, "Where the column {before} was, there is {now}."),
            Self::TypeChanged { column, before, now } => write!(f, "The column {column} was {before} and is {now}."),
            Self::RowsDropped { before, now } => write!(f, "Of {before} rows {now} are left."),
        }
    }
}

/// What is different enough that a refresh stops: columns in the order in which they were, then rows. Further columns,
/// another order and more rows are nothing.
pub fn drifts(before: &Shape, now: &Shape) -> Vec<Drift> {
    let of_columns =
        before.columns.iter().enumerate().filter_map(|(place, column)| of_column(place, column, before, now));
    of_columns.chain(of_rows(before.rows, now.rows)).collect()
}

fn of_column(place: usize, column: &Column, before: &Shape, now: &Shape) -> Option<Drift> {
    let name = column.name.clone();
    if let Some(found) = named(now, &name) {
        let (was, is) = (column.data_type.clone(), found.data_type.clone());
        return (was != is).then_some(Drift::TypeChanged { column: name, before: was, now: is });
    }
    let in_its_place = now.columns.get(place).filter(|found| named(before, &found.name).is_none());
    Some(match in_its_place {
        Some(found) => Drift::ColumnChanged { before: name, now: found.name.clone() },
        None => Drift::ColumnVanished { column: name },
    })
}

fn named<'a>(shape: &'a Shape, name: &str) -> Option<&'a Column> {
    shape.columns.iter().find(|column| column.name == name)
}

fn of_rows(before: u64, now: u64) -> Option<Drift> {
    match now {
        0 => Some(Drift::Empty),
        _ if now < before.div_ceil(2) => Some(Drift::RowsDropped { before, now }),
        _ => None,
    }
}
