//! A finished report as JSON, CSV, Parquet and a self-contained HTML page.
//!
//! [`Document`] lists the tables of a report once; every output is made from that list. A figure that is added to
//! [`entente_identity::measure::Report`] is added in `tables.rs`, one of [`entente_identity::measure::lift::LiftReport`] in
//! `lift_tables.rs`, and is then in all four.

mod about;
mod cell;
mod csv;
mod document;
mod fault;
mod json;
mod lift_tables;
mod page;
mod parquet;
mod record;
mod table;
mod tables;

pub use about::{About, Campaign};
pub use cell::{Cell, Measured, Number, Unit};
pub use document::Document;
pub use fault::WriteFault;
pub use json::schema;
pub use page::content_security_policy;
pub use table::{Dimension, Group, Metric, Model, Outcome, Row, Table, View, Warning};
