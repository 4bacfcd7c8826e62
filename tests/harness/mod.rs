//! What the tests stand on: a running gateway, its databases, its clients.

mod client;
mod database;
mod gateway;
mod mail;
mod openid;
mod socket;

pub use client::Client;
pub use database::{Database, Kind};
pub use gateway::{Gateway, Options, built};
pub use mail::{Mail, mail};
pub use openid::{CLIENT, OpenId, openid};
pub use socket::Socket;

/// Declares a test for each database.
macro_rules! on_both_databases {
    ($(#[$doc:meta])* async fn $name:ident($database:ident: $kind:ty) $body:block) => {
        mod $name {
            use super::*;

            $(#[$doc])*
            async fn run($database: $kind) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::harness::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if $crate::harness::Database::postgres_is_there() {
                    run($crate::harness::Kind::Postgres).await;
                }
            }
        }
    };
}
pub(crate) use on_both_databases;

/// Whether a tool that `.ci/run` installs is there; it has to be where `ENTENTE_TEST_REQUIRE` is set.
pub fn tool_is_there(name: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "{name} is missing");
        eprintln!("left out: {name} is not on this machine; .ci/run installs it");
    }
    found
}
