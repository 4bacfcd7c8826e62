//! Luma, whose people are in question.

use super::world::{DELIVERED, World, audience_name};
use crate::{
    harness::Gateway,
    people::Form,
    stories::{Party, settings},
};
use serde_json::json;

pub struct Victim {
    pub party: Party,
}

impl Victim {
    pub async fn create(gateway: &Gateway, level: &str, world: &World) -> Self {
        let party = Party::create_with_level(gateway, "Luma", "ADVERTISER", level).await;
        party.source(world.visible_csv(), Form::Hashed).await;
        party.source_for(world.private_csv(), Form::Hashed, json!({ "private": true })).await;
        party.create_destination().await;
        Self { party }
    }

    /// Connects an attacker; its project.
    pub async fn connect(&self, attacker: &Party) -> String {
        let connection = attacker.invite_by_code(&self.party.connect_code().await).await;
        self.party.accept_invite(&connection).await;
        let version = attacker.propose(&connection, settings("BOTH")).await;
        self.party.accept_settings(&connection, version).await;
        attacker.create_project(&connection, "Together").await
    }

    /// Sends one audience to an attacker, as both agreed.
    pub async fn send(&self, project: &str) {
        let audience = &self.party.audiences().await[&audience_name(DELIVERED)];
        let sent = self.party.send(project, audience, &[]).await;
        assert_eq!(sent["userErrors"], json!([]));
    }
}
