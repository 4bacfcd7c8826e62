//! What the rules for projects ask for.

use entente_domain::{account::Account, connection::Connection, project::Project};

/// A project with its connection.
#[derive(Clone, Debug)]
pub struct LoadedProject {
    /// The project.
    pub project: Project,
    /// Its connection.
    pub connection: Connection,
    /// The connection's owner.
    pub owner: Account,
    /// The connection's recipient.
    pub recipient: Account,
}
