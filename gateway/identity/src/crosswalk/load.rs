//! From a CSV file to the links of a crosswalk.

use std::io::Read;
use std::path::Path;

use super::links::{self, Direction, links_path};
use crate::aside::Aside;
use crate::digest::{Digest, IndexSecret};
use crate::normalise::{self, Form, Take};
use crate::source::{
    Control, Faults, Mapping, PlanFault, Progress, Row, RowFault, RowReader, SourceFault, check_delimiter,
};
use crate::spill::Sorter;

/// Rows between two calls of `progress`.
const ROWS_A_STEP: u64 = 16_384;

/// How a file of links is read.
#[derive(Clone, Debug)]
pub struct CrosswalkPlan {
    /// One ASCII byte, usually a comma.
    pub delimiter: u8,
    /// The columns of the join key; at least one.
    pub join: Vec<Mapping>,
    /// The columns of the linked key; at least one.
    pub linked: Vec<Mapping>,
    /// Bytes of memory for sorting; what does not fit is sorted on disk.
    pub memory: usize,
}

/// How much is linked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Distinct pairs.
    pub links: u64,
    /// Distinct identities of the join key.
    pub join_identities: u64,
    /// Distinct identities of the linked key.
    pub linked_identities: u64,
    /// Identities of the join key that are linked with several of the linked key.
    pub one_to_many: u64,
    /// Identities of the linked key that are linked with several of the join key.
    pub many_to_one: u64,
}

/// What a file yielded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedCrosswalk {
    /// Rows below the header.
    pub rows: u64,
    /// Rows of which at least one link was taken.
    pub accepted_rows: u64,
    /// What was wrong with the others, and with single values of these.
    pub faults: Faults<RowFault>,
    /// Names in the header, by position.
    pub columns: Vec<String>,
    /// How much is linked.
    pub counts: LinkCounts,
}

/// Reads a CSV file into a crosswalk at `out`, a directory that does not exist yet and appears only when all went well.
/// Each row links every one of its join identities with every one of its linked identities. Spills go to `scratch`, an
/// existing directory. `progress` is called every some thousand rows.
///
/// A file of which no row is accepted yields a crosswalk without links: whether that may replace anything is the
/// caller's rule.
pub fn load_crosswalk(
    reader: &mut dyn Read,
    plan: &CrosswalkPlan,
    scratch: &Path,
    secret: &IndexSecret,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<LoadedCrosswalk, SourceFault> {
    let wanted = checked(plan)?;
    let mut rows = RowReader::open(reader, plan.delimiter, &wanted)?;
    let mut taker = Taker::new(plan, &rows, scratch, secret)?;
    let mut row = Row::default();
    while rows.next_row(&mut row)? {
        taker.take(&row)?;
        if rows.rows().is_multiple_of(ROWS_A_STEP) {
            go_on(&rows, progress)?;
        }
    }
    if rows.rows() == 0 {
        return Err(SourceFault::NoRows);
    }
    if taker.misshapen == rows.rows() {
        return Err(SourceFault::FieldCounts);
    }
    let (accepted_rows, aside) = (taker.accepted, Aside::directory(out)?);
    let (counts, faults) = taker.write(aside.path())?;
    go_on(&rows, progress)?;
    aside.publish()?;
    Ok(LoadedCrosswalk { rows: rows.rows(), accepted_rows, faults, columns: rows.columns().to_vec(), counts })
}

/// The columns that the file must have.
fn checked(plan: &CrosswalkPlan) -> Result<Vec<&str>, PlanFault> {
    check_delimiter(plan.delimiter)?;
    for side in [&plan.join, &plan.linked] {
        if side.is_empty() {
            return Err(PlanFault::NothingMapped);
        }
        if side.iter().enumerate().any(|(i, a)| side[..i].iter().any(|b| a.column.trim() == b.column.trim())) {
            return Err(PlanFault::MappedTwice);
        }
    }
    Ok(plan.join.iter().chain(&plan.linked).map(|mapping| mapping.column.as_str()).collect())
}

fn go_on(rows: &RowReader<'_>, progress: &mut dyn FnMut(Progress) -> Control) -> Result<(), SourceFault> {
    match progress(Progress { rows: rows.rows(), bytes: rows.bytes() }) {
        Control::Continue => Ok(()),
        Control::Cancel => Err(SourceFault::Cancelled),
    }
}

/// One column of one side.
struct Column {
    position: usize,
    form: Form,
    take: Take,
}

/// Takes links out of rows.
struct Taker<'a> {
    sides: [Vec<Column>; 2],
    /// The identities of a row, by side: their hashes and digests.
    found: [Vec<(u64, Digest)>; 2],
    width: usize,
    secret: &'a IndexSecret,
    to_linked: Sorter,
    to_join: Sorter,
    faults: Faults<RowFault>,
    accepted: u64,
    misshapen: u64,
}

impl<'a> Taker<'a> {
    fn new(
        plan: &CrosswalkPlan,
        rows: &RowReader<'_>,
        scratch: &Path,
        secret: &'a IndexSecret,
    ) -> Result<Self, SourceFault> {
        let columns = |side: &[Mapping]| -> Result<Vec<Column>, SourceFault> {
            let column = |m: &Mapping| Ok(Column { position: rows.column(&m.column)?, form: m.form, take: m.take });
            side.iter().map(column).collect()
        };
        Ok(Self {
            sides: [columns(&plan.join)?, columns(&plan.linked)?],
            found: [Vec::new(), Vec::new()],
            width: rows.columns().len(),
            secret,
            to_linked: Sorter::new(scratch, plan.memory / 2),
            to_join: Sorter::new(scratch, plan.memory / 2),
            faults: Faults::default(),
            accepted: 0,
            misshapen: 0,
        })
    }

    fn take(&mut self, row: &Row) -> Result<(), SourceFault> {
        if row.len() != self.width {
            self.misshapen += 1;
            self.faults.add(row.number(), None, RowFault::FieldCount);
            return Ok(());
        }
        for (columns, found) in self.sides.iter().zip(&mut self.found) {
            found.clear();
            for column in columns {
                match normalise::identity(column.form, column.take, row.field(column.position)) {
                    Ok(None) => {}
                    Ok(Some(digest)) => found.push((self.secret.key(&digest).0, digest)),
                    Err(fault) => self.faults.add(row.number(), Some(column.position), RowFault::Value(fault)),
                }
            }
        }
        let [joins, linked] = &self.found;
        if joins.is_empty() || linked.is_empty() {
            self.faults.add(row.number(), None, RowFault::NoLink);
            return Ok(());
        }
        self.accepted += 1;
        for (join, join_digest) in joins {
            for (to, digest) in linked {
                self.to_linked.push([*join, *to, 0, 0], &digest.0)?;
                self.to_join.push([*to, *join, 0, 0], &join_digest.0)?;
            }
        }
        Ok(())
    }

    fn write(self, dir: &Path) -> Result<(LinkCounts, Faults<RowFault>), SourceFault> {
        let joins = links::write(self.to_linked.finish()?, &links_path(dir, Direction::ToLinked))?;
        let linked = links::write(self.to_join.finish()?, &links_path(dir, Direction::ToJoin))?;
        let counts = LinkCounts {
            links: joins.links,
            join_identities: joins.from,
            linked_identities: linked.from,
            one_to_many: joins.with_several,
            many_to_one: linked.with_several,
        };
        Ok((counts, self.faults))
    }
}
