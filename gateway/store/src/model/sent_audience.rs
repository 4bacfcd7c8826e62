//! What the rules for sending ask for.

use entente_domain::{AccountId, ProjectId, audience::Audience, connection::Connection, project::Project};

/// What an audience is sent with.
#[derive(Clone, Debug)]
pub struct LoadedSend {
    /// The project.
    pub project: Project,
    /// Its connection.
    pub connection: Connection,
    /// The audience asked for, whoever's it is; the rule looks.
    pub audience: Option<Audience>,
    /// Those of the audiences to send within that exist, whoever's they are; the rule looks.
    pub within: Vec<Audience>,
}

/// Which sent audiences. What is `None` is not asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentAudienceFilter {
    /// Sent in this project.
    pub project: Option<ProjectId>,
    /// Sent by this account.
    pub sender: Option<AccountId>,
    /// Sent to this account.
    pub receiver: Option<AccountId>,
}
