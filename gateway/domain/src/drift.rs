//! Drift: a source that no longer holds what it held. A refresh that finds it so changes nothing, and says what is
//! different, until somebody of the account accepts it.

use crate::{
    Code, Refusal,
    data_connection::{AudienceSource, Mapping},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most differences of columns that are told.
const MOST_TOLD: usize = 100;
/// How many of them a sentence tells.
const IN_A_SENTENCE: usize = 5;

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
    /// Rows, accepted or not; none where they were not counted.
    pub rows: Option<u64>,
}

impl Shape {
    /// What is known of a file before its rows are read.
    pub fn of_columns(columns: Vec<Column>) -> Self {
        Self { columns, rows: None }
    }

    /// There is nothing at all, not even columns.
    pub fn nothing() -> Self {
        Self { columns: Vec::new(), rows: Some(0) }
    }
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

/// What is different enough that a refresh stops: columns in the order in which they were, at most 100 of them, then rows
/// where they were counted. Further columns, another order and more rows are nothing. Of nothing at all only that is told.
pub fn drifts(before: &Shape, now: &Shape) -> Vec<Drift> {
    if *now == Shape::nothing() {
        return vec![Drift::Empty];
    }
    let of_columns =
        before.columns.iter().enumerate().filter_map(|(place, column)| of_column(place, column, before, now));
    of_columns.take(MOST_TOLD).chain(of_rows(before.rows, now.rows)).collect()
}

/// What stops a refresh: the differences to what is published, unless what there is has not changed since it was accepted.
/// Rows that were not counted then are compared with those that are published.
pub fn not_accepted(published: &Shape, accepted: Option<&Shape>, now: &Shape) -> Vec<Drift> {
    let is_as_accepted = |accepted: &Shape| {
        let accepted = Shape { rows: accepted.rows.or(published.rows), ..accepted.clone() };
        drifts(&accepted, now).is_empty()
    };
    if accepted.is_some_and(is_as_accepted) { Vec::new() } else { drifts(published, now) }
}

/// Differences as one text, of which the last ones are only counted.
pub fn told(drifts: &[Drift]) -> String {
    let mut sentences: Vec<String> = drifts.iter().take(IN_A_SENTENCE).map(Drift::to_string).collect();
    match drifts.len().saturating_sub(IN_A_SENTENCE) {
        0 => {}
        1 => sentences.push("There is one more difference.".to_owned()),
        more => sentences.push(format!("There are {more} more differences.")),
    }
    sentences.join(" ")
}

/// A refresh that found differences, as it stands when somebody accepts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    /// What it found.
    pub shape: Shape,
    /// What is different about that.
    pub drifts: Vec<Drift>,
    /// No later refresh published anything or found differences.
    pub is_last: bool,
    /// It is accepted, and the job that takes it has not ended.
    pub is_being_taken: bool,
    /// What it read can be read again: a source, or an upload that is still kept.
    pub can_be_read: bool,
}

/// Whether what a refresh found may be taken as it is.
///
/// # Errors
/// Where it is no longer the last word, where there is nothing to be read, and where columns that the mapping names are
/// missing: then the mapping has to be changed first.
pub fn accept(drifted: &Drifted, mapping: &Mapping) -> Result<(), Refusal> {
    if !drifted.is_last {
        return Err(Refusal::new(Code::WrongState, "There is a later refresh: look at that one."));
    }
    if drifted.is_being_taken {
        return Err(Refusal::new(Code::WrongState, "It is accepted already, and being read."));
    }
    if drifted.drifts.contains(&Drift::Empty) {
        let message = "There are no rows: nothing can take the place of what there is. Delete it if it is to go.";
        return Err(Refusal::new(Code::FileRefused, message));
    }
    if let Some(missing) = mapped(mapping).find(|name| named(&drifted.shape, name).is_none()) {
        let message = format!("The mapping names the column {missing}, which is not there: change the mapping first.");
        return Err(Refusal::new(Code::MappedColumnMissing, message));
    }
    if !drifted.can_be_read {
        return Err(Refusal::new(Code::UploadUnavailable, "The file is no longer kept: upload it again."));
    }
    Ok(())
}

/// The columns that a mapping names.
fn mapped(mapping: &Mapping) -> impl Iterator<Item = &str> {
    let audience = match &mapping.audience {
        AudienceSource::Column(column) => Some(column.as_str()),
        AudienceSource::Named(_) => None,
    };
    mapping.fields.iter().map(|field| field.column.as_str()).chain(audience).map(str::trim)
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

fn of_rows(before: Option<u64>, now: Option<u64>) -> Option<Drift> {
    match (before, now?) {
        (_, 0) => Some(Drift::Empty),
        (Some(before), now) if now < before.div_ceil(2) => Some(Drift::RowsDropped { before, now }),
        _ => None,
    }
}
