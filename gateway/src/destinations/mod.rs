//! Where audiences are delivered to. Destination types are plugins, which the gateway never loads itself: a worker
//! process does ([`worker`]), and a plugin that panics, hangs or crashes takes that worker down and nothing else.
//!
//! [`Registry`] knows the types that were found and are allowed, checks settings and makes deliveries. It depends on
//! nothing else of the gateway: what is stored goes through [`AckSink`], what is delivered is a file of rows.

pub mod allow_list;
mod answers;
pub mod backoff;
mod broker;
pub mod confinement;
pub mod contract;
pub mod delivery;
mod frame;
pub mod in_process;
pub mod plugin;
pub mod process;
mod protocol;
pub mod registry;
pub mod rows_file;
mod stderr_log;
#[cfg(test)]
mod tests;
pub mod worker;

pub use allow_list::AllowList;
pub use confinement::Reach;
pub use contract::{Launcher, Opening, Worker, WorkerError, WorkerFault};
pub use delivery::{AckSink, Acknowledgement, Delivered, DeliveryError, Order, Renewal, Settlement, SinkError, Stop};
pub use process::Workers;
pub use registry::Registry;
pub use worker::run_worker;
