use crate::{
    database::{Database, done, on_both},
    world::{account, at, change},
};
use chrono::TimeDelta;
use entente_domain::{
    AccountId, AuditEntryId, Code, UserId,
    access::Actor,
    account::{Account, AccountChange, Role, update},
    audit_chain::{Entry, FIRST, Fault, Link},
    event::{AccountEventKind, NewEvent, Subject},
};
use entente_store::{AuditFilter, Change, LoadedAccount, Outcome, PageRequest, Rule, Store};

/// What keeps the tables as they are.
const GUARDS: [[&str; 6]; 2] = [
    [
        "DROP TRIGGER audit_is_never_updated",
        "DROP TRIGGER audit_is_never_deleted",
        "DROP TRIGGER audit_is_chained",
        "DROP TRIGGER audit_chain_is_never_updated",
        "DROP TRIGGER audit_chain_is_never_deleted",
        "DROP TRIGGER audit_heads_are_never_deleted",
    ],
    [
        "DROP TRIGGER audit_is_append_only ON audit",
        "DROP TRIGGER audit_is_chained ON audit",
        "DROP TRIGGER audit_chain_is_append_only ON audit_chain",
        "DROP TRIGGER audit_heads_are_never_deleted ON audit_heads",
        "DROP TRIGGER audit_heads_go_forward ON audit_heads",
        "DROP TRIGGER audit_chain_is_never_emptied ON audit_chain",
    ],
];

/// Goes around the guards, as somebody with the database's password can.
async fn unguarded(db: &Database) {
    let postgres = db.url.starts_with("postgres");
    for guard in GUARDS[usize::from(postgres)] {
        db.execute(guard).await.unwrap();
    }
    if !postgres {
        db.execute("DROP TRIGGER audit_heads_go_forward").await.unwrap();
    }
}

/// Entries of an account in which no column is empty, each with its number as its request.
async fn entries(db: &Database, account: AccountId, requests: std::ops::Range<i64>) -> Vec<Link> {
    let actor = Actor::User(UserId::new());
    for request in requests {
        let subject = Some(Subject::Account(account));
        let (request_id, now) = (request.to_string(), at(request));
        let by = Change { actor, subject, request_id, now, ..change(account, "updateAccount") };
        db.store.record_refusal(by, Code::Invalid).await.unwrap();
    }
    db.store.audit_links_after(&account.to_string(), 0).await.unwrap()
}

async fn faults(db: &Database, account: AccountId) -> Vec<Fault> {
    db.store.verify_audit_chain(&account.to_string()).await.unwrap().faults
}

async fn an_entry_is_hashed_as_it_is_kept(db: Database) {
    let luma = AccountId::new();
    let now = at(3) + TimeDelta::nanoseconds(1_234_567);
    let by = || Change { now, ..change(luma, "invite") };
    db.store.record_refusal(by(), Code::Forbidden).await.unwrap();
    db.store.record_refusal(Change { account: None, ..by() }, Code::Forbidden).await.unwrap();
    for (chain, account_id) in [(luma.to_string(), Some(luma.to_string())), ("operator".to_owned(), None)] {
        let links = db.store.audit_links_after(&chain, 0).await.unwrap();
        let entry = Entry {
            id: links[0].entry_id.clone(),
            account_id,
            at: at(3) + TimeDelta::microseconds(1_234),
            actor_kind: "gateway".into(),
            actor_id: None,
            action: "invite".into(),
            subject_kind: None,
            subject_id: None,
            request_id: "request".into(),
            outcome: "DENIED".into(),
            code: Some("FORBIDDEN".into()),
            details: None,
            agency_id: None,
        };
        let hash = entry.hash(FIRST, 1);
        let entry_id = entry.id.clone();
        assert_eq!(links, [Link { sequence: 1, entry_id, hash: hash.clone(), entry: Some(entry) }]);
        let verified = db.store.verify_audit_chain(&chain).await.unwrap();
        assert_eq!((verified.entries, verified.head, verified.faults), (1, hash, Vec::new()));
    }
    assert_eq!(db.store.audit_chains_after("").await.unwrap(), [luma.to_string(), "operator".into()]);
    let shown = db.store.audit_of_account(luma, AuditFilter::default(), PageRequest::first(9)).await.unwrap();
    assert_eq!(shown.items[0].1.sequence, Some(1));
    assert_eq!(shown.items[0].1.hash, db.store.audit_hash_at(&luma.to_string(), 1).await.unwrap());
}

async fn chains_are_kept_by_the_database(db: Database) {
    entries(&db, AccountId::new(), 1..3).await;
    for (statement, refusal) in [
        ("UPDATE audit_chain SET hash = 'x'", "audit_chain cannot be changed"),
        ("DELETE FROM audit_chain", "audit_chain cannot be changed"),
        ("UPDATE audit_heads SET hash = 'x'", "audit_heads cannot be changed"),
        ("UPDATE audit_heads SET sequence = 1", "audit_heads cannot be changed"),
        ("UPDATE audit_heads SET chain = 'x', sequence = 9", "audit_heads cannot be changed"),
        ("DELETE FROM audit_heads", "audit_heads cannot be changed"),
        (
            "INSERT INTO audit (id, at, actor_kind, action, request_id, outcome) \
             SELECT 'x', at, actor_kind, action, request_id, outcome FROM audit LIMIT 1",
            "audit entries are chained",
        ),
    ] {
        let refused = db.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains(refusal), "{statement}: {refused}");
    }
}

/// Statements with places for a chain, its entries `{1}` to `{5}`, the hash `{hash}` of the fourth and the id `{new}`.
async fn tamper(db: &Database, statements: &[&str], links: &[Link], new: &str) {
    let chain = links[0].entry.as_ref().unwrap().chain().to_owned();
    for statement in statements {
        let mut statement = statement.replace("{chain}", &chain).replace("{new}", new);
        statement = statement.replace("{hash}", &links[3].hash);
        for link in links {
            statement = statement.replace(&format!("{{{}}}", link.sequence), &link.entry_id);
        }
        db.execute(&statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
}

const COPY: &str = "INSERT INTO audit (id, account_id, at, actor_kind, action, request_id, outcome) \
                    SELECT '{new}', account_id, at, actor_kind, action, request_id, outcome FROM audit WHERE id = '{2}'";

async fn what_was_tampered_with_is_found(db: Database) {
    unguarded(&db).await;
    type Expected = fn(&[String], String) -> Vec<Fault>;
    let changed: Expected = |id, _| vec![Fault::Changed { sequence: 2, entry: id[2].clone() }];
    let table: [(&[&str], Expected); 26] = [
        (&[], |_, _| vec![]),
        (&["UPDATE audit SET id = '{new}' WHERE id = '{2}'"], |id, new| {
            vec![Fault::EntryMissing { sequence: 2, entry: id[2].clone() }, Fault::NotChained { entry: new }]
        }),
        (&["UPDATE audit SET account_id = '{new}' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET account_id = NULL WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET at = (SELECT at FROM audit WHERE id = '{3}') WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET actor_kind = 'operator' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET actor_id = '{new}' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET actor_id = NULL WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET action = 'invite' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET subject_kind = NULL, subject_id = NULL WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET subject_kind = 'audience' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET subject_id = '{new}' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET request_id = '22' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET outcome = 'ALLOWED' WHERE id = '{2}'"], changed),
        (&["UPDATE audit SET code = NULL WHERE id = '{2}'"], changed),
        (&["UPDATE audit_chain SET hash = '{hash}' WHERE entry_id = '{2}'"], changed),
        (&["DELETE FROM audit WHERE id = '{2}'"], |id, _| {
            vec![Fault::EntryMissing { sequence: 2, entry: id[2].clone() }]
        }),
        (&["DELETE FROM audit WHERE id = '{2}'", "DELETE FROM audit_chain WHERE entry_id = '{2}'"], |id, _| {
            vec![Fault::SequenceMissing { sequence: 2, next: id[3].clone() }]
        }),
        (&["DELETE FROM audit_chain WHERE entry_id = '{2}'"], |id, _| {
            vec![
                Fault::SequenceMissing { sequence: 2, next: id[3].clone() },
                Fault::NotChained { entry: id[2].clone() },
            ]
        }),
        (
            &[
                "DELETE FROM audit WHERE id = '{2}'",
                "DELETE FROM audit_chain WHERE entry_id = '{2}'",
                "UPDATE audit_chain SET sequence = 2 WHERE entry_id = '{3}'",
                "UPDATE audit_chain SET sequence = 3 WHERE entry_id = '{4}'",
            ],
            |id, _| vec![Fault::Changed { sequence: 2, entry: id[3].clone() }],
        ),
        (
            &[
                "UPDATE audit_chain SET entry_id = '{new}' WHERE entry_id = '{2}'",
                "UPDATE audit_chain SET entry_id = '{2}' WHERE entry_id = '{4}'",
                "UPDATE audit_chain SET entry_id = '{4}' WHERE entry_id = '{new}'",
            ],
            |id, _| vec![Fault::Reordered { sequence: 2, entry: id[4].clone(), belongs: id[2].clone() }],
        ),
        (&[COPY], |_, new| vec![Fault::NotChained { entry: new }]),
        (&[COPY, "INSERT INTO audit_chain VALUES ('{chain}', 6, '{new}', '{hash}')"], |_, new| {
            vec![Fault::Changed { sequence: 6, entry: new }]
        }),
        (&["DELETE FROM audit WHERE id = '{5}'", "DELETE FROM audit_chain WHERE entry_id = '{5}'"], |_, _| {
            vec![Fault::CutOff { sequence: 4, head: 5 }]
        }),
        (&["UPDATE audit_heads SET hash = '{hash}' WHERE chain = '{chain}'"], |_, _| {
            vec![Fault::AnotherHead { sequence: 5 }]
        }),
        (&["DELETE FROM audit_heads WHERE chain = '{chain}'"], |_, _| vec![Fault::GoesOn { sequence: 5, head: 0 }]),
    ];
    for (statements, expected) in table {
        let (luma, new) = (AccountId::new(), AuditEntryId::new().to_string());
        let links = entries(&db, luma, 1..6).await;
        tamper(&db, statements, &links, &new).await;
        let ids: Vec<String> = [String::new()].into_iter().chain(links.into_iter().map(|l| l.entry_id)).collect();
        assert_eq!(faults(&db, luma).await, expected(&ids, new), "{statements:?}");
    }
}

/// What a database cannot show by itself, a head that was kept elsewhere shows.
async fn a_kept_head_shows_what_a_chain_does_not(db: Database) {
    unguarded(&db).await;
    let cut: &[&str] = &[
        "DELETE FROM audit WHERE id = '{5}'",
        "DELETE FROM audit_chain WHERE entry_id = '{5}'",
        "UPDATE audit_heads SET sequence = 4, hash = '{hash}' WHERE chain = '{chain}'",
    ];
    let gone: &[&str] = &[
        "DELETE FROM audit WHERE account_id = '{chain}'",
        "DELETE FROM audit_chain WHERE chain = '{chain}'",
        "DELETE FROM audit_heads WHERE chain = '{chain}'",
    ];
    for statements in [cut, gone] {
        let luma = AccountId::new();
        let links = entries(&db, luma, 1..6).await;
        tamper(&db, statements, &links, "").await;
        assert_eq!(faults(&db, luma).await, []);
        assert_eq!(db.store.audit_hash_at(&luma.to_string(), 5).await.unwrap(), None);
    }

    // Another entry at the end, chained as the gateway would.
    let luma = AccountId::new();
    let links = entries(&db, luma, 1..6).await;
    let mut last = links[4].entry.clone().unwrap();
    last.action = "invite".into();
    let hash = last.hash(&links[3].hash, 5);
    db.execute(&format!("UPDATE audit SET action = 'invite' WHERE id = '{}'", last.id)).await.unwrap();
    db.execute(&format!("UPDATE audit_chain SET hash = '{hash}' WHERE entry_id = '{}'", last.id)).await.unwrap();
    db.execute(&format!("UPDATE audit_heads SET hash = '{hash}' WHERE chain = '{luma}'")).await.unwrap();
    assert_eq!(faults(&db, luma).await, []);
    assert_ne!(db.store.audit_hash_at(&luma.to_string(), 5).await.unwrap().as_ref(), Some(&links[4].hash));
}

async fn entries_from_before_are_chained_once(db: Database) {
    unguarded(&db).await;
    let [luma, tv_tube] = [AccountId::new(), AccountId::new()];
    for account in [luma, tv_tube] {
        entries(&db, account, 1..7).await;
    }
    // More than are chained at a time, and none of them chained.
    let many = "INSERT INTO audit (id, account_id, at, actor_kind, action, request_id, outcome) \
                SELECT a.id || b.id || c.id, a.account_id, a.at, a.actor_kind, a.action, a.request_id, a.outcome \
                FROM audit AS a, audit AS b, audit AS c";
    for statement in [many, "DELETE FROM audit_chain", "DELETE FROM audit_heads"] {
        db.execute(statement).await.unwrap();
    }
    let entries_of_one = 6 * 12 * 12 + 6;
    assert!(matches!(faults(&db, luma).await[..], [Fault::NotChained { .. }]));
    let other = Store::open(&db.url).await.unwrap();
    let (one, two) = tokio::join!(db.store.chain_earlier_audit(), other.chain_earlier_audit());
    assert_eq!(one.unwrap() + two.unwrap(), 2 * entries_of_one);
    for account in [luma, tv_tube] {
        entries(&db, account, 7..9).await;
        let verified = db.store.verify_audit_chain(&account.to_string()).await.unwrap();
        assert_eq!((verified.faults, verified.entries), (Vec::new(), entries_of_one as i64 + 2));
        assert_eq!(verified.chained_later, entries_of_one as i64);
    }
    db.execute("DELETE FROM audit_chain WHERE sequence = 9").await.unwrap();
    assert_eq!(db.store.chain_earlier_audit().await.unwrap(), 0, "what is taken out later is not put back");
    assert_eq!(faults(&db, luma).await.len(), 2);
}

/// Another name for an account, of which two accounts are told in this order.
fn renamed(name: String, tell: [AccountId; 2]) -> Rule<LoadedAccount, Account> {
    let change = AccountChange { name: Some(name), ..AccountChange::default() };
    Box::new(move |loaded| {
        let next = update(&loaded.account, change, &loaded.keys_in_use, at(5))?;
        let event = |to| NewEvent::of_account(to, AccountEventKind::AccountUpdated, Subject::Account(next.id));
        let events = tell.map(event);
        Ok(Outcome::of(next).events(events))
    })
}

/// Changes of two accounts that tell each other of them, and refusals, all at once and by two gateways.
async fn who_writes_at_once_leaves_no_gap_and_no_deadlock(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv_tube = account(&db, "TV Tube", Role::Publisher).await;
    let stores = [db.store.clone(), Store::open(&db.url).await.unwrap()];
    let mut tasks = Vec::new();
    for task in 0..8 {
        let store = stores[task % 2].clone();
        let (own, other) = if task < 4 { (luma, tv_tube) } else { (tv_tube, luma) };
        tasks.push(tokio::spawn(async move {
            for n in 0..15 {
                let tell = if n % 2 == 0 { [own, other] } else { [other, own] };
                let rename = renamed(format!("Name {task} {n}"), tell);
                let _conflict = store.change_account(change(own, "updateAccount"), own, rename).await.unwrap();
                store.record_refusal(change(own, "invite"), Code::Forbidden).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for account in [luma, tv_tube] {
        let verified = db.store.verify_audit_chain(&account.to_string()).await.unwrap();
        assert_eq!((verified.faults, verified.entries), (Vec::new(), 1 + 4 * 15 * 2));
    }
    let renamed = db.store.change_account(change(luma, "updateAccount"), luma, renamed("Luma".into(), [luma, tv_tube]));
    done(renamed.await);
}

on_both!(
    an_entry_is_hashed_as_it_is_kept,
    chains_are_kept_by_the_database,
    what_was_tampered_with_is_found,
    a_kept_head_shows_what_a_chain_does_not,
    entries_from_before_are_chained_once,
    who_writes_at_once_leaves_no_gap_and_no_deadlock,
);
