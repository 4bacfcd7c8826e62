//! From two lists to a delivery: Discover, send, activate, and what a refresh brings.

use super::company::{Company, codes, text};
use crate::{
    destinations::in_process::InProcess,
    work::{LEASE, Task, deliver, one},
};
use arrow_array::RecordBatch;
use chrono::TimeDelta;
use entente_destination::{
    Delivery, Destination, DestinationError, Operator, Secret, Written,
    rows::{Change, Rows},
    testkit::plugin,
};
use entente_domain::{Timestamp, event::Subject};
use entente_store::JobPool;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

type Delivered = BTreeMap<String, BTreeSet<[u8; 32]>>;

/// What each activation has at the destination.
static SHELVES: LazyLock<Mutex<Delivered>> = LazyLock::new(Mutex::default);

/// How often shelves of a mode still ask to be tried again.
static NOT_YET: LazyLock<Mutex<BTreeMap<String, u32>>> = LazyLock::new(Mutex::default);

struct Shelf {
    activation: String,
    mode: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShelfSettings {
    mode: String,
    token: Secret<String>,
}

impl Destination for Shelf {
    const ID: &'static str = "shelf";
    const NAME: &'static str = "Shelf";
    const SUMMARY: &'static str = "Keeps identities in memory.";
    const VERSION: &'static str = "1";
    const FOLDER: bool = true;
    type Settings = ShelfSettings;

    async fn check(settings: ShelfSettings, operator: Operator) -> Result<(), DestinationError> {
        assert!(operator.local_root.is_some_and(|root| root.is_dir()), "an account has a folder of its own");
        match settings.token.reveal().as_str() {
            "wrong" => Err(DestinationError::Auth("The token is wrong.".to_owned())),
            _ => Ok(()),
        }
    }

    async fn open(settings: ShelfSettings, _: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        match settings.mode.as_str() {
            "closed" => Err(DestinationError::Permanent("The shelf is closed.".to_owned())),
            _ if settings.token.reveal() == "expired" => {
                Err(DestinationError::Auth("The token has expired.".to_owned()))
            }
            _ => Ok(Self { activation: delivery.activation, mode: settings.mode }),
        }
    }

    async fn write(&mut self, _: u64, _: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        if let Some(left @ 1..) = NOT_YET.lock().unwrap().get_mut(&self.mode) {
            *left -= 1;
            let after = Some(Duration::from_secs(60 * 60));
            return Err(DestinationError::RateLimited { after, message: "Not yet.".to_owned() });
        }
        let mut shelves = SHELVES.lock().unwrap();
        let shelf = shelves.entry(self.activation.clone()).or_default();
        for row in Rows::read(&rows)?.iter() {
            let is_news = match row.change {
                Change::Added => shelf.insert(*row.identity),
                Change::Removed => shelf.remove(row.identity),
            };
            assert!(is_news, "what is there is not added, what is not there is not removed");
        }
        Ok(Written { accepted: rows.num_rows() as u64, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

fn people(range: Range<u32>, audience: &str) -> String {
    range.map(|n| format!("person{n}@x.example,{audience}\n")).collect()
}

pub fn file(lists: &[(Range<u32>, &str)]) -> String {
    let rows = lists.iter().map(|(range, audience)| people(range.clone(), audience));
    std::iter::once("email,segment\n".to_owned()).chain(rows).collect()
}

/// Luma and Fit Apparel, connected, with a project.
pub struct Pair {
    pub luma: Company,
    pub fit: Company,
    pub luma_source: String,
    project: String,
}

impl Pair {
    pub async fn connected(luma_has: &[(Range<u32>, &str)], fit_has: &[(Range<u32>, &str)]) -> Self {
        let luma = Company::luma().await;
        luma.gateway.destinations().add_in_process(Arc::new(InProcess(plugin::<Shelf>().unwrap()))).await.unwrap();
        let fit = luma.beside("Fit Apparel").await;
        let created = luma.create(&luma.upload(&file(luma_has)).await).await;
        fit.create(&fit.upload(&file(fit_has)).await).await;
        luma.work().await;
        let luma_source = text(&created["dataConnection"]["id"]);
        let project = project(&luma, &fit).await;
        Self { luma, fit, luma_source, project }
    }

    /// Answers of both shapes, for Luma.
    async fn compare(&self, mine: Value, theirs: Value) -> Value {
        let query = "query($a: ID!, $p: ID!, $mine: SelectionInput, $theirs: SelectionInput) {
            project(accountId: $a, id: $p) { discover(accountId: $a) { compare(mine: $mine, theirs: $theirs) {
                __typename ... on Overlap { mine theirs identities standardError percentage counts }
                ... on BelowThreshold { threshold } ... on Unavailable { reason } } } } }";
        let variables = json!({ "a": self.luma.id(), "p": self.project, "mine": mine, "theirs": theirs });
        self.luma.ask(query, variables).await["project"]["discover"]["compare"].clone()
    }

    pub async fn destination(&self, settings: Value) -> Value {
        let input = json!({
            "name": "Shelf", "destinationType": "shelf", "settings": settings, "matchKeys": [{ "kind": "HASHED_EMAIL" }],
        });
        self.fit.press("createDestination", "CreateDestinationInput", "destination { id settings }", input).await
    }

    pub async fn send(&self, audience: &str, schedule: Value) -> Value {
        let input = json!({
            "projectId": self.project, "audienceId": own(&self.luma, audience).await,
            "matchKeys": [{ "kind": "HASHED_EMAIL" }], "schedule": schedule,
        });
        self.luma.press("sendAudience", "SendAudienceInput", "sentAudience { id hasAccess }", input).await
    }

    /// Activates today and delivers; the activation's id.
    pub async fn activate(&self, sent: &Value, destination: &Value) -> String {
        let input = json!({
            "sentAudienceId": sent["sentAudience"]["id"], "destinationId": destination["destination"]["id"],
            "on": today(0),
        });
        let payload = self
            .fit
            .press("activateAudience", "ActivateAudienceInput", "activation { id } job { id kind }", input)
            .await;
        assert_eq!((codes(&payload), text(&payload["job"]["kind"])), (vec![], "deliver".into()));
        deliver_all(&self.fit).await;
        text(&payload["activation"]["id"])
    }

    pub async fn activation(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Activation { status failure delivered rejected
            deliveries { nodes { status added removed } } } } }";
        self.fit.ask(query, json!({ "id": id })).await["node"].clone()
    }
}

async fn project(luma: &Company, fit: &Company) -> String {
    let code = luma.ask("query($a: ID!) { account(id: $a) { connectCode } }", json!({ "a": luma.id() })).await;
    let invite = json!({ "invitee": { "connectCode": code["account"]["connectCode"] } });
    let invited = fit.press("invite", "InviteInput", "connection { id }", invite).await;
    let connection = invited["connection"]["id"].clone();
    luma.press("acceptInvite", "ConnectionInput", "connection { id }", json!({ "connectionId": connection })).await;
    let settings = json!({
        "useCases": ["DISCOVER", "ACTIVATE"], "matchKeys": [{ "kind": "HASHED_EMAIL" }], "activators": "BOTH",
        "activationPayer": "EACH_OWN", "measurementPayer": "OWNER", "counts": "EXACT",
    });
    let input = json!({ "connectionId": connection, "settings": settings });
    let fields = "connection { proposedSettings { version } }";
    let proposed = fit.press("proposeSettings", "ProposeSettingsInput", fields, input).await;
    let version = proposed["connection"]["proposedSettings"]["version"].clone();
    let input = json!({ "connectionId": connection, "settingsVersion": version });
    let accepted = luma.press("acceptSettings", "AcceptSettingsInput", "connection { state }", input).await;
    assert_eq!(accepted["connection"]["state"], "ACTIVE", "{accepted}");
    let input = json!({ "connectionId": connection, "name": "Spring", "useCases": ["DISCOVER", "ACTIVATE"] });
    let created = luma.press("createProject", "CreateProjectInput", "project { id }", input).await;
    text(&created["project"]["id"])
}

async fn own(company: &Company, name: &str) -> String {
    let query = "query($a: ID!) { account(id: $a) { audiences { nodes { id name } } } }";
    let data = company.ask(query, json!({ "a": company.id() })).await;
    let nodes = data["account"]["audiences"]["nodes"].as_array().unwrap().clone();
    text(&nodes.iter().find(|n| n["name"] == name).unwrap()["id"])
}

pub fn today(offset: i64) -> String {
    (crate::clock::now().date_naive() + TimeDelta::days(offset)).to_string()
}

pub async fn deliver_all(company: &Company) {
    deliver_all_at(company, crate::clock::now()).await;
}

/// Does all deliveries that are due at a time, by a worker whose clock shows it.
pub async fn deliver_all_at(company: &Company, now: Timestamp) {
    let owner: Arc<str> = "worker".into();
    let store = company.gateway.store();
    while let Some(job) = store.lease_next(&owner, now, LEASE, JobPool::of(&[deliver::KIND])).await.unwrap() {
        let gateway = company.gateway.clone();
        let task = Task { gateway, job, owner: owner.clone(), stop: CancellationToken::new() };
        one(task.gateway, task.job, task.owner).await;
    }
}

pub fn ask_again(mode: &str, times: u32) {
    NOT_YET.lock().unwrap().insert(mode.to_owned(), times);
}

fn asks_again(mode: &str) -> u32 {
    NOT_YET.lock().unwrap()[mode]
}

pub fn shelf(activation: &str) -> usize {
    let (_, uuid) = crate::graphql::id::parse(activation).unwrap();
    SHELVES.lock().unwrap().get(&uuid.to_string()).map_or(0, BTreeSet::len)
}

#[tokio::test]
async fn both_sides_learn_what_they_have_in_common() {
    let pair = Pair::connected(
        &[(0..3_000, "Runners"), (3_000..3_400, "Swimmers")],
        &[(1_000..4_000, "Fans"), (1_000..2_000, "Members"), (5_000..7_000, "Newsletter")],
    )
    .await;
    let all = pair.compare(json!(null), json!({ "all": true })).await;
    assert_eq!(
        all,
        json!({ "__typename": "Overlap", "mine": 3_400, "theirs": 5_000, "identities": 2_400, "standardError": 0.0,
            "percentage": 2_400.0 * 100.0 / 3_400.0, "counts": "EXACT" })
    );
    let swimmers = own(&pair.luma, "Swimmers").await;
    let few = pair.compare(json!({ "audienceIds": [swimmers] }), json!(null)).await;
    assert_eq!(few, json!({ "__typename": "BelowThreshold", "threshold": 1_000 }));

    let query = "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { discover(accountId: $a) {
        relevantAudiences { rank audience { id name } index indexBand }
        overlaps(first: 2) { totalCount pageInfo { hasNextPage } nodes { answer { __typename } } } } } }";
    let data = pair.luma.ask(query, json!({ "a": pair.luma.id(), "p": pair.project })).await;
    let discover = &data["project"]["discover"];
    let ranked: Vec<_> = discover["relevantAudiences"].as_array().unwrap().iter().collect();
    let names: Vec<_> = ranked.iter().map(|r| text(&r["audience"]["name"])).collect();
    assert_eq!(names, ["Members", "Fans"], "by index: all of one, four fifths of the other, none of the third");
    assert_eq!(ranked[0]["indexBand"], "VERY_HIGH");
    assert_eq!(
        (&discover["overlaps"]["totalCount"], discover["overlaps"]["nodes"].as_array().unwrap().len()),
        (&json!(3), 2)
    );

    let theirs = json!({ "audienceIds": [ranked[0]["audience"]["id"]] });
    assert_eq!(pair.compare(json!(null), theirs).await["identities"], 1_000);
    let query = "query($a: ID!, $p: ID!, $t: SelectionInput) { project(accountId: $a, id: $p) {
        discover(accountId: $a) { compare(theirs: $t) { __typename } } } }";
    let own_as_theirs = json!({ "audienceIds": [own(&pair.luma, "Runners").await] });
    let variables = json!({ "a": pair.luma.id(), "p": pair.project, "t": own_as_theirs });
    assert_eq!(pair.luma.try_ask(query, variables).await.1, ["NOT_FOUND"]);
}

#[tokio::test]
async fn a_recurring_delivery_brings_what_changed() {
    let pair = Pair::connected(&[(0..3_000, "Runners"), (0..500, "Few")], &[(1_000..4_000, "Fans")]).await;
    let refused = pair.destination(json!({ "mode": "", "token": "wrong" })).await;
    assert_eq!(codes(&refused), ["DESTINATION_REFUSED"]);
    let missing = pair.send("Runners", json!({ "once": true })).await;
    assert_eq!(codes(&missing), ["DESTINATION_MISSING"]);
    let destination = pair.destination(json!({ "mode": "", "token": "right" })).await;
    assert_eq!(destination["destination"]["settings"], json!({ "mode": "" }), "a secret is not shown");
    assert_eq!(codes(&pair.send("Few", json!({ "once": true })).await), ["BELOW_THRESHOLD"]);

    let sent = pair.send("Runners", json!({ "recurring": { "from": today(0), "until": today(9) } })).await;
    let activation = pair.activate(&sent, &destination).await;
    let first = json!({ "status": "DELIVERED", "added": 2_000, "removed": 0 });
    let seen = pair.activation(&activation).await;
    assert_eq!(seen["deliveries"]["nodes"], json!([first]), "{seen}");
    assert_eq!((&seen["status"], shelf(&activation)), (&json!("DELIVERED"), 2_000));

    for (range, changed, there) in [
        (500..3_500, json!({ "status": "DELIVERED", "added": 500, "removed": 0 }), 2_500),
        (1_500..3_500, json!({ "status": "DELIVERED", "added": 0, "removed": 500 }), 2_000),
        (0..1_500, json!({ "status": "SKIPPED_BELOW_THRESHOLD", "added": 0, "removed": 0 }), 2_000),
        (0..2_500, json!({ "status": "DELIVERED", "added": 500, "removed": 1_000 }), 1_500),
    ] {
        pair.luma.refresh(&pair.luma_source, &pair.luma.upload(&file(&[(range.clone(), "Runners")])).await).await;
        pair.luma.work().await;
        deliver_all(&pair.luma).await;
        let seen = pair.activation(&activation).await;
        assert_eq!(seen["deliveries"]["nodes"][0], changed, "{range:?}");
        assert_eq!(shelf(&activation), there, "{range:?}");
    }
    assert_eq!(pair.activation(&activation).await["delivered"], 4_500);
    let folders = std::fs::read_dir(pair.luma.gateway.settings.data.join("deliveries")).unwrap().count();
    assert_eq!(folders, 1, "only the set that the next delivery is told apart from is kept");

    let input = json!({ "sentAudienceId": sent["sentAudience"]["id"] });
    let fields = "sentAudience { hasAccess }";
    let revoked = pair.luma.press("revokeSentAudience", "RevokeSentAudienceInput", fields, input).await;
    assert_eq!(revoked["sentAudience"]["hasAccess"], false);
    assert_eq!(pair.activation(&activation).await["status"], "ACCESS_ENDED");
    deliver::clean_up(&pair.luma.gateway).await.unwrap();
    assert_eq!(std::fs::read_dir(pair.luma.gateway.settings.data.join("deliveries")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_destination_that_asks_for_patience_is_tried_for_as_long_as_access_lasts() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "patient", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "once": true })).await;
    ask_again("patient", 30);
    let activation = pair.activate(&sent, &destination).await;
    assert_eq!(pair.activation(&activation).await["status"], "DELIVERING");
    assert_eq!(asks_again("patient"), 29, "it is not due before the destination said");
    deliver_all_at(&pair.fit, crate::clock::now() + TimeDelta::hours(2)).await;
    assert_eq!(asks_again("patient"), 0, "more often than a fault would be forgiven");
    let seen = pair.activation(&activation).await;
    assert_eq!((&seen["status"], &seen["delivered"]), (&json!("DELIVERED"), &json!(2_000)), "{seen}");
}

#[tokio::test]
async fn attempts_that_were_killed_are_forgotten_once_it_gets_on() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "killed", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "once": true })).await;
    ask_again("killed", 1);
    let activation = pair.activate(&sent, &destination).await;
    let (_, uuid) = crate::graphql::id::parse(&activation).unwrap();
    let store = pair.fit.gateway.store();
    let job = async || {
        let about = Subject::Activation(uuid.to_string().parse().unwrap());
        store.jobs_about(about).await.unwrap().remove(0)
    };
    let mut now = job().await.run_at;
    for attempts in 1..30 {
        let leased = store.lease_next("killed", now, LEASE, JobPool::of(&[deliver::KIND])).await.unwrap();
        assert_eq!(leased.map(|job| job.attempts), Some(attempts));
        now += LEASE + TimeDelta::seconds(1);
    }
    deliver_all_at(&pair.fit, now).await;
    assert_eq!(pair.activation(&activation).await["status"], "DELIVERED");
    assert_eq!(job().await.attempts, 1, "a fault after it would not have been the last");
}

#[tokio::test]
async fn a_refresh_while_a_delivery_waits_or_is_paused_is_delivered_after_it() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "busy", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "recurring": { "from": today(0), "until": today(9) } })).await;
    ask_again("busy", 1);
    let activation = pair.activate(&sent, &destination).await;
    let refresh = async |range: Range<u32>| {
        pair.luma.refresh(&pair.luma_source, &pair.luma.upload(&file(&[(range, "Runners")])).await).await;
        pair.luma.work().await;
    };
    let later = crate::clock::now() + TimeDelta::hours(2);
    refresh(500..3_500).await;
    assert_eq!(pair.activation(&activation).await["deliveries"]["nodes"][0]["added"], 0);
    deliver_all_at(&pair.fit, later).await;
    let delivered = |added, removed| json!({ "status": "DELIVERED", "added": added, "removed": removed });
    let first = [delivered(500, 0), delivered(2_000, 0)];
    assert_eq!(pair.activation(&activation).await["deliveries"]["nodes"], json!(first));

    let press = async |mutation: &str| {
        let input = json!({ "activationId": activation });
        let pressed = pair.fit.press(mutation, "ActivationInput", "activation { status }", input).await;
        text(&pressed["activation"]["status"])
    };
    assert_eq!(press("pauseActivation").await, "PAUSED_BY_RECEIVER");
    refresh(1_500..3_500).await;
    refresh(2_000..4_000).await;
    deliver_all_at(&pair.fit, later).await;
    assert_eq!(pair.activation(&activation).await["deliveries"]["nodes"], json!(first), "nothing while it is paused");
    assert_eq!(press("resumeActivation").await, "DELIVERED");
    deliver_all_at(&pair.fit, later).await;
    let nodes = [&[delivered(500, 1_000)][..], &first].concat();
    assert_eq!(pair.activation(&activation).await["deliveries"]["nodes"], json!(nodes));
    assert_eq!(shelf(&activation), 2_000, "the destination has those of the last refresh");
}

#[tokio::test]
async fn a_delivery_whose_credentials_are_refused_goes_on_with_others() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "", "token": "expired" })).await;
    let sent = pair.send("Runners", json!({ "recurring": { "from": today(0), "until": today(9) } })).await;
    let activation = pair.activate(&sent, &destination).await;
    let seen = pair.activation(&activation).await;
    let refused = json!({ "status": "CREDENTIALS_REFUSED", "failure": "The token has expired.", "delivered": 0,
        "rejected": 0, "deliveries": { "nodes": [{ "status": "RUNNING", "added": 0, "removed": 0 }] } });
    assert_eq!(seen, refused);
    pair.luma.refresh(&pair.luma_source, &pair.luma.upload(&file(&[(500..3_500, "Runners")])).await).await;
    pair.luma.work().await;
    deliver_all(&pair.fit).await;
    assert_eq!(pair.activation(&activation).await, refused, "a refresh brings no other credentials");

    let update = async |settings: Value| {
        let input = json!({ "destinationId": destination["destination"]["id"], "settings": settings });
        let fields = "destination { settings version }";
        let updated = pair.fit.press("updateDestination", "UpdateDestinationInput", fields, input).await;
        deliver_all_at(&pair.fit, crate::clock::now() + TimeDelta::hours(1)).await;
        updated
    };
    assert_eq!(codes(&update(json!({ "mode": "", "token": "wrong" })).await), ["DESTINATION_REFUSED"]);
    assert_eq!(codes(&update(json!({ "mode": "other" })).await), ["DESTINATION_REFUSED"], "secrets come along");
    assert_eq!(pair.activation(&activation).await, refused);
    assert_eq!(codes(&update(json!({ "mode": "" })).await), [""; 0], "as it was shown");
    assert_eq!(pair.activation(&activation).await, refused, "it was tried again with the token that there is");
    let updated = update(json!({ "mode": "", "token": "right" })).await;
    assert_eq!(updated["destination"], json!({ "settings": { "mode": "" }, "version": 3 }));
    let seen = pair.activation(&activation).await;
    let delivered = |added, removed| json!({ "status": "DELIVERED", "added": added, "removed": removed });
    assert_eq!(seen["deliveries"]["nodes"], json!([delivered(500, 0), delivered(2_000, 0)]), "{seen}");
    assert_eq!((&seen["status"], &seen["failure"]), (&json!("DELIVERED"), &json!(null)));
}

#[tokio::test]
async fn a_delivery_whose_credentials_are_refused_ends_with_access() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "", "token": "expired" })).await;
    let sent = pair.send("Runners", json!({ "once": true })).await;
    let activation = pair.activate(&sent, &destination).await;
    let input = json!({ "sentAudienceId": sent["sentAudience"]["id"] });
    let fields = "sentAudience { hasAccess }";
    pair.luma.press("revokeSentAudience", "RevokeSentAudienceInput", fields, input).await;
    deliver::clean_up(&pair.luma.gateway).await.unwrap();
    let seen = pair.activation(&activation).await;
    let ended = (&json!("ACCESS_ENDED"), &json!("FAILED"));
    assert_eq!((&seen["status"], &seen["deliveries"]["nodes"][0]["status"]), ended, "{seen}");
    assert_eq!(std::fs::read_dir(pair.luma.gateway.settings.data.join("deliveries")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_destination_that_refuses_ends_the_activation() {
    let pair = Pair::connected(&[(0..3_000, "Runners")], &[(1_000..4_000, "Fans")]).await;
    let destination = pair.destination(json!({ "mode": "closed", "token": "right" })).await;
    let sent = pair.send("Runners", json!({ "once": true })).await;
    let activation = pair.activate(&sent, &destination).await;
    let seen = pair.activation(&activation).await;
    assert_eq!((text(&seen["status"]), text(&seen["failure"])), ("FAILED".into(), "The shelf is closed.".into()));

    let input = json!({ "activationId": activation });
    let deleted =
        pair.fit.press("deleteActivation", "DeleteActivationInput", "deletedActivationId", input.clone()).await;
    assert_eq!(deleted["deletedActivationId"], activation);
    let theirs = pair.luma.press("deleteActivation", "DeleteActivationInput", "deletedActivationId", input).await;
    assert_eq!(codes(&theirs), ["NOT_FOUND"]);
}
