//! What an event or a line of the audit log is about.

use crate::graphql::id::global;
use async_graphql::ID;
use entente_domain::event::Subject;

/// The global id of a subject.
pub fn global_id(subject: Subject) -> ID {
    match subject {
        Subject::Account(id) => global(id),
        Subject::DataConnection(id) => global(id),
        Subject::Crosswalk(id) => global(id),
        Subject::Audience(id) => global(id),
        Subject::Connection(id) => global(id),
        Subject::Project(id) => global(id),
        Subject::Destination(id) => global(id),
        Subject::SentAudience(id) => global(id),
        Subject::Activation(id) => global(id),
        Subject::EventDataSet(id) => global(id),
        Subject::Report(id) => global(id),
    }
}
