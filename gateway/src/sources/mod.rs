//! Where audiences come from.

pub mod crosswalk_plan;
pub mod csv;
pub mod event_plan;
pub mod mapping;
pub mod opening;
