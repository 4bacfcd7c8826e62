//! Sourcing: from a file of an account to a run of sorted identities.

mod audience_names;
mod batch;
mod columns;
mod csv_rows;
mod entries;
mod entry;
mod fault;
mod first_bytes;
mod header;
mod marks;
mod masking;
mod parquet;
mod parts;
mod plan;
mod preview;
mod quoting;
mod rows;
mod sharing;
mod sorter;
mod sourcing;
mod taking;
#[cfg(test)]
mod tests;

pub use audience_names::{MAX_AUDIENCE_NAME, MAX_AUDIENCES};
pub(crate) use batch::BatchRow;
pub use columns::columns;
pub use csv_rows::Csv;
pub(crate) use csv_rows::CsvRows;
pub use fault::{FileKind, LISTED_FAULTS, ListedFault, QuotingFault, RowFault, RowFaults, SourceFault};
pub use parquet::ParquetFault;
pub use parts::Parts;
pub use plan::{AudienceFrom, DEFAULT_MEMORY, Mapping, PlanFault, SourcePlan, check_delimiter};
pub use preview::{ColumnPreview, ColumnType, PREVIEW_BYTES, Preview, preview, preview_csv};
pub use rows::{MAX_COLUMNS, MAX_ROW_BYTES, Row, RowReader};
pub(crate) use sharing::{TakesRows, share};
pub use sourcing::{Control, KeyCount, Progress, Sourced, SourcedAudience, source, source_csv, source_parts};
