//! What reads the input of strangers, for tests that make such input up. Never in a build that people use.

pub use crate::{
    graphql::{
        event::{cursor as event_cursor, parse_cursor as parse_event_cursor},
        id::{global_as, parse as parse_id},
        page::{arguments, cursor, part_of},
        picture::logo,
    },
    http::graphql_request::{from_body, from_parameters},
};

use crate::{
    alone,
    gateway::Gateway,
    http::{self, documents::Documents},
    secrets::{new_token, token_hash},
    settings::{DEFAULTS, Settings},
};
use axum::Router;
use entente_domain::{UserId, access::Actor};
use entente_store::{Change, User};
use std::path::Path;

/// All addresses of a gateway, and the token of a user who is in no account and can create none.
pub struct Addresses {
    /// The addresses.
    pub router: Router,
    /// The token.
    pub token: String,
}

/// Opens a gateway on a database below a folder that is there.
pub async fn open(data: &Path) -> Result<Addresses, Box<dyn std::error::Error + Send + Sync>> {
    let settings: Settings = toml::from_str(DEFAULTS)?;
    let settings = Settings { data: data.to_owned(), self_service: false, requests_per_minute: u32::MAX, ..settings };
    let documents = Documents::read(&settings)?;
    let gateway = alone::gateway(settings).await?;
    let token = stranger(&gateway).await?;
    Ok(Addresses { router: http::router(gateway, documents), token })
}

async fn stranger(gateway: &Gateway) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let now = crate::clock::now();
    let change = Change {
        actor: Actor::Operator,
        account: None,
        agency: None,
        request_id: "fuzzing".to_owned(),
        action: "createUser",
        subject: None,
        idempotency_key: None,
        now,
    };
    let email = "stranger@elsewhere.example".to_owned();
    let user = User { id: UserId::new(), email, name: "Stranger".to_owned(), created_at: now };
    let token = new_token("eu");
    gateway.store().create_user(change, user, token_hash(&token)).await??;
    Ok(token)
}
