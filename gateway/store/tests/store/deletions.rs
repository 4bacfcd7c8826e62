//! What is said before a deletion is what is gone after it, and what the audit log keeps.

use crate::{
    database::{Database, done, on_both},
    deliveries::{activate, begin, destination, end, send},
    event_webhooks::create_with_dead_letter,
    opt_outs,
    reports::{exposures, finished, scheduled},
    world::{
        account, api_key, at, campaign, change, command, connected, exact, hash, invite_as, project, save_draft,
        sourced,
    },
};
use entente_domain::{
    AccountId, Code, ConnectionId, DataConnectionId, Refusal,
    account::{Role, confirmed, deleted},
    connection::Command,
    deletion::{Deletion, Kind, Target, account_may_go, ended_with_account},
    settings::Side,
};
use entente_store::{
    AccountSecrets, AuditFilter, ConnectionFilter, DeletedAccount, DirectoryFilter, LoadedDataConnection,
    LoadedDeletion, LoadedProject, Outcome, PageRequest, StoreError,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

/// What one side has in a project.
#[derive(Clone, Debug)]
struct Has {
    campaigns: usize,
    sends: usize,
    /// Sends within an audience of the other side.
    narrowed: usize,
    /// Whether the other side activates what is sent, and has delivered it.
    activated: bool,
    data_sets: usize,
    reports: usize,
    finished: usize,
}

/// Projects of Luma and TV Tube, by what Luma and what TV Tube has in them.
type Plan = Vec<[Has; 2]>;

fn has() -> impl Strategy<Value = Has> {
    let counts = (0..3_usize, 0..3_usize, 0..2_usize, any::<bool>(), 0..3_usize, 0..3_usize, 0..2_usize);
    counts.prop_map(|(campaigns, sends, narrowed, activated, data_sets, reports, finished)| Has {
        campaigns,
        sends,
        narrowed,
        activated,
        data_sets,
        reports,
        finished,
    })
}

/// Some plans; always the same ones, so that a failure is seen again.
fn plans(count: usize) -> Vec<Plan> {
    let mut runner = TestRunner::deterministic();
    let plan = prop::collection::vec([has(), has()], 1..3);
    (0..count).map(|_| plan.new_tree(&mut runner).unwrap().current()).collect()
}

/// Two companies that have all of it.
struct World {
    luma: AccountId,
    tv: AccountId,
    connection: ConnectionId,
    projects: Vec<entente_domain::ProjectId>,
    source: DataConnectionId,
}

async fn world(db: &Database, plan: &Plan) -> World {
    let luma = account(db, "Luma", Role::Advertiser).await;
    let tv = account(db, "TV Tube", Role::Publisher).await;
    let audiences = [sourced(db, luma, &["Runners", "Hikers"]).await, sourced(db, tv, &["Sports"]).await];
    let destinations = [destination(db, luma).await, destination(db, tv).await];
    let connection = connected(db, luma, tv).await;
    done(save_draft(db, connection, exact()).await);
    let mut projects = Vec::new();
    for sides in plan {
        let id = project(db, connection, luma).await;
        projects.push(id);
        for (side, has) in sides.iter().enumerate() {
            let (me, other) = if side == 0 { (luma, tv) } else { (tv, luma) };
            for _ in 0..has.campaigns {
                campaign_of(db, id, me).await;
            }
            for n in 0..has.sends + has.narrowed {
                let within = if n < has.sends { vec![] } else { vec![audiences[1 - side][0]] };
                let sent = send(db, me, id, audiences[side][n % audiences[side].len()], within).await;
                if has.activated {
                    let (activation, _) = activate(db, other, sent, destinations[1 - side]).await;
                    let delivery = begin(db, other, activation).await;
                    end(db, other, delivery).await;
                }
            }
            for _ in 0..has.data_sets {
                exposures(db, me, id).await;
            }
            if has.reports + has.finished > 0 {
                let campaign = campaign_of(db, id, other).await;
                for n in 0..has.reports + has.finished {
                    let (report, _) = scheduled(db, me, id, campaign).await;
                    if n < has.finished {
                        let by = change(me, "report");
                        done(db.store.finish_report(by, report, finished([luma, tv], 0.1), Vec::new()).await);
                    }
                }
            }
        }
    }
    done(db.store.create_api_key(change(luma, "createApiKey"), api_key(luma), hash()).await);
    create_with_dead_letter(db, luma).await;
    opt_outs::load(db, luma).await;
    let source = db.store.audiences_by_ids(&audiences[0]).await.unwrap()[&audiences[0][0]].data_connection;
    World { luma, tv, connection, projects, source }
}

/// A campaign with an id of its own.
async fn campaign_of(
    db: &Database,
    project: entente_domain::ProjectId,
    runner: AccountId,
) -> entente_domain::CampaignId {
    let id = campaign(db, project, runner).await;
    db.execute(&format!("UPDATE campaigns SET external_id = id WHERE id = '{id}'")).await.unwrap();
    id
}

/// The rows of a kind that an account may know of, and those of the whole database where both sides know of all.
fn rows(kind: Kind, me: AccountId) -> String {
    match kind {
        Kind::Account => "accounts WHERE deleted_at IS NULL".into(),
        Kind::AccountName => "accounts WHERE name <> ''".into(),
        Kind::Connection => "connections WHERE state NOT IN ('WITHDRAWN', 'DECLINED', 'DELETED')".into(),
        Kind::SettingsDraft => format!(
            "settings_drafts WHERE settings IS NOT NULL \
             AND connection_id IN (SELECT id FROM connections WHERE owner_id = '{me}')"
        ),
        Kind::Project => "projects".into(),
        Kind::Campaign => "campaigns".into(),
        Kind::EventDataSet => format!("event_data_sets WHERE account_id = '{me}'"),
        Kind::Report => format!("reports WHERE account_id = '{me}' AND status <> 'FINISHED'"),
        Kind::FinishedReport => format!("reports WHERE account_id = '{me}' AND status = 'FINISHED'"),
        Kind::DataConnection => "data_connections".into(),
        Kind::Audience => "audiences".into(),
        Kind::AudienceFirstName => "audience_slots".into(),
        Kind::Crosswalk => "crosswalks".into(),
        Kind::OptOuts => "opt_outs".into(),
        Kind::Refresh => format!("refreshes WHERE account_id = '{me}'"),
        Kind::Upload => "uploads WHERE expires_at > created_at".into(),
        Kind::Destination => "destinations".into(),
        Kind::EventWebhook => "event_webhooks".into(),
        Kind::DeadLetter => "dead_letters".into(),
        Kind::SentAudience => "sent_audiences WHERE revoked_at IS NULL".into(),
        Kind::Activation => format!("activations WHERE account_id = '{me}' AND status <> 'ACCESS_ENDED'"),
        Kind::Delivery => format!("deliveries WHERE account_id = '{me}'"),
        Kind::Member => "members".into(),
        Kind::Invitation => "invitations".into(),
        Kind::EmailInvite => "email_invites".into(),
        Kind::ApiKey => "api_keys".into(),
        Kind::Client => "accounts WHERE agency_id IS NOT NULL".into(),
        Kind::PrivacyBudget => "budgets".into(),
        Kind::AuditEntry => format!("audit WHERE account_id = '{me}'"),
    }
}

async fn counted(db: &Database, me: AccountId) -> Vec<i64> {
    let mut counts = Vec::new();
    for kind in Kind::ALL {
        counts.push(db.count(&rows(kind, me)).await);
    }
    counts
}

type Answer = Result<Result<(), Refusal>, StoreError>;

async fn delete_account(db: &Database, id: AccountId) -> Answer {
    let secrets =
        AccountSecrets { connect_code_hash: hash(), connect_code_sealed: vec![8], coin_secret_sealed: vec![9] };
    let rule = move |loaded: &LoadedDeletion| {
        confirmed(&loaded.account, &loaded.account.profile.name)?;
        account_may_go(loaded.running_deliveries)?;
        let ended = loaded.live.iter().map(|connection| ended_with_account(connection, id, at(9)));
        let connections = ended.map(|ended| ended.map(|(next, _)| next)).collect::<Result<_, _>>()?;
        Ok(Outcome::of(DeletedAccount { account: deleted(&loaded.account, at(9)), connections }))
    };
    db.store.delete_account(change(id, "deleteAccount"), id, secrets, Box::new(rule)).await
}

async fn delete(db: &Database, by: AccountId, target: Target) -> Answer {
    let change = change(by, "delete");
    match target {
        Target::DataConnection(id) => {
            let rule = |_: &LoadedDataConnection| Ok(Outcome::of(()));
            db.store.delete_data_connection(change, id, Box::new(rule)).await
        }
        Target::Project(id) => {
            let rule = |_: &LoadedProject| Ok(Outcome::of(()));
            db.store.delete_project(change, id, Box::new(rule)).await
        }
        Target::Connection(id) => {
            let owner = db.store.connections_by_ids(&[id]).await.unwrap()[&id].owner;
            let side = if owner == by { Side::Owner } else { Side::Recipient };
            command(db, id, side, Command::Delete).await.map(|answer| answer.map(|_| ()))
        }
        Target::Account(id) => delete_account(db, id).await,
    }
}

/// The deletion as the newest entry of an account's audit log keeps it.
async fn kept(db: &Database, account: AccountId) -> Option<Deletion> {
    let log = db.store.audit_of_account(account, AuditFilter::default(), PageRequest::first(1)).await.unwrap();
    log.into_values().remove(0).deletion
}

/// For any world and any target: what the preview says goes is gone, all else is there, and the log says the same.
async fn a_preview_says_what_is_gone_after_it(db: Database) {
    for plan in plans(2) {
        for target in 0..6 {
            let w = world(&db, &plan).await;
            let (by, target) = match target {
                0 => (w.luma, Target::DataConnection(w.source)),
                1 => (w.luma, Target::Project(w.projects[0])),
                2 => (w.luma, Target::Connection(w.connection)),
                3 => (w.tv, Target::Connection(w.connection)),
                4 => (w.luma, Target::Account(w.luma)),
                _ => (w.tv, Target::Account(w.tv)),
            };
            let preview = db.store.deletion(target, by).await.unwrap();
            let before = counted(&db, by).await;
            delete(&db, by, target).await.unwrap().unwrap();
            let after = counted(&db, by).await;
            for (at, kind) in Kind::ALL.into_iter().enumerate() {
                let expected = match kind {
                    Kind::AuditEntry => before[at] + 1,
                    _ => before[at] - i64::try_from(preview.going(kind)).unwrap(),
                };
                assert_eq!(after[at], expected, "{kind:?} of {target:?} in {plan:?}: {preview:?}");
            }
            for part in &preview.stays {
                let at = Kind::ALL.iter().position(|kind| *kind == part.kind).unwrap();
                assert!(after[at] >= i64::try_from(part.count).unwrap(), "{part:?} of {target:?} stays");
            }
            assert_eq!(kept(&db, by).await, Some(preview.without_names()), "{target:?}");
        }
    }
}

/// Of what is in a project each side is told of its own and of what both see.
async fn a_preview_tells_nothing_of_the_other_side(db: Database) {
    let has = |n| Has { campaigns: 1, sends: 1, narrowed: 0, activated: true, data_sets: n, reports: n, finished: n };
    let w = world(&db, &vec![[has(1), has(2)]]).await;
    for (viewer, own) in [(w.luma, 1), (w.tv, 2)] {
        for target in [Target::Project(w.projects[0]), Target::Connection(w.connection)] {
            let preview = db.store.deletion(target, viewer).await.unwrap();
            let going = [Kind::EventDataSet, Kind::Refresh, Kind::Report].map(|kind| preview.going(kind));
            assert_eq!(going, [own; 3], "{target:?}");
            let shared = [Kind::Campaign, Kind::SentAudience, Kind::Activation].map(|kind| preview.going(kind));
            assert_eq!(shared, [4, 2, 1], "{target:?}");
            let reports = preview.stays.iter().find(|part| part.kind == Kind::FinishedReport).unwrap();
            assert_eq!(reports.count, own);
        }
        let drafts = db.store.deletion(Target::Connection(w.connection), viewer).await.unwrap();
        assert_eq!(drafts.going(Kind::SettingsDraft), u64::from(viewer == w.luma));
    }
    let of_a_stranger = account(&db, "Fit Apparel", Role::Advertiser).await;
    let preview = db.store.deletion(Target::Account(of_a_stranger), of_a_stranger).await.unwrap();
    let kinds: Vec<_> = preview.goes.iter().map(|part| (part.kind, part.count)).collect();
    assert_eq!(kinds, [(Kind::Account, 1), (Kind::Member, 1)]);
}

/// Its name and the other side's records are all that is left, and nobody finds it any longer.
async fn a_deleted_account_is_found_by_nobody(db: Database) {
    let has = Has { campaigns: 1, sends: 1, narrowed: 1, activated: true, data_sets: 1, reports: 1, finished: 1 };
    let w = world(&db, &vec![[has.clone(), has]]).await;
    let before = db.store.reports_of_account(w.luma, None, PageRequest::first(9)).await.unwrap().total;
    delete_account(&db, w.tv).await.unwrap().unwrap();
    assert!(db.store.account(w.tv).await.unwrap().is_none());
    let left = db.store.accounts_by_ids(&[w.tv]).await.unwrap().remove(&w.tv).unwrap();
    assert_eq!((left.profile.name.as_str(), left.profile.contact_email.as_str()), ("TV Tube", ""));
    assert_eq!(db.store.accounts(PageRequest::first(9)).await.unwrap().total, 1);
    assert_eq!(db.store.directory(DirectoryFilter::default(), PageRequest::first(9)).await.unwrap().total, 0);
    assert_eq!(db.store.connect_codes_sealed(&[w.tv]).await.unwrap()[&w.tv], [8]);
    let standing = db.store.standings(&[w.tv]).await.unwrap().remove(&w.tv).unwrap();
    assert_eq!((standing.coin_secret_sealed, standing.generation), (vec![9], None));
    // Luma keeps what has run, and an event that tells of the end is the rule's.
    assert_eq!(db.store.reports_of_account(w.luma, None, PageRequest::first(9)).await.unwrap().total, before - 1);
    let connections = db.store.connections_of_account(w.luma, ConnectionFilter::default(), PageRequest::first(9));
    assert_eq!(connections.await.unwrap().into_values()[0].state, entente_domain::connection::State::Deleted);

    let again = [delete_account(&db, w.tv).await, invite_as(&db, ConnectionId::new(), w.luma, w.tv).await.map(nothing)];
    for answer in again {
        assert_eq!(answer.unwrap().unwrap_err().code, Code::NotFound);
    }
    let by = change(w.tv, "createApiKey");
    let key = db.store.create_api_key(by, api_key(w.tv), hash()).await.unwrap();
    assert_eq!(key.unwrap_err().code, Code::NotFound);
    let add = db.store.change_members(change(w.tv, "setMember"), w.tv, Box::new(|m| Ok(Outcome::of(m.to_vec()))));
    assert_eq!(add.await.unwrap().unwrap_err().code, Code::NotFound);
    let chain = db.store.verify_audit_chain(&w.tv.to_string()).await.unwrap();
    assert_eq!(chain.faults, Vec::new());
}

fn nothing<T>(answer: Result<T, Refusal>) -> Result<(), Refusal> {
    answer.map(|_| ())
}

async fn an_account_waits_for_its_deliveries(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let audience = sourced(&db, luma, &["Runners"]).await[0];
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let sent = send(&db, luma, project, audience, Vec::new()).await;
    let (activation, _) = activate(&db, tv, sent, destination(&db, tv).await).await;
    let delivery = begin(&db, tv, activation).await;
    let before = counted(&db, tv).await;
    assert_eq!(delete_account(&db, tv).await.unwrap().unwrap_err().code, Code::WrongState);
    let after = counted(&db, tv).await;
    assert_eq!(after[..23], before[..23], "nothing has changed but the audit log");
    assert_eq!(kept(&db, tv).await, None);
    end(&db, tv, delivery).await;
    delete_account(&db, tv).await.unwrap().unwrap();
}

/// Whoever is first: no live connection is left with an account that is gone.
async fn no_invite_outlives_its_account(db: Database) {
    for _ in 0..8 {
        let luma = account(&db, "Luma", Role::Advertiser).await;
        let tv = account(&db, "TV Tube", Role::Publisher).await;
        let (invited, gone) = tokio::join!(invite_as(&db, ConnectionId::new(), luma, tv), delete_account(&db, tv));
        gone.unwrap().unwrap();
        assert!(invited.unwrap().err().is_none_or(|refusal| refusal.code == Code::NotFound));
        assert!(db.store.live_connection(luma, tv).await.unwrap().is_none());
    }
}

on_both!(
    a_preview_says_what_is_gone_after_it,
    a_preview_tells_nothing_of_the_other_side,
    a_deleted_account_is_found_by_nobody,
    an_account_waits_for_its_deliveries,
    no_invite_outlives_its_account,
);
