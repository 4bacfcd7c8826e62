use crate::database::{Database, on_both};
use entente_store::{Store, StoreError};

async fn opens_again(db: Database) {
    let again = Store::open(&db.url).await.unwrap();
    again.ping().await.unwrap();
    assert!(!again.has_operator_token().await.unwrap());
    assert!(again.set_first_operator_token([1; 32]).await.unwrap());
    assert!(!db.store.set_first_operator_token([2; 32]).await.unwrap(), "the first one holds");
}

async fn a_newer_database_is_refused(db: Database) {
    db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')").await.unwrap();
    match Store::open(&db.url).await {
        Err(StoreError::NewerDatabase { found }) => assert_eq!(found, "29991231000001"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
}

on_both!(opens_again, a_newer_database_is_refused);
