//! Where audiences come from: folders, buckets and tables that already hold them, behind one trait. A source is
//! checked, its parts are listed, and each is read as it was listed or not at all. Nothing here knows a database or the
//! API.
//!
//! | module | what it is |
//! |---|---|
//! | [`source`] | the trait, and what a part is |
//! | [`types`] | the source types that there are; a new one is a file and a line |
//! | [`operator`] | what the operator of the gateway allows |
//! | [`error`] | what can go wrong |
//! | [`plain`] | taking compression off |

mod answers;
mod azure;
mod bucket;
mod delta_sharing;
pub mod error;
mod google;
mod local_folder;
pub mod operator;
mod pattern;
pub mod plain;
mod s3;
mod service;
mod snowflake;
pub mod source;
pub mod types;

pub use error::SourceError;
pub use operator::Operator;
pub use source::{Content, Part, Source};
