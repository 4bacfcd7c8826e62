//! What an event or a line of the audit log is about.

use crate::graphql::id::{Global, global, parse};
use async_graphql::ID;
use entente_domain::{
    AccountId, ActivationId, AudienceId, ConnectionId, CrosswalkId, DataConnectionId, DestinationId, EventDataSetId,
    EventWebhookId, ProjectId, Refusal, ReportId, SentAudienceId, event::Subject,
};

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
        Subject::EventWebhook(id) => global(id),
        Subject::Report(id) => global(id),
    }
}

/// The subject of a global id. What is malformed or of a type that nothing is about reads like what does not exist.
pub fn local(id: &ID, field: &str) -> Result<Subject, Refusal> {
    let (type_name, uuid) = parse(id).ok_or_else(|| Refusal::not_found("object").at(field))?;
    Ok(match type_name.as_str() {
        AccountId::TYPE => Subject::Account(AccountId(uuid)),
        DataConnectionId::TYPE => Subject::DataConnection(DataConnectionId(uuid)),
        CrosswalkId::TYPE => Subject::Crosswalk(CrosswalkId(uuid)),
        AudienceId::TYPE => Subject::Audience(AudienceId(uuid)),
        ConnectionId::TYPE => Subject::Connection(ConnectionId(uuid)),
        ProjectId::TYPE => Subject::Project(ProjectId(uuid)),
        DestinationId::TYPE => Subject::Destination(DestinationId(uuid)),
        SentAudienceId::TYPE => Subject::SentAudience(SentAudienceId(uuid)),
        ActivationId::TYPE => Subject::Activation(ActivationId(uuid)),
        EventDataSetId::TYPE => Subject::EventDataSet(EventDataSetId(uuid)),
        EventWebhookId::TYPE => Subject::EventWebhook(EventWebhookId(uuid)),
        ReportId::TYPE => Subject::Report(ReportId(uuid)),
        _ => return Err(Refusal::not_found("object").at(field)),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::{JobId, UserId};

    #[test]
    fn subjects_are_found_by_their_global_ids() {
        let subjects = [
            Subject::Account(AccountId::new()),
            Subject::DataConnection(DataConnectionId::new()),
            Subject::Crosswalk(CrosswalkId::new()),
            Subject::Audience(AudienceId::new()),
            Subject::Connection(ConnectionId::new()),
            Subject::Project(ProjectId::new()),
            Subject::Destination(DestinationId::new()),
            Subject::SentAudience(SentAudienceId::new()),
            Subject::Activation(ActivationId::new()),
            Subject::EventDataSet(EventDataSetId::new()),
            Subject::EventWebhook(EventWebhookId::new()),
            Subject::Report(ReportId::new()),
        ];
        for subject in subjects {
            assert_eq!(local(&global_id(subject), "subjectId").unwrap(), subject);
        }
        for id in [global(UserId::new()), global(JobId::new()), ID::from("Luma")] {
            assert_eq!(local(&id, "subjectId"), Err(Refusal::not_found("object").at("subjectId")));
        }
    }
}
