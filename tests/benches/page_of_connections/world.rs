//! An account with 200 connections: to as many accounts, with projects and audiences.

use crate::{
    harness::Gateway,
    people::Form,
    stories::{Party, uuid_of},
};
use std::fmt::Write;
use tokio_postgres::NoTls;

const PARTNERS: usize = 200;
const PROJECTS: usize = 3;
const AUDIENCES: usize = 20;

/// Who looks at a page.
pub struct World {
    pub viewer: Party,
}

impl World {
    /// Fills a gateway. What would take long through it is copied behind its back: audiences, and their sizes.
    pub async fn create(gateway: &Gateway, database: &str) -> Self {
        let viewer = Party::create(gateway, "Luma", "ADVERTISER").await;
        let sourced = Party::create(gateway, "TV Tube", "PUBLISHER").await;
        sourced.source(customers(), Form::Hashed).await;
        connect(&viewer, &sourced, false).await;
        for n in 1..PARTNERS {
            let partner = Party::create(gateway, &format!("TV Tube {n}"), "PUBLISHER").await;
            connect(&viewer, &partner, n % 20 == 0).await;
        }
        copy_audiences(database, &uuid_of(&sourced.account), &uuid_of(&viewer.account)).await;
        Self { viewer }
    }

    /// The viewer's account as the database knows it.
    pub fn viewer_id(&self) -> String {
        uuid_of(&self.viewer.account)
    }
}

/// An active connection, which either side may own, with projects.
async fn connect(viewer: &Party, partner: &Party, partner_invites: bool) {
    let connection = if partner_invites {
        let connection = partner.invite_by_code(&viewer.connect_code().await).await;
        viewer.accept_invite(&connection).await;
        let version = partner.propose(&connection, crate::stories::settings("RECIPIENT")).await;
        viewer.accept_settings(&connection, version).await;
        connection
    } else {
        viewer.connect(partner, "RECIPIENT").await
    };
    for n in 1..=PROJECTS {
        viewer.create_project(&connection, &format!("Campaign {n}")).await;
    }
}

/// A few people in each audience.
fn customers() -> String {
    let mut csv = "hashed_email,hashed_phone,audience\n".to_owned();
    for person in 0..AUDIENCES * 10 {
        writeln!(csv, "{person:064x},,Viewers {}", person % AUDIENCES).unwrap();
    }
    csv
}

/// Gives every other account the audiences of one, and all of them sizes, one in a hundred below the threshold.
async fn copy_audiences(database: &str, from: &str, viewer: &str) {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let statements = format!(
        "SELECT setseed(0.5);
         CREATE TEMPORARY TABLE others AS
             SELECT id AS account, gen_random_uuid()::text AS source FROM accounts WHERE id NOT IN ('{from}', '{viewer}');
         INSERT INTO data_connections SELECT (jsonb_populate_record(d,
             jsonb_build_object('id', source, 'account_id', account))).*
             FROM data_connections d CROSS JOIN others WHERE d.account_id = '{from}';
         INSERT INTO audience_slots
             SELECT account, first_name, slot FROM audience_slots CROSS JOIN others WHERE account_id = '{from}';
         INSERT INTO audiences SELECT (jsonb_populate_record(a, jsonb_build_object(
             'id', gen_random_uuid(), 'account_id', account, 'data_connection_id', source))).*
             FROM audiences a CROSS JOIN others WHERE a.account_id = '{from}';
         UPDATE audiences SET identities = json_build_object('HASHED_EMAIL', (random() * 100000)::int)::text;
         UPDATE accounts SET industry = 'Streaming';
         {views}
         ANALYZE;",
        views = include_str!("../peers/views.sql"),
    );
    client.batch_execute(&statements).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}
