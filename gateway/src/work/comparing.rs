//! Comparing what a refresh reads with what is published: first its columns, which costs nothing, then its rows.

use super::{Fault, Task, reading::rows_read};
use entente_domain::{
    DataConnectionId, JobId,
    drift::{Column, Drift, Shape, not_accepted},
};
use entente_identity::source::{SourceFault, Sourced};
use entente_store::{Job, RowsRead};
use std::io;

/// What a refresh is compared with.
#[derive(Clone)]
pub struct Comparison {
    /// What is published; nothing before the first refresh, and then there is nothing to compare with.
    published: Option<Shape>,
    /// What somebody accepted, where this refresh takes that.
    accepted: Option<Shape>,
}

/// Something that is not as it was.
pub struct Drifted {
    /// What.
    pub drifts: Vec<Drift>,
    /// What there is.
    pub shape: Shape,
    /// What came of its rows, where they were read.
    pub read: RowsRead,
}

/// Why there is nothing to publish.
pub enum Unfit {
    /// It is not as it was.
    Drifted(Box<Drifted>),
    /// The file cannot be read.
    File(SourceFault),
}

impl From<SourceFault> for Unfit {
    fn from(fault: SourceFault) -> Self {
        Self::File(fault)
    }
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::File(error.into())
    }
}

/// The refresh that drifted and that a job takes as it is.
pub fn accepted_by(job: &Job) -> Option<JobId> {
    serde_json::from_value(job.payload.get("accepts")?.clone()).ok()
}

/// What somebody accepted, where this job takes that.
async fn accepted(task: &Task) -> Result<Option<Shape>, Fault> {
    match accepted_by(&task.job) {
        Some(refresh) => Ok(task.gateway.store().drifted_shape(refresh).await?),
        None => Ok(None),
    }
}

impl Comparison {
    /// There is nothing to compare with.
    pub fn none() -> Self {
        Self { published: None, accepted: None }
    }

    /// Finds out what a refresh of a data connection is compared with.
    pub async fn of(task: &Task, id: DataConnectionId) -> Result<Self, Fault> {
        let published = task.gateway.store().published_shape(id).await?;
        Ok(Self { published, accepted: accepted(task).await? })
    }

    /// The same of a list that is replaced by what a source holds: the rows alone, as nothing but the mapped columns is of it.
    pub async fn of_rows(task: &Task, published: Option<Shape>) -> Result<Self, Fault> {
        let rows_of = |shape: Shape| Shape { columns: Vec::new(), ..shape };
        Ok(Self { published: published.map(rows_of), accepted: accepted(task).await?.map(rows_of) })
    }

    /// Reads rows below these columns, unless they are not as they were; what there is, and what was read.
    pub fn read(
        &self,
        columns: Result<Vec<Column>, SourceFault>,
        read: impl FnOnce() -> Result<Sourced, SourceFault>,
    ) -> Result<(Shape, Sourced), Unfit> {
        let shape = match columns {
            Err(SourceFault::Empty) => return Err(self.empty(Shape::nothing(), SourceFault::Empty)),
            columns => Shape::of_columns(columns?),
        };
        self.compare(&shape, RowsRead::default)?;
        let sourced = match read() {
            Err(SourceFault::NoRows) => {
                return Err(self.empty(Shape { rows: Some(0), ..shape }, SourceFault::NoRows));
            }
            read => read?,
        };
        let shape = Shape { rows: Some(sourced.rows), ..shape };
        self.compare(&shape, || rows_read(&sourced))?;
        Ok((shape, sourced))
    }

    /// Of what has no rows: before the first refresh it is just that.
    pub fn empty(&self, shape: Shape, fault: SourceFault) -> Unfit {
        match self.compare(&shape, RowsRead::default) {
            Err(unfit) => unfit,
            Ok(()) => Unfit::File(fault),
        }
    }

    fn compare(&self, shape: &Shape, read: impl FnOnce() -> RowsRead) -> Result<(), Unfit> {
        let Some(published) = &self.published else { return Ok(()) };
        match not_accepted(published, self.accepted.as_ref(), shape) {
            drifts if drifts.is_empty() => Ok(()),
            drifts => Err(Unfit::Drifted(Box::new(Drifted { drifts, shape: shape.clone(), read: read() }))),
        }
    }
}
