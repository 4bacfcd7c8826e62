//! The GraphQL schema: one file per noun of the product, nothing in them but translation.

mod access;
pub mod account;
mod account_mutation;
mod activation;
mod agency;
pub mod answer;
mod api_key;
mod attribution;
mod audience;
mod audience_access;
mod audit;
mod campaign;
mod collaborator;
mod connection;
mod conversion_event;
pub mod cost;
mod credit;
mod crosswalk;
mod data_connection;
mod data_source;
mod deletion;
mod delivery;
mod destination;
mod destination_consent;
mod discover;
mod drift;
mod email_invite;
pub mod event;
mod event_columns;
mod event_data_set;
mod event_webhook;
pub mod fault;
pub mod id;
mod invitation;
mod job;
mod loaders;
mod match_key;
mod member;
mod node;
mod opt_out;
mod opt_out_source;
pub mod page;
mod partner_audience;
pub mod picture;
mod project;
mod refresh;
mod refresh_schedule;
mod report;
mod report_figures;
mod report_link;
mod report_provenance;
mod scalar;
mod sent_audience;
mod settings;
mod settings_change;
mod settings_draft;
mod sourcing;
pub mod subject;
mod upload;
mod user;

pub use access::actor_name;

use crate::{gateway::Gateway, http::request_id::RequestId};
use async_graphql::{MergedObject, Request, SDLExportOptions};
use entente_domain::access::Viewer;
use std::sync::Arc;

/// Fields of the query type.
#[derive(Default, MergedObject)]
pub struct Query(
    user::ViewerQuery,
    node::NodeQuery,
    account::AccountQuery,
    collaborator::CollaboratorQuery,
    connection::ConnectionQuery,
    email_invite::EmailInviteQuery,
    project::ProjectQuery,
    upload::UploadQuery,
    destination::DestinationQuery,
    data_source::DataSourceQuery,
);

/// Fields of the mutation type.
#[derive(Default, MergedObject)]
pub struct Mutation(
    user::UserMutation,
    account_mutation::AccountMutation,
    agency::AgencyMutation,
    member::MemberMutation,
    invitation::InvitationMutation,
    api_key::ApiKeyMutation,
    connection::ConnectionMutation,
    email_invite::EmailInviteMutation,
    settings_draft::SettingsDraftMutation,
    settings_change::SettingsChangeMutation,
    project::ProjectMutation,
    SourcingMutation,
    audience::AudienceMutation,
    event_data_set::EventDataSetMutation,
    ReportsMutation,
    destination::DestinationMutation,
    destination_consent::DestinationConsentMutation,
    sent_audience::SentAudienceMutation,
    activation::ActivationMutation,
    event_webhook::EventWebhookMutation,
    credit::CreditMutation,
);

/// Fields of the mutation type about what is sourced: together, as the compiler follows only so many types one after the
/// other.
#[derive(Default, MergedObject)]
pub struct SourcingMutation(
    upload::UploadMutation,
    data_connection::DataConnectionMutation,
    data_source::DataSourceMutation,
    drift::DriftMutation,
    opt_out::OptOutMutation,
    opt_out_source::OptOutSourceMutation,
    crosswalk::CrosswalkMutation,
);

/// Fields of the mutation type about reports.
#[derive(Default, MergedObject)]
pub struct ReportsMutation(report::ReportMutation, report_link::ReportLinkMutation);

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, event::Subscriptions>;

/// How deep a document may nest, and what it may cost: each field is one, each item of a page its fields.
const DEPTH: usize = 16;
const COMPLEXITY: usize = 100_000;
/// Directives of one field.
const DIRECTIVES: usize = 8;

/// Builds the schema. Without introspection it tells nothing of itself, by suggestions neither.
pub fn schema(introspection: bool) -> Schema {
    let schema = async_graphql::Schema::build(Query::default(), Mutation::default(), event::Subscriptions)
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
        .limit_directives(DIRECTIVES);
    if introspection { schema.finish() } else { schema.disable_introspection().disable_suggestions().finish() }
}

/// The schema as text, as `schema.graphql` holds it.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    schema(true).sdl_with_options(options.include_specified_by())
}

/// Gives an operation what its resolvers need; its loaders are its own.
pub fn operation_data(request: Request, gateway: &Arc<Gateway>, viewer: Option<Viewer>, id: &RequestId) -> Request {
    request
        .data(gateway.clone())
        .data(access::Caller { viewer, request_id: id.clone() })
        .data(loaders::Loaders::new(gateway.store()))
}
