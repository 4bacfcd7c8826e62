//! Why an output could not be made.

use plotters::drawing::DrawingAreaErrorKind;

/// What kept an output from being made. None of it depends on what the report says.
#[derive(Debug, thiserror::Error)]
pub enum WriteFault {
    /// The columns of the Parquet file do not fit together.
    #[error("the rows of the Parquet file")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// The Parquet file.
    #[error("the Parquet file")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The JSON document.
    #[error("the JSON document")]
    Json(#[from] serde_json::Error),
    /// A chart of the page.
    #[error("a chart of the page")]
    Chart(#[from] DrawingAreaErrorKind<std::io::Error>),
    /// The page.
    #[error("the page")]
    Page(#[from] askama::Error),
}
