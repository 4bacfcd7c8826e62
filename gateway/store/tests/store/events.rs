use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, invite},
};
use entente_domain::{
    Refusal,
    account::Role,
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{LoadedAccount, Outcome, Store, Stream, Wakeup};

async fn numbers_have_no_gaps(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let fit = account(&db, "Fit Apparel", Role::Advertiser).await;
    let mut tasks = Vec::new();
    for n in 0..50 {
        let store = db.store.clone();
        // Half of them write in the other order; a third is refused and must not take a number.
        let (first, second) = if n % 2 == 0 { (luma, fit) } else { (fit, luma) };
        tasks.push(tokio::spawn(async move {
            let rule = move |loaded: &LoadedAccount| {
                if n % 3 == 0 {
                    return Err(Refusal::new(entente_domain::Code::Invalid, "No."));
                }
                let mut next = loaded.account.clone();
                next.version += 1;
                let event = |a| NewEvent::of_account(a, AccountEventKind::AccountUpdated, Subject::Account(a));
                Ok(Outcome::of(next).events([event(first), event(second), event(first)]))
            };
            store.change_account(change(first, "updateAccount"), first, Box::new(rule)).await.unwrap().is_ok()
        }));
    }
    let mut written = 0;
    for task in tasks {
        written += i64::from(task.await.unwrap());
    }
    assert_eq!(written, 33);
    let mut total = 0;
    for id in [luma, fit] {
        let events = db.store.events_after(id, 0, 1_000, None).await.unwrap();
        let numbers: Vec<i64> = events.iter().map(|e| e.number).collect();
        let range = db.store.event_range(id).await.unwrap();
        assert_eq!(numbers, (1..=range.latest).collect::<Vec<_>>());
        assert_eq!(range.oldest, 1);
        total += range.latest;
    }
    assert_eq!(total, 3 * written);
}

async fn streams_and_retention(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    assert_eq!(db.store.event_range(luma).await.unwrap(), entente_store::EventRange { oldest: 1, latest: 0 });
    invite(&db, luma, tv).await;
    let rule = |loaded: &LoadedAccount| {
        let next = entente_domain::account::Account { version: loaded.account.version + 1, ..loaded.account.clone() };
        let event = NewEvent::of_account(next.id, AccountEventKind::AccountUpdated, Subject::Account(next.id));
        Ok(Outcome::of(next).events([event]))
    };
    done(db.store.change_account(change(luma, "updateAccount"), luma, Box::new(rule)).await);
    for (stream, numbers) in [(Some(Stream::Connection), vec![1]), (Some(Stream::Account), vec![2]), (None, vec![1, 2])]
    {
        let events = db.store.events_after(luma, 0, 10, stream).await.unwrap();
        assert_eq!(events.iter().map(|e| e.number).collect::<Vec<_>>(), numbers);
    }
    assert_eq!(db.store.events_after(luma, 1, 10, None).await.unwrap()[0].number, 2);
    assert_eq!(db.store.delete_old_events(at(90 * 86_400)).await.unwrap(), 0);
    assert_eq!(db.store.delete_old_events(at(90 * 86_400 + 1)).await.unwrap(), 3);
    assert_eq!(db.store.event_range(luma).await.unwrap(), entente_store::EventRange { oldest: 3, latest: 2 });
}

/// A store beside another one on the same PostgreSQL hears what that one writes, also after its connection was cut. A
/// file has one store.
async fn others_are_heard(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    if !db.url.starts_with("postgres") {
        assert!(db.store.hears_all());
        return;
    }
    let other = Store::open(&db.url).await.unwrap();
    assert!(!other.hears_all());
    let mut wakeups = other.wakeups();
    let hearing = tokio::spawn({
        let other = other.clone();
        async move { other.hear_others().await }
    });
    assert_eq!(wakeups.recv().await.unwrap(), Wakeup::AllEvents);
    assert!(other.hears_all());
    invite(&db, luma, tv).await;
    let heard = [wakeups.recv().await.unwrap(), wakeups.recv().await.unwrap()];
    assert!(heard.contains(&Wakeup::Events(luma)) && heard.contains(&Wakeup::Events(tv)), "{heard:?}");

    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    db.execute(cut).await.unwrap();
    assert_eq!(wakeups.recv().await.unwrap(), Wakeup::AllEvents, "it says that it hears nothing");
    assert_eq!(wakeups.recv().await.unwrap(), Wakeup::AllEvents, "it hears again");
    let rule = |loaded: &LoadedAccount| {
        let next = entente_domain::account::Account { version: loaded.account.version + 1, ..loaded.account.clone() };
        let event = NewEvent::of_account(next.id, AccountEventKind::AccountUpdated, Subject::Account(next.id));
        Ok(Outcome::of(next).events([event]))
    };
    let refused = |_: &LoadedAccount| Err(Refusal::new(entente_domain::Code::Invalid, "No."));
    db.store.change_account(change(tv, "updateAccount"), tv, Box::new(refused)).await.unwrap().unwrap_err();
    done(db.store.change_account(change(luma, "updateAccount"), luma, Box::new(rule)).await);
    assert_eq!(wakeups.recv().await.unwrap(), Wakeup::Events(luma));
    hearing.abort();
}

on_both!(numbers_have_no_gaps, streams_and_retention, others_are_heard);
