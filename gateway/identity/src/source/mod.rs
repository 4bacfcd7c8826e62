//! Sourcing: from a file of an account to a run of sorted identities.

mod audience_names;
mod batch;
mod columns;
mod entries;
mod entry;
mod fault;
mod faults;
mod file_rows;
mod first_bytes;
mod header;
mod marks;
mod masking;
mod parquet;
mod plan;
mod preview;
mod quoting;
mod rearranged;
mod rows;
mod sharing;
mod sorter;
mod sourcing;
mod taking;
#[cfg(test)]
mod tests;
mod wanted;

pub use audience_names::{MAX_AUDIENCE_NAME, MAX_AUDIENCES};
pub(crate) use batch::BatchRow;
pub use columns::columns;
pub use fault::{FileKind, QuotingFault, RowFault, SourceFault};
pub use faults::{Faults, LISTED_FAULTS, ListedFault, OfRow};
pub(crate) use file_rows::FileRows;
pub use file_rows::{Input, Parts};
pub use parquet::ParquetFault;
pub use plan::{AudienceFrom, DEFAULT_MEMORY, Mapping, PlanFault, SourcePlan, check_delimiter};
pub use preview::{ColumnPreview, ColumnType, PREVIEW_BYTES, Preview, preview, preview_csv};
pub use rows::{MAX_COLUMNS, MAX_ROW_BYTES, Row, RowReader};
pub(crate) use sharing::{TakesRows, share};
pub use sourcing::{Control, KeyCount, Progress, Sourced, SourcedAudience, source, source_csv, source_parts};
pub(crate) use wanted::{ReadAs, Wanted};
