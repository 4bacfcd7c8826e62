//! The same as a GraphQL server that does nothing but answer this page: what async-graphql itself takes. All is read before
//! the first field is resolved, and no field waits for anything.

use crate::bare_axum::{self, Readers};
use async_graphql::{EmptyMutation, EmptySubscription, ID, Object, Schema, SimpleObject};
use async_graphql_axum::GraphQL;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Answers the page.
pub fn service(readers: Arc<Readers>) -> GraphQL<Schema<Query, EmptyMutation, EmptySubscription>> {
    GraphQL::new(Schema::new(Query(readers), EmptyMutation, EmptySubscription))
}

pub struct Query(Arc<Readers>);

#[Object]
impl Query {
    async fn account(&self, id: ID) -> Account {
        self.0
            .page(&id, |page| Account { connections: page.connections.into_iter().map(Connection::of).collect() })
            .await
    }
}

#[derive(SimpleObject)]
struct Account {
    connections: Vec<Connection>,
}

#[derive(SimpleObject)]
struct Connection {
    id: String,
    state: String,
    partner: Partner,
    projects: Vec<Project>,
}

#[derive(SimpleObject)]
struct Partner {
    id: String,
    name: String,
    role: String,
    industry: String,
    audiences: Vec<Audience>,
}

#[derive(SimpleObject)]
struct Project {
    id: String,
    name: String,
    created_at: DateTime<Utc>,
}

#[derive(SimpleObject)]
struct Audience {
    id: String,
    name: String,
    identity_count: Option<u64>,
}

impl Connection {
    fn of(row: bare_axum::Connection<'_>) -> Self {
        let project = |project: bare_axum::Project<'_>| Project {
            id: project.id.to_owned(),
            name: project.name.to_owned(),
            created_at: project.created_at,
        };
        Self {
            id: row.id.to_owned(),
            state: row.state.to_owned(),
            partner: Partner::of(row.partner),
            projects: row.projects.into_iter().map(project).collect(),
        }
    }
}

impl Partner {
    fn of(row: bare_axum::Partner<'_>) -> Self {
        let audience = |audience: bare_axum::Audience<'_>| Audience {
            id: audience.id.to_owned(),
            name: audience.name.to_owned(),
            identity_count: audience.identity_count,
        };
        Self {
            id: row.id.to_owned(),
            name: row.name.to_owned(),
            role: row.role.to_owned(),
            industry: row.industry.to_owned(),
            audiences: row.audiences.into_iter().map(audience).collect(),
        }
    }
}
