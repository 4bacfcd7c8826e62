//! What an author of a destination plugin does with the program: make a crate, check the plugin, deliver through it, and
//! see how fast it is. Everything runs the plugin in a worker process, as the gateway does; none of it needs a gateway.

mod bench;
mod check;
mod embedded;
mod ledger;
mod manifest;
mod new_plugin;
mod rows_input;
mod run;
mod settings_schema;
mod state_folder;
pub(crate) mod target;
#[cfg(test)]
mod tests;

pub use bench::Bench;
pub use check::Check;
pub use new_plugin::NewPlugin;
pub use run::Run;

/// How a command ended.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;
