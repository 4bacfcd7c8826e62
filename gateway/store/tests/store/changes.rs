use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, invite, job, user},
};
use entente_domain::{
    AccountId, Code, JobId, Refusal,
    account::{AccountChange, Role, update},
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{AuditFilter, AuditOutcome, Change, JobState, LoadedAccount, Outcome, PageRequest, User};
use std::{sync::mpsc, time::Duration};

fn rename(
    name: &str,
) -> impl FnOnce(&LoadedAccount) -> Result<Outcome<entente_domain::account::Account>, Refusal> + use<> {
    let change = AccountChange { name: Some(name.into()), ..AccountChange::default() };
    move |loaded| {
        let next = update(&loaded.account, change, &loaded.keys_in_use, at(5))?;
        let event = NewEvent::of_account(next.id, AccountEventKind::AccountUpdated, Subject::Account(next.id));
        Ok(Outcome::of(next).events([event]))
    }
}

async fn a_refusal_leaves_only_an_audit_entry(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let refused = db.store.change_account(
        change(luma, "updateAccount"),
        luma,
        Box::new(|_: &LoadedAccount| Err(Refusal::new(Code::Invalid, "No."))),
    );
    assert_eq!(refused.await.unwrap().unwrap_err().code, Code::Invalid);
    assert_eq!(db.store.event_range(luma).await.unwrap().latest, 0);
    assert_eq!(db.store.account(luma).await.unwrap().unwrap().version, 1);
    let filter = AuditFilter { action: Some("updateAccount".into()), ..AuditFilter::default() };
    let log = db.store.audit_of_account(luma, filter, PageRequest::first(10)).await.unwrap();
    assert_eq!(log.total, 1);
    assert_eq!((log.items[0].1.outcome, log.items[0].1.code), (AuditOutcome::Denied, Some(Code::Invalid)));
}

async fn a_refusal_after_writing_undoes_the_write(db: Database) {
    let taken =
        User { id: entente_domain::UserId::new(), email: "a@example.com".into(), name: "A".into(), created_at: at(0) };
    let by = || Change { account: None, ..change(AccountId::new(), "createUser") };
    done(db.store.create_user(by(), taken.clone(), [1; 32]).await);
    let again = User { id: entente_domain::UserId::new(), ..taken };
    let by_key = Change { idempotency_key: Some("k".into()), ..by() };
    let refused = db.store.create_user(by_key.clone(), again.clone(), [2; 32]).await.unwrap().unwrap_err();
    assert_eq!(refused.code, Code::AlreadyExists);
    let other = User { email: "b@example.com".into(), ..again };
    let made = done(db.store.create_user(by_key, other, [2; 32]).await);
    assert!(!made.repeated, "the key of a refused request is free");
}

async fn the_audit_log_cannot_be_changed(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    for statement in ["UPDATE audit SET action = 'x'", "DELETE FROM audit"] {
        let refused = db.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("audit cannot be changed"), "{refused}");
    }
    let log = db.store.audit_of_account(luma, AuditFilter::default(), PageRequest::first(10)).await.unwrap();
    assert_eq!(log.into_values()[0].action, "createAccount");
}

async fn an_idempotency_key_gives_the_first_result(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let admin = user(&db, "Ann").await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let store = db.store.clone();
        tasks.push(tokio::spawn(async move {
            let id = entente_domain::ApiKeyId::new();
            let key = entente_store::ApiKey {
                id,
                account: luma,
                name: "CI".into(),
                role: entente_domain::access::MemberRole::Analyst,
                purpose: entente_domain::api_key::Purpose::Account,
                scopes: None,
                expires_at: None,
                revoked_at: None,
                rotated_at: None,
                old_works_until: None,
                last_used_at: None,
                created_at: at(0),
            };
            let by = Change { idempotency_key: Some("once".into()), ..change(luma, "createApiKey") };
            done(store.create_api_key(by, key, crate::world::hash()).await)
        }));
    }
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.unwrap());
    }
    assert!(made.iter().all(|m| m.id == made[0].id));
    assert_eq!(made.iter().filter(|m| !m.repeated).count(), 1);
    assert_eq!(db.store.api_keys_of_account(luma, PageRequest::first(10)).await.unwrap().total, 1);

    let create = |name: &str, seconds| {
        let id = AccountId::new();
        let by = Change {
            actor: entente_domain::access::Actor::User(admin),
            idempotency_key: Some(name.into()),
            now: at(seconds),
            ..change(id, "createAccount")
        };
        let secrets = entente_store::AccountSecrets {
            connect_code_hash: crate::world::hash(),
            connect_code_sealed: Vec::new(),
            coin_secret_sealed: Vec::new(),
        };
        let mut made = None;
        let store = db.store.clone();
        async move {
            let like = store.account(luma).await.unwrap().unwrap();
            made.replace(entente_domain::account::Account { id, ..like });
            done(store.create_account(by, id, admin, secrets, Box::new(move || Ok(Outcome::of(made.unwrap())))).await)
        }
    };
    let first = create("fit", 0).await;
    let again = create("fit", 86_399).await;
    assert_eq!((first.repeated, again.repeated, again.id), (false, true, first.id));
    assert!(!create("fit", 86_400).await.repeated, "after 24 hours it is done again");
}

async fn of_two_at_once_one_wins(db: Database) {
    use entente_domain::{connection::Command, settings::Side};
    let luma = account(&db, "Luma", Role::Advertiser).await;
    for n in 0..10 {
        let other = account(&db, &format!("TV Tube {n}"), Role::Publisher).await;
        let id = invite(&db, luma, other).await;
        let accept = crate::world::command(&db, id, Side::Recipient, Command::AcceptInvite);
        let withdraw = crate::world::command(&db, id, Side::Owner, Command::Withdraw);
        let (accepted, withdrawn) = tokio::join!(accept, withdraw);
        let (accepted, withdrawn) = (accepted.unwrap(), withdrawn.unwrap());
        assert!(withdrawn.is_ok(), "an invite and an accepted invite can both be withdrawn: {withdrawn:?}");
        if let Err(refusal) = accepted {
            assert!(matches!(refusal.code, Code::WrongState | Code::Conflict), "{refusal}");
        }
        let twice = || crate::world::command(&db, id, Side::Owner, Command::Withdraw);
        let (one, other) = tokio::join!(twice(), twice());
        assert!(one.unwrap().is_err() && other.unwrap().is_err(), "it is over");
    }
}

async fn a_stale_version_is_a_conflict(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (loaded, wait) = mpsc::channel();
    let (go, going) = mpsc::channel();
    let store = db.store.clone();
    let slow = tokio::spawn(async move {
        let rule = move |account: &LoadedAccount| {
            loaded.send(()).unwrap();
            going.recv().unwrap();
            rename("Late")(account)
        };
        store.change_account(change(luma, "updateAccount"), luma, Box::new(rule)).await
    });
    tokio::task::spawn_blocking(move || wait.recv().unwrap()).await.unwrap();
    let store = db.store.clone();
    let quick = tokio::spawn(async move {
        store.change_account(change(luma, "updateAccount"), luma, Box::new(rename("Next"))).await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!quick.is_finished(), "it waits for the first");
    go.send(()).unwrap();
    assert_eq!(done(slow.await.unwrap()).profile.name, "Late");
    assert_eq!(done(quick.await.unwrap()).version, 3, "it saw what the first wrote");
}

async fn who_hangs_up_leaves_nothing_open(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    for n in 0..10 {
        let rule = move |loaded: &LoadedAccount| {
            std::thread::sleep(Duration::from_millis(30));
            rename(&format!("Luma {n}"))(loaded)
        };
        let abandoned = db.store.change_account(change(luma, "updateAccount"), luma, Box::new(rule));
        assert!(tokio::time::timeout(Duration::from_millis(5), abandoned).await.is_err());
        let ids = [luma];
        let read = db.store.accounts_by_ids(&ids);
        let _dropped = tokio::time::timeout(Duration::from_micros(10), read).await;
    }
    let last = done(db.store.change_account(change(luma, "updateAccount"), luma, Box::new(rename("Luma"))).await);
    assert!(last.version > 1);
    // On PostgreSQL the last one may overtake those that were abandoned.
    for _ in 0..200 {
        if db.store.event_range(luma).await.unwrap().latest == 11 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(db.store.event_range(luma).await.unwrap().latest, 11, "what was begun was finished");
    assert_eq!(db.store.account(luma).await.unwrap().unwrap().version, 12);
}

async fn a_rule_that_panics_leaves_nothing_open(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let broken = db.store.change_account(
        change(luma, "updateAccount"),
        luma,
        Box::new(|_: &LoadedAccount| panic!("on purpose")),
    );
    assert!(broken.await.is_err());
    assert_eq!(
        done(db.store.change_account(change(luma, "updateAccount"), luma, Box::new(rename("Luma"))).await).version,
        2
    );
}

async fn jobs_and_wakeups_come_with_the_change(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let mut wakeups = db.store.wakeups();
    let id = JobId::new();
    let rule = move |loaded: &LoadedAccount| Ok(rename("Luma")(loaded)?.job(job(id, "tidy", "luma", luma)));
    done(db.store.change_account(change(luma, "updateAccount"), luma, Box::new(rule)).await);
    assert_eq!(wakeups.recv().await.unwrap(), entente_store::Wakeup::Events(luma));
    assert_eq!(wakeups.recv().await.unwrap(), entente_store::Wakeup::Jobs);
    assert_eq!(db.store.job(id).await.unwrap().unwrap().state, JobState::Queued);
}

on_both!(
    a_refusal_leaves_only_an_audit_entry,
    a_refusal_after_writing_undoes_the_write,
    the_audit_log_cannot_be_changed,
    an_idempotency_key_gives_the_first_result,
    of_two_at_once_one_wins,
    a_stale_version_is_a_conflict,
    who_hangs_up_leaves_nothing_open,
    a_rule_that_panics_leaves_nothing_open,
    jobs_and_wakeups_come_with_the_change,
);
