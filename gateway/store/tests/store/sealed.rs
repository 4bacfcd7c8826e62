//! What is sealed, and the key that it is sealed under.

use crate::{
    database::{Database, done, on_both},
    world::{account, change, hash, upload},
};
use diesel::{Connection, QueryableByName, SqliteConnection, sql_types::Text};
use entente_domain::account::Role;
use entente_store::{Sealed, Store, StoreError, Unopened, VisitSealed};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

fn first() -> Vec<(String, Vec<u8>)> {
    vec![("index keys".to_owned(), vec![5])]
}

type Visited = Vec<(Sealed, Vec<u8>)>;

/// Collects what is visited, and replaces each value by one byte more of it.
fn longer(seen: &Arc<Mutex<Visited>>) -> VisitSealed {
    let seen = seen.clone();
    Box::new(move |sealed, value| {
        seen.lock().unwrap().push((sealed.clone(), value.to_vec()));
        Ok(Some([value, &[0xff]].concat()))
    })
}

async fn the_first_key_holds(db: Database) {
    assert_eq!(db.store.gateway_key().await.unwrap(), None);
    let secrets = db.store.gateway_secrets("a", first()).await.unwrap();
    assert_eq!(secrets["index keys"], [5]);
    let again = Store::open(&db.url).await.unwrap();
    let other = vec![("index keys".to_owned(), vec![6])];
    match again.gateway_secrets("b", other.clone()).await {
        Err(StoreError::AnotherKey { found }) => assert_eq!(found, "a"),
        unexpected => panic!("{unexpected:?}"),
    }
    assert_eq!(again.gateway_secrets("a", other).await.unwrap()["index keys"], [5], "the first secrets hold");
}

async fn of_two_first_starts_one_wins(db: Database) {
    let other = Store::open(&db.url).await.unwrap();
    let (one, two) = tokio::join!(db.store.gateway_secrets("a", first()), other.gateway_secrets("b", first()));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
}

async fn all_is_sealed_anew_or_nothing(db: Database) {
    db.store.gateway_secrets("a", first()).await.unwrap();
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let upload = upload(&db, luma).await;
    let seen = Arc::default();
    let rotation = Store::open(&db.url).await.unwrap();
    assert_eq!(rotation.reseal("a", "b", longer(&seen)).await.unwrap(), 4);
    let visited: BTreeSet<Sealed> = seen.lock().unwrap().iter().map(|(sealed, _)| sealed.clone()).collect();
    let expected = [
        Sealed::GatewaySecret("index keys".to_owned()),
        Sealed::ConnectCode(luma),
        Sealed::CoinSecret(luma),
        Sealed::UploadKey(upload),
    ];
    assert_eq!(visited, expected.into());
    assert_eq!(rotation.gateway_key().await.unwrap().as_deref(), Some("b"));
    assert_eq!(rotation.standings(&[luma]).await.unwrap()[&luma].coin_secret_sealed, [2, 0xff]);
    assert_eq!(rotation.upload(upload).await.unwrap().unwrap().sealed_key, [3, 0xff]);

    let spoilt: VisitSealed = Box::new(move |sealed, value| match sealed {
        Sealed::UploadKey(_) => Err(Unopened),
        _ => Ok(Some(value.to_vec().repeat(2))),
    });
    match rotation.reseal("b", "c", spoilt).await {
        Err(StoreError::Unopened(sealed)) => assert_eq!(sealed, Sealed::UploadKey(upload)),
        unexpected => panic!("{unexpected:?}"),
    }
    assert_eq!(rotation.gateway_key().await.unwrap().as_deref(), Some("b"));
    assert_eq!(rotation.standings(&[luma]).await.unwrap()[&luma].coin_secret_sealed, [2, 0xff]);
    assert!(matches!(rotation.reseal("a", "c", longer(&seen)).await, Err(StoreError::AnotherKey { .. })));
    assert_eq!(rotation.visit_sealed(longer(&seen)).await.unwrap(), 4);
    assert_eq!(
        rotation.standings(&[luma]).await.unwrap()[&luma].coin_secret_sealed,
        [2, 0xff],
        "who looks changes nothing"
    );
}

async fn who_has_an_old_key_writes_nothing(db: Database) {
    db.store.gateway_secrets("a", first()).await.unwrap();
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let refresh = |store: &Store| {
        let store = store.clone();
        async move { store.refresh_connect_code(change(luma, "refreshConnectCode"), luma, hash(), vec![9]).await }
    };
    done(refresh(&db.store).await);
    let rotation = Store::open(&db.url).await.unwrap();
    // Rotations wait for those who write, and those who write later find another key.
    let writers = (0..24).map(|_| tokio::spawn(refresh(&db.store))).collect::<Vec<_>>();
    let rotated = rotation.reseal("a", "b", longer(&Arc::default())).await.unwrap();
    assert_eq!(rotated, 3);
    for writer in writers {
        match writer.await.unwrap() {
            Ok(written) => written.unwrap(),
            Err(StoreError::AnotherKey { found }) => assert_eq!(found, "b"),
            Err(other) => panic!("{other}"),
        }
    }
    let code = rotation.connect_codes_sealed(&[luma]).await.unwrap()[&luma].clone();
    assert_eq!(code, [9, 0xff], "what was written under the old key was sealed anew");
    assert!(matches!(refresh(&db.store).await, Err(StoreError::AnotherKey { .. })));
    assert!(matches!(db.store.gateway_fact_or("x", "y").await, Err(StoreError::AnotherKey { .. })));
    let now_with_b = Store::open(&db.url).await.unwrap();
    now_with_b.gateway_secrets("b", Vec::new()).await.unwrap();
    done(refresh(&now_with_b).await);
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    place: String,
}

/// Who adds a column that is sealed has to add it to what is sealed anew.
#[tokio::test]
async fn every_sealed_column_is_visited() {
    crate::database::on_sqlite(async |db: Database| {
        let mut conn = SqliteConnection::establish(&db.url).unwrap();
        let statement = "SELECT m.name || '.' || c.name AS place FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                         WHERE m.type = 'table' AND c.name LIKE '%sealed%' ORDER BY place";
        let columns: Vec<Column> = diesel::RunQueryDsl::load(diesel::sql_query(statement), &mut conn).unwrap();
        let columns: Vec<&str> = columns.iter().map(|c| c.place.as_str()).collect();
        let visited = [
            "accounts.coin_secret_sealed",
            "accounts.connect_code_sealed",
            "deliveries.plugin_state_sealed",
            "destinations.settings_sealed",
            "event_webhooks.old_secret_sealed",
            "event_webhooks.secret_sealed",
            "gateway_secrets.secret_sealed",
            "oauth_consents.secrets_sealed",
            "sources.settings_sealed",
            "uploads.sealed_key",
        ];
        assert_eq!(columns, visited, "gateway/store/src/queries/sealed.rs visits these");
    })
    .await;
}

on_both!(
    the_first_key_holds,
    of_two_first_starts_one_wins,
    all_is_sealed_anew_or_nothing,
    who_has_an_old_key_writes_nothing,
);
