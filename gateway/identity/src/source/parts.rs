//! Several files that are read as one, one after the other.

use std::sync::Arc;

use super::batch::Batch;
use super::fault::SourceFault;
use super::parquet::{self, ParquetRows};
use super::plan::SourcePlan;
use super::rows::RowReader;
use super::sourcing::Rows;
use crate::random_access::{FromStart, RandomAccess};

/// Gives one file after the other; a fault is the last item.
pub type Parts<'p> = dyn Iterator<Item = Result<Arc<dyn RandomAccess>, SourceFault>> + 'p;

/// The rows of several files with the same columns. They are numbered through all files.
pub(super) struct PartRows<'p> {
    parts: &'p mut Parts<'p>,
    plan: &'p SourcePlan,
    current: Box<dyn Rows>,
    columns: Vec<String>,
    /// The number of the file that is read, from 1 on.
    part: u64,
    /// Of the files before it.
    rows: u64,
    bytes: u64,
}

impl<'p> PartRows<'p> {
    /// Opens the first file; without one there is nothing to be read.
    pub(super) fn open(parts: &'p mut Parts<'p>, plan: &'p SourcePlan) -> Result<Self, SourceFault> {
        let first = parts.next().ok_or(SourceFault::Empty)??;
        let current = open(first, plan)?;
        let columns = current.columns().to_vec();
        Ok(Self { parts, plan, current, columns, part: 1, rows: 0, bytes: 0 })
    }

    /// Goes to the next file; `false` when there is none.
    fn next_part(&mut self) -> Result<bool, SourceFault> {
        let Some(part) = self.parts.next().transpose()? else { return Ok(false) };
        self.rows += self.current.rows();
        self.bytes += self.current.bytes();
        self.part += 1;
        self.current = open(part, self.plan).map_err(|fault| fault.in_part(self.part))?;
        if self.current.columns() != self.columns {
            return Err(SourceFault::OtherColumns.in_part(self.part));
        }
        Ok(true)
    }
}

fn open(file: Arc<dyn RandomAccess>, plan: &SourcePlan) -> Result<Box<dyn Rows>, SourceFault> {
    if parquet::is_parquet(&*file)? {
        return Ok(Box::new(ParquetRows::open(file, plan)?));
    }
    Ok(Box::new(RowReader::open(FromStart::new(file)?, plan.delimiter, &plan.wanted())?))
}

impl Rows for PartRows<'_> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault> {
        loop {
            if self.current.fill(batch).map_err(|fault| fault.in_part(self.part))? {
                batch.number_after(self.rows);
                return Ok(true);
            }
            if !self.next_part()? {
                return Ok(false);
            }
        }
    }

    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn rows(&self) -> u64 {
        self.rows + self.current.rows()
    }

    fn bytes(&self) -> u64 {
        self.bytes + self.current.bytes()
    }
}
