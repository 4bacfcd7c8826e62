//! Sourcing: from a file of an account to a run of sorted identities.

mod audience_names;
mod batch;
mod columns;
mod csv_rows;
mod entry;
mod fault;
mod first_bytes;
mod header;
mod masking;
mod parquet;
mod partitions;
mod parts;
mod plan;
mod preview;
mod quoting;
mod rows;
mod sorter;
mod sourcing;
mod taking;
#[cfg(test)]
mod tests;

pub use audience_names::{MAX_AUDIENCE_NAME, MAX_AUDIENCES};
pub use columns::columns;
pub use csv_rows::{Csv, CsvRows};
pub use fault::{FileKind, LISTED_FAULTS, ListedFault, QuotingFault, RowFault, RowFaults, SourceFault};
pub use parquet::ParquetFault;
pub use parts::Parts;
pub use plan::{AudienceFrom, DEFAULT_MEMORY, Mapping, PlanFault, SourcePlan, check_delimiter};
pub use preview::{ColumnPreview, ColumnType, PREVIEW_BYTES, Preview, preview, preview_csv};
pub use rows::{MAX_COLUMNS, MAX_ROW_BYTES, Row, RowReader};
pub use sourcing::{Control, KeyCount, Progress, Sourced, SourcedAudience, source, source_csv, source_parts};
