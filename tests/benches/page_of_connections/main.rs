//! The same page of 50 connections with accounts, projects and audiences on PostgreSQL, by the gateway, by PostGraphile 5, by
//! Mercurius 16, by bare async-graphql and by bare axum with the gateway's SQL. `cargo bench --workspace --bench page_of_connections`; takes some
//! minutes. Needs Linux, PostgreSQL and npm, which installs the peers.
//!
//! The gateway checks a key in each request; the others are asked without one.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../../harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "what tests need and this does not")]
mod harness;
#[path = "../../people.rs"]
#[expect(dead_code, reason = "what tests need and this does not")]
mod people;
#[path = "../../stories.rs"]
#[expect(dead_code, reason = "what tests need and this does not")]
mod stories;

mod bare_axum;
mod bare_graphql;
mod load;
mod page;
mod peers;
mod postgres;
mod processor_time;
mod report;
mod world;

use harness::{Gateway, Kind, Options};
use peers::Peer;
use processor_time::between;
use std::time::Duration;

/// Connections of the client at a time.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// The servers take turns this often, so that what else the machine does meets all of them.
const ROUNDS: usize = 4;
const RUN: Duration = Duration::from_secs(2);
/// Long enough for node to have compiled what is hot.
const WARM_UP: Duration = Duration::from_secs(6);

/// With this argument the program is the bare server.
const BARE: &str = "bare-axum";

fn main() {
    if std::env::args().any(|a| a == BARE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(bare_axum::serve());
    }
    if !postgres::is_named() {
        return postgres::Server::start().run_with_it();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    peers::install();
    let settings = vec![
        ("ENTENTE_REQUESTS_PER_MINUTE", "100000000".to_owned()),
        // The clock of the program itself, which is no file that is read each time.
        ("TEST_CLOCK_FILE", String::new()),
    ];
    let gateway = Gateway::start_with(Kind::Postgres, Options { settings }).await;
    let database = gateway.database().url(gateway.data());
    let world = world::World::create(&gateway, &database).await;
    let peers = [
        Peer::gateway(&gateway, &world),
        Peer::postgraphile(&database, &world),
        Peer::mercurius(&database, &world),
        Peer::bare_graphql(&database, &world),
        Peer::bare_axum(&database, &world),
    ];
    let backends = processor_time::Backends::of(&database).await;
    alike(&peers).await;
    for peer in &peers {
        load::run(peer, 8, WARM_UP).await;
    }
    let mut figures = report::Figures::default();
    for clients in CLIENTS {
        for _ in 0..ROUNDS {
            for (place, peer) in peers.iter().enumerate() {
                let before = (peer.processor_time(), backends.processor_time().await);
                let times = load::run(peer, clients, RUN).await;
                let after = (peer.processor_time(), backends.processor_time().await);
                figures.add(place, clients, &times, after.0 - before.0, between(&before.1, &after.1));
            }
        }
    }
    figures.print(&peers.each_ref().map(|p| p.name), &CLIENTS);
}

/// All answer the same page.
async fn alike(peers: &[Peer]) {
    let expected = peers[0].page().await;
    page::check(&expected);
    for peer in &peers[1..] {
        let page = peer.page().await;
        for (ours, theirs) in expected.iter().zip(&page) {
            assert_eq!(ours, theirs, "{}", peer.name);
        }
        assert_eq!(expected.len(), page.len(), "{}", peer.name);
    }
}
