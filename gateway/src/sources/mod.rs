//! Where audiences come from.

pub mod connected;
pub mod crosswalk_plan;
pub mod csv;
pub mod event_plan;
pub mod fetching;
pub mod fingerprint;
pub mod looking;
pub mod mapping;
pub mod opening;
