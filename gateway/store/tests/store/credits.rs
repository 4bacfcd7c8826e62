//! Credits: what is reserved, settled and released, at once and cut off, and what the database keeps by itself.

use crate::{
    database::{Database, done, on_both},
    reports::{finished, scheduled},
    world::{account, at, campaign, change, command, connected, data_connection, job, project, publication},
};
use entente_domain::{
    AccountId, Code, ConnectionId, JobId, ReportId, WorkId,
    account::{Account, Role},
    connection,
    credit::{
        Activity, Command, MicroCredits, NewProvision, Parties, Payer, Price, Reservation, ReservationStatus, Wallet,
    },
    event::Subject,
    report::ReportStatus,
    settings::Side,
};
use entente_store::{
    Change, CreditActivity, CreditActivityFilter, JobPool, LoadedAccount, LoadedDataConnection, LoadedReport, NewJob,
    Outcome, PageRequest,
};

/// An input costs a micro-credit.
fn reservation(work: WorkId, parties: Parties, inputs: u64) -> Reservation {
    Reservation {
        work,
        activity: Activity::Measurement,
        parties,
        connection: None,
        price: Price::new(1_000_000).unwrap(),
        reserved_inputs: inputs,
        inputs: 0,
        status: ReservationStatus::Reserved,
    }
}

async fn provision(db: &Database, account: AccountId, credits: i64) -> Result<(), Code> {
    provision_by(db, change(account, "provisionCredits"), account, credits).await
}

async fn provision_by(db: &Database, by: Change, account: AccountId, credits: i64) -> Result<(), Code> {
    let new = NewProvision { credits: MicroCredits(credits), note: "A test".into() };
    db.store.provision_credits(by, account, new).await.unwrap().map(drop).map_err(|refusal| refusal.code)
}

/// Gives commands with a change of an account that they need not concern; all of them are obeyed, or none.
async fn obey(db: &Database, by: AccountId, commands: Vec<Command>) -> Result<(), Code> {
    let rule = move |loaded: &LoadedAccount| {
        let next = Account { version: loaded.account.version + 1, ..loaded.account.clone() };
        Ok(commands.into_iter().fold(Outcome::of(next), Outcome::credits))
    };
    let changed = db.store.change_account(change(by, "updateAccount"), by, Box::new(rule)).await;
    changed.unwrap().map(drop).map_err(|refusal| refusal.code)
}

async fn wallet(db: &Database, account: AccountId) -> Wallet {
    db.store.wallets(&[account]).await.unwrap().get(&account).copied().unwrap_or_default()
}

/// What is provisioned, used and reserved.
async fn amounts(db: &Database, account: AccountId) -> [i64; 3] {
    let wallet = wallet(db, account).await;
    [wallet.provisioned, wallet.used, wallet.reserved].map(|amount| amount.0)
}

async fn status(db: &Database, work: WorkId) -> Option<ReservationStatus> {
    db.store.credit_reservations(&[work]).await.unwrap().get(&work).map(|r| r.status)
}

async fn activity(db: &Database, account: AccountId, filter: CreditActivityFilter) -> Vec<CreditActivity> {
    db.store.credit_activity(account, filter, PageRequest::first(50)).await.unwrap().into_values()
}

/// What must hold at any time: each wallet is the sum of its lines, and as much is reserved and used as works say.
async fn check(db: &Database) {
    for part in ["provisioned", "used", "reserved"] {
        let sum = format!("SELECT COALESCE(SUM({part}), 0) FROM credit_entries WHERE account_id = wallets.account_id");
        assert_eq!(db.count(&format!("wallets WHERE {part} <> ({sum})")).await, 0, "{part}");
    }
    let twice = "(SELECT work_id, account_id FROM credit_entries WHERE used > 0 GROUP BY work_id, account_id \
                 HAVING COUNT(*) > 1) AS twice";
    assert_eq!(db.count(twice).await, 0);
    let paid = "SELECT COALESCE(SUM(used), 0) FROM credit_entries";
    let of_days = "SELECT COALESCE(SUM(share), 0) FROM credit_activity";
    assert_eq!(db.count(&format!("(SELECT 1) AS one WHERE ({paid}) <> ({of_days})")).await, 0);
    let reserved = "SELECT COALESCE(SUM(reserved), 0) FROM wallets";
    let of_works = "SELECT COALESCE(SUM(reserved_inputs), 0) FROM credit_reservations WHERE status = 'RESERVED'";
    assert_eq!(
        db.count(&format!("(SELECT 1) AS one WHERE ({reserved}) <> ({of_works})")).await,
        0,
        "an input costs one"
    );
    let inputs = "SELECT COALESCE(SUM(inputs), 0) FROM credit_reservations WHERE status = 'SETTLED'";
    assert_eq!(db.count(&format!("(SELECT 1) AS one WHERE ({paid}) <> ({inputs})")).await, 0, "an input costs one");
}

/// Every work is done by two at once who do not know of each other, and who may end it otherwise; each is cut off in
/// between: what it had written is rolled back, and it begins again. There is not enough for all.
async fn credits_are_neither_made_nor_lost(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    for (account, credits) in [(luma, 1_500), (tv, 1_000)] {
        provision(&db, account, credits).await.unwrap();
    }
    let mut workers = Vec::new();
    for name in ["Fit Apparel", "Agency99", "DataM8", "Hidden"] {
        workers.push(account(&db, name, Role::Advertiser).await);
    }
    let works: Vec<WorkId> = (0..30).map(|_| WorkId::new()).collect();
    let mut tasks = Vec::new();
    for (n, worker) in workers.into_iter().enumerate() {
        let (db, works) = (db.clone(), works.clone());
        tasks.push(tokio::spawn(async move {
            for i in (n / 2..works.len()).step_by(2) {
                one(&db, worker, (i, works[i], i / 2 + n), (luma, tv)).await;
            }
        }));
    }
    let meanwhile = tokio::spawn({
        let db = db.clone();
        async move {
            for _ in 0..10 {
                _ = provision(&db, luma, 7).await;
                _ = provision(&db, tv, -3).await;
                check(&db).await;
            }
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    meanwhile.await.unwrap();
    check(&db).await;
    let (of_luma, of_tv) = (wallet(&db, luma).await, wallet(&db, tv).await);
    assert_eq!((of_luma.reserved, of_tv.reserved), (MicroCredits(0), MicroCredits(0)), "all works have ended");
    assert_eq!(of_luma.provisioned.0, 1_570);
    let reserved = db.store.credit_reservations(&works).await.unwrap();
    assert!(reserved.values().all(|r| r.status != ReservationStatus::Reserved));
    for account in [luma, tv] {
        let of_works = reserved.values().filter(|r| r.status == ReservationStatus::Settled).flat_map(|r| {
            r.parties.shares(MicroCredits(r.inputs.cast_signed())).into_iter().filter(|(whose, _)| *whose == account)
        });
        assert_eq!(of_works.map(|(_, share)| share.0).sum::<i64>(), wallet(&db, account).await.used.0);
    }
    assert!(reserved.values().any(|r| r.status == ReservationStatus::Settled));
}

/// One work from beginning to one of its ends.
async fn one(
    db: &Database,
    worker: AccountId,
    (i, work, end): (usize, WorkId, usize),
    (luma, tv): (AccountId, AccountId),
) {
    let both = |account, other, payer| Parties::Both { account, other, payer };
    let parties = [
        Parties::Alone(luma),
        both(luma, tv, Payer::EachHalf),
        both(tv, luma, Payer::Account),
        both(tv, luma, Payer::OtherSide),
        both(tv, luma, Payer::EachHalf),
    ][i % 5];
    let inputs = 51 + 10 * i as u64;
    let begin = Command::Reserve(reservation(work, parties, inputs));
    let end = match end % 3 {
        0 => Command::Release { work },
        1 => Command::Settle { work, inputs: inputs - 7 },
        _ => Command::Settle { work, inputs: inputs + 4 },
    };
    let too_much = || Command::Reserve(reservation(WorkId::new(), Parties::Alone(tv), 1_000_000));
    for command in [begin, end] {
        let cut_off = obey(db, worker, vec![command.clone(), too_much()]).await;
        assert!(matches!(cut_off, Err(Code::InsufficientCredits | Code::OtherSideCannotPay)), "{cut_off:?}");
        let kept = obey(db, worker, vec![command.clone()]).await;
        assert!(matches!(kept, Ok(()) | Err(Code::InsufficientCredits | Code::OtherSideCannotPay)), "{kept:?}");
        if kept.is_ok() && matches!(command, Command::Reserve(_)) {
            assert!(status(db, work).await.is_some());
        }
    }
    // What could not be paid comes to nothing.
    obey(db, worker, vec![Command::Release { work }]).await.unwrap();
}

async fn a_provision_is_repeated_by_its_key(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let by = || Change { idempotency_key: Some("once".into()), ..change(luma, "provisionCredits") };
    for _ in 0..2 {
        provision_by(&db, by(), luma, 500).await.unwrap();
    }
    assert_eq!(amounts(&db, luma).await, [500, 0, 0]);
    assert_eq!(provision(&db, luma, -501).await, Err(Code::InsufficientCredits));
    assert_eq!(provision(&db, luma, 0).await, Err(Code::Invalid));
    assert_eq!(provision(&db, AccountId::new(), 1).await, Err(Code::NotFound));
    provision(&db, luma, -500).await.unwrap();
    assert_eq!(amounts(&db, luma).await, [0, 0, 0]);
    check(&db).await;
}

/// A refresh that is queued.
async fn sourcing(db: &Database, account: AccountId) -> (entente_domain::DataConnectionId, JobId) {
    let (id, job) = data_connection(db, account).await;
    let reserved = reservation(WorkId(job.0), Parties::Alone(account), 150);
    let reserved = Reservation { activity: Activity::AudienceManagement, ..reserved };
    db.store.reserve_credits(reserved, at(1)).await.unwrap().unwrap();
    (id, job)
}

async fn a_refresh_pays_for_accepted_rows_once_it_is_published(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    provision(&db, luma, 1_000).await.unwrap();
    let refresh = sourcing(&db, luma).await;
    assert_eq!(amounts(&db, luma).await, [1_000, 0, 150]);
    let published = publication(&db, luma, refresh, &["Runners"]).await;
    done(db.store.publish_generation(change(luma, "refresh"), published, Vec::new()).await);
    assert_eq!(amounts(&db, luma).await, [1_000, 100, 0]);
    let day = at(0).date_naive();
    let line = CreditActivity {
        day,
        connection: None,
        activity: Activity::AudienceManagement,
        inputs: 100,
        credits: MicroCredits(100),
        share: MicroCredits(100),
    };
    assert_eq!(activity(&db, luma, CreditActivityFilter::default()).await, [line]);
    let other_day = CreditActivityFilter { from: day.succ_opt(), ..CreditActivityFilter::default() };
    assert_eq!(activity(&db, luma, other_day).await, []);
    let of_connection =
        CreditActivityFilter { connection: Some(ConnectionId::new()), ..CreditActivityFilter::default() };
    assert_eq!(activity(&db, luma, of_connection).await, []);
    check(&db).await;
}

async fn work_that_comes_to_nothing_is_released(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    provision(&db, luma, 10_000).await.unwrap();

    // A refresh that fails.
    let (_, failing) = sourcing(&db, luma).await;
    let minute = chrono::TimeDelta::seconds(60);
    let leased = db.store.lease_next("one", at(1), minute, JobPool::of(&["refresh"])).await.unwrap().unwrap();
    assert_eq!(leased.id, failing);
    assert_eq!(amounts(&db, luma).await, [10_000, 0, 150]);
    assert!(db.store.fail_job(failing, "one", "It failed.", at(2)).await.unwrap());
    assert_eq!(amounts(&db, luma).await, [10_000, 0, 0]);

    // A data connection that is deleted before it was sourced again.
    let (id, _) = data_connection(&db, luma).await;
    let again = JobId::new();
    let about = Some(Subject::DataConnection(id));
    let queued = NewJob { subject: about, ..job(again, "refresh", "again", luma) };
    db.store.enqueue(vec![queued], at(2)).await.unwrap();
    let reserved = reservation(WorkId(again.0), Parties::Alone(luma), 150);
    db.store.reserve_credits(reserved, at(2)).await.unwrap().unwrap();
    assert_eq!(amounts(&db, luma).await, [10_000, 0, 150]);
    let rule = |_: &LoadedDataConnection| Ok(Outcome::of(()));
    done(db.store.delete_data_connection(change(luma, "deleteDataConnection"), id, Box::new(rule)).await);
    assert_eq!(status(&db, WorkId(again.0)).await, Some(ReservationStatus::Released));
    assert_eq!(amounts(&db, luma).await, [10_000, 0, 0]);

    // Reports that are deleted, by themselves and with their connection.
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let campaign = campaign(&db, project, tv).await;
    let report = async || {
        let (id, _) = scheduled(&db, tv, project, campaign).await;
        let parties = Parties::Both { account: tv, other: luma, payer: Payer::OtherSide };
        let reserved = Reservation { connection: Some(connection), ..reservation(WorkId(id.0), parties, 1_000) };
        db.store.reserve_credits(reserved, at(3)).await.unwrap().unwrap();
        id
    };
    let deleted: ReportId = report().await;
    let rule = |_: &LoadedReport| Ok(Outcome::of(()));
    done(db.store.delete_report(change(tv, "deleteReport"), deleted, Box::new(rule)).await);
    assert_eq!(amounts(&db, luma).await, [10_000, 0, 0]);
    let (ran, waits) = (report().await, report().await);
    done(db.store.finish_report(change(tv, "report"), ran, finished([luma, tv], 0.0), Vec::new()).await);
    assert_eq!(amounts(&db, luma).await, [10_000, 1_200, 1_000], "by what was released");
    done(command(&db, connection, Side::Owner, connection::Command::Delete).await);
    assert_eq!(amounts(&db, luma).await, [10_000, 1_200, 0]);
    assert_eq!(status(&db, WorkId(waits.0)).await, Some(ReservationStatus::Released));
    // Both sides see it, each its own share.
    for (account, share) in [(luma, 1_200), (tv, 0)] {
        let of_connection = CreditActivityFilter { connection: Some(connection), ..CreditActivityFilter::default() };
        let lines = activity(&db, account, of_connection).await;
        let lines: Vec<_> = lines.iter().map(|l| (l.inputs, l.credits.0, l.share.0)).collect();
        assert_eq!(lines, [(1_200, 1_200, share)]);
    }
    check(&db).await;
}

/// A report that cannot be paid fails. It has told something of what it found, so it spends of the budget.
async fn a_report_that_cannot_be_paid_fails(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    provision(&db, luma, 1_000).await.unwrap();
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let campaign = campaign(&db, project, tv).await;
    let (id, _) = scheduled(&db, tv, project, campaign).await;
    let parties = Parties::Both { account: tv, other: luma, payer: Payer::OtherSide };
    db.store.reserve_credits(reservation(WorkId(id.0), parties, 1_000), at(3)).await.unwrap().unwrap();
    let finish = async |id| {
        db.store.finish_report(change(tv, "report"), id, finished([luma, tv], 1.0), Vec::new()).await.unwrap()
    };
    let failed = finish(id).await.unwrap();
    assert_eq!((failed.status, failed.epsilon), (ReportStatus::Failed, 1.0));
    assert!(db.store.report_results(&[id]).await.unwrap().is_empty());
    assert_eq!(db.store.budget_spent(luma, tv, "2026Q4").await.unwrap(), 1.0);
    assert_eq!(amounts(&db, luma).await, [1_000, 0, 0]);
    assert_eq!(status(&db, WorkId(id.0)).await, Some(ReservationStatus::Released));
    assert_eq!(activity(&db, luma, CreditActivityFilter::default()).await, []);

    // With enough it is paid once.
    provision(&db, luma, 200).await.unwrap();
    let (id, _) = scheduled(&db, tv, project, campaign).await;
    db.store.reserve_credits(reservation(WorkId(id.0), parties, 1_000), at(3)).await.unwrap().unwrap();
    assert_eq!(finish(id).await.unwrap().status, ReportStatus::Finished);
    assert_eq!(finish(id).await.unwrap_err().code, Code::WrongState);
    assert_eq!(amounts(&db, luma).await, [1_200, 1_200, 0]);
    check(&db).await;
}

async fn the_database_keeps_wallets_and_their_ledger(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    provision(&db, luma, 1_000).await.unwrap();
    let work = WorkId::new();
    obey(&db, luma, vec![Command::Reserve(reservation(work, Parties::Alone(luma), 10))]).await.unwrap();
    obey(&db, luma, vec![Command::Settle { work, inputs: 10 }]).await.unwrap();
    for statement in [
        "UPDATE wallets SET used = provisioned + 1",
        "UPDATE wallets SET reserved = provisioned",
        "UPDATE wallets SET provisioned = -1, used = 0, reserved = 0",
        "UPDATE wallets SET reserved = -1",
        "UPDATE credit_entries SET provisioned = 2000",
        "DELETE FROM credit_entries",
        "UPDATE credit_reservations SET status = 'RESERVED'",
        "UPDATE credit_reservations SET inputs = 0",
        "DELETE FROM credit_reservations",
        "UPDATE credit_activity SET share = credits + 1",
    ] {
        assert!(db.execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(amounts(&db, luma).await, [1_000, 10, 0]);
    check(&db).await;
}

on_both!(
    credits_are_neither_made_nor_lost,
    a_provision_is_repeated_by_its_key,
    a_refresh_pays_for_accepted_rows_once_it_is_published,
    work_that_comes_to_nothing_is_released,
    a_report_that_cannot_be_paid_fails,
    the_database_keeps_wallets_and_their_ledger,
);
