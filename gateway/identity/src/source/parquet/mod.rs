//! Parquet files as a source beside CSV.
//!
//! Every byte of a file may be hostile. What the footer and the headers of pages say is read by code of this module, which
//! checks it against the file and against limits before anything is allocated or decoded by it; pages of mapped columns
//! alone are then decoded by the crate `parquet`, some hundred values at a time.

mod compression;
mod delta;
mod fault;
mod footer;
mod header;
mod pages;
mod preview;
mod reading;
mod schema;
mod texts;
mod thrift;
mod values;

use std::sync::Arc;

use entente_domain::drift::Column as NamedColumn;
pub use fault::ParquetFault;
use footer::{Footer, Group};
use pages::{Current, Held, Pages};
pub(super) use preview::preview;
use reading::Reading;
use schema::{Column, Single};
use values::Values;

use super::batch::{Batch, RowFull};
use super::fault::SourceFault;
use super::header::check_names;
use super::sourcing::Rows;
use super::wanted::{ReadAs, Wanted};
use crate::random_access::RandomAccess;

/// Bytes of text that a file of no bytes may have, and how many more for each byte of it: a page can say in some bytes
/// that a value comes two billion times.
const MOST_TEXT: (u64, u64) = (1 << 20, 1_000);

/// Whether a file is Parquet, by its first bytes; an encrypted one is too.
pub(super) fn is_parquet(file: &dyn RandomAccess) -> Result<bool, SourceFault> {
    let mut first = [0; footer::MAGIC.len()];
    if file.size()? < first.len() as u64 {
        return Ok(false);
    }
    file.read_part(0, &mut first)?;
    Ok(first == *footer::MAGIC || first == *footer::MAGIC_ENCRYPTED)
}

/// The columns of a Parquet file, from its footer.
pub(super) fn columns(file: &Arc<dyn RandomAccess>) -> Result<Vec<NamedColumn>, SourceFault> {
    let footer = Footer::read(file)?;
    check_names(footer.columns().iter().map(|column| column.name.as_str()))?;
    let named = |column: &Column| NamedColumn { name: column.name.clone(), data_type: column.data_type().to_owned() };
    Ok(footer.columns().iter().map(named).collect())
}

/// Reads the columns of a Parquet file that are wanted as rows.
pub(super) struct ParquetRows {
    file: Arc<dyn RandomAccess>,
    size: u64,
    names: Vec<String>,
    columns: Vec<(Single, Reading)>,
    groups: std::vec::IntoIter<Group>,
    /// Of the row group that is read.
    values: Vec<Values>,
    /// Rows of it that were not read.
    group_left: u64,
    rows: u64,
    rows_in_file: u64,
    held: Arc<Held>,
    /// Bytes of the text of its rows that may still come.
    text_left: u64,
}

impl ParquetRows {
    /// Reads the footer, and refuses a file of which the columns cannot be read that are wanted by the names that there are.
    pub(super) fn open(
        file: Arc<dyn RandomAccess>,
        wanted: &dyn Fn(&[String]) -> Vec<Wanted>,
    ) -> Result<Self, SourceFault> {
        let footer = Footer::read(&file)?;
        let names: Vec<String> = footer.columns().iter().map(|column| column.name.clone()).collect();
        check_names(names.iter().map(String::as_str))?;
        let wanted = wanted(&names);
        if let Some(missing) = wanted.iter().find(|wanted| !names.iter().any(|name| name == wanted.name())) {
            return Err(SourceFault::MissingColumn { column: missing.name().to_owned() });
        }
        let (mut read, mut columns) = (Vec::new(), Vec::new());
        for column in footer.columns() {
            let read_as = wanted.iter().filter(|wanted| wanted.name() == column.name).map(|wanted| wanted.read_as);
            let read_as: Vec<ReadAs> = read_as.collect();
            if !read_as.is_empty() {
                columns.push(Reading::of(column, &read_as)?);
                read.push(column);
            }
        }
        let size = file.size()?;
        Ok(Self {
            size,
            file,
            names: read.iter().map(|column| column.name.clone()).collect(),
            columns,
            groups: footer.groups(&read)?.into_iter(),
            values: Vec::new(),
            group_left: 0,
            rows: 0,
            rows_in_file: footer.rows,
            held: Arc::new(Held::of_at_most(u64::MAX)),
            text_left: size.saturating_mul(MOST_TEXT.1).saturating_add(MOST_TEXT.0),
        })
    }

    /// Goes to the next row group; `false` when there is none.
    fn next_group(&mut self) -> Result<bool, SourceFault> {
        // Those of the group before give back what they hold.
        self.values.clear();
        let Some(group) = self.groups.next() else { return Ok(false) };
        for ((single, _), chunk) in self.columns.iter().zip(&group.chunks) {
            let current = Arc::<Current>::default();
            let pages = Pages::new(self.file.clone(), *single, *chunk, group.rows, current.clone(), self.held.clone());
            self.values.push(Values::new(*single, pages, current)?);
        }
        self.group_left = group.rows;
        Ok(true)
    }

    /// Adds as many rows as all columns have ready.
    fn add_rows(&mut self, batch: &mut Batch) -> Result<(), SourceFault> {
        let mut ready = self.group_left;
        for values in &mut self.values {
            ready = ready.min(values.ready()? as u64);
        }
        for _ in 0..ready {
            if batch.is_full() {
                break;
            }
            self.rows += 1;
            self.group_left -= 1;
            for ((_, reading), values) in self.columns.iter().zip(&mut self.values) {
                let written = reading.write(values.next(), batch);
                written.map_err(|RowFull| SourceFault::RowTooLong { row: self.rows, quoted: false })?;
            }
            let left = self.text_left.checked_sub(batch.end_row() as u64);
            self.text_left = left.ok_or(ParquetFault::TooLarge("values of 1,000 times the file"))?;
        }
        Ok(())
    }
}

impl Rows for ParquetRows {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault> {
        batch.clear(self.rows + 1);
        while !batch.is_full() && (self.group_left > 0 || self.next_group()?) {
            self.add_rows(batch)?;
        }
        Ok(!batch.is_empty())
    }

    fn columns(&self) -> &[String] {
        &self.names
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    /// Columns that are not mapped are not read: the part of the file that is done, by rows.
    fn bytes(&self) -> u64 {
        let done = u128::from(self.size) * u128::from(self.rows) / u128::from(self.rows_in_file.max(1));
        u64::try_from(done).unwrap_or(self.size)
    }
}
