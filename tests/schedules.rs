//! Data connections that read their source again and again: each time once, whatever is missed and whoever looks.

use crate::{
    harness::{Database, Gateway, Kind, Options, on_both_databases},
    people::{self, Form, customers},
    stories::{Party, mapping, today},
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

const CREATE: &str = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
    dataConnection { id schedule { everyDays from until nextRunAt } } job { id }
    userErrors { code field message } } }";

const UPDATE: &str = "mutation($input: UpdateDataConnectionInput!) { updateDataConnection(input: $input) {
    dataConnection { schedule { everyDays nextRunAt } } userErrors { code field message } } }";

const STANDING: &str = "query($id: ID!) { node(id: $id) { ... on DataConnection {
    schedule { nextRunAt } lastRefresh { startedAt }
    refreshes(first: 100) { totalCount nodes { status startedAt } } } } }";

/// So many days from now.
pub fn day(after: u64) -> NaiveDate {
    today().parse::<NaiveDate>().unwrap() + Days::new(after)
}

/// A schedule, as it is sent.
pub fn every(days: i32, from: NaiveDate, until: NaiveDate) -> Value {
    json!({ "recurring": { "everyDays": days, "from": from, "until": until } })
}

/// A time that was answered.
pub fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("no time: {value}")).parse().unwrap()
}

async fn gateway(kind: Kind, folder: &Path) -> Gateway {
    std::fs::write(folder.join("customers.csv"), customers(0..1_500, Form::Plain, people::luma)).unwrap();
    let settings = vec![("ENTENTE_SOURCE_ROOTS", folder.display().to_string())];
    Gateway::start_with(kind, Options { settings }).await
}

impl Party {
    /// What is sent to create a data connection with a schedule.
    fn scheduled(&self, folder: &Path, schedule: &Value) -> Value {
        json!({
            "accountId": self.account, "name": "Customers", "mapping": mapping(Form::Plain), "schedule": schedule,
            "source": { "type": "local_folder", "settings": { "folder": folder } }, "consentAcknowledged": true,
        })
    }

    /// Sets another schedule; what it is.
    pub async fn set_schedule(&self, data_connection: &str, schedule: Value) -> Value {
        let input = json!({ "accountId": self.account, "dataConnectionId": data_connection, "schedule": schedule });
        self.client.mutate(UPDATE, input).await["dataConnection"]["schedule"].clone()
    }

    /// When a data connection is refreshed next, once it was so often.
    pub async fn refreshed(&self, data_connection: &str, times: usize) -> Value {
        let ended = |data: &Value| {
            let refreshes = data["node"]["refreshes"]["nodes"].as_array().unwrap();
            let count = data["node"]["refreshes"]["totalCount"].as_u64().unwrap() as usize;
            assert!(count <= times, "{data}");
            count == times && refreshes.iter().all(|refresh| refresh["status"] == "SUCCEEDED")
        };
        self.client.until(STANDING, json!({ "id": data_connection }), ended).await;
        // One answer may have the schedule from before the end of a refresh, and the refresh from after it.
        let data = self.client.query(STANDING, json!({ "id": data_connection })).await;
        assert_eq!(data["node"]["lastRefresh"]["startedAt"], data["node"]["refreshes"]["nodes"][0]["startedAt"]);
        data["node"]["schedule"]["nextRunAt"].clone()
    }

    /// No more refreshes come for a while.
    pub async fn rests(&self, data_connection: &str, times: usize) {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            self.refreshed(data_connection, times).await;
        }
    }
}

on_both_databases! {
    /// Every two days: at its time, made up for once when the gateway was away, and not after the last day.
    async fn a_source_is_read_at_its_times(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let mut gateway = gateway(kind, folder.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let from = day(0);
        let input = luma.scheduled(folder.path(), &every(2, from, from + Days::new(5)));
        let created = luma.client.mutate(CREATE, input).await;
        let id = created["dataConnection"]["id"].as_str().unwrap();
        let second = time(&created["dataConnection"]["schedule"]["nextRunAt"]);
        let midnight = (from + Days::new(2)).and_time(NaiveTime::MIN).and_utc();
        assert!(midnight <= second && second < midnight + TimeDelta::hours(4), "{created}");
        assert_eq!(time(&luma.refreshed(id, 1).await), second);

        // Asked for in between, which changes nothing of what is planned.
        luma.read_again(id).await;
        assert_eq!(time(&luma.refreshed(id, 2).await), second);
        gateway.pass((second - Utc::now()).to_std().unwrap() + Duration::from_secs(1));
        let third = second + Days::new(2);
        assert_eq!(time(&luma.refreshed(id, 3).await), third);
        luma.rests(id, 3).await;

        gateway.kill();
        gateway.pass(Duration::from_secs(60 * 60 * 60));
        gateway.start_again();
        let luma = luma.at(&gateway);
        assert_eq!(luma.refreshed(id, 4).await, Value::Null, "the next would be after the last day");
        gateway.pass(Duration::from_secs(60 * 60 * 60));
        luma.rests(id, 4).await;
    }
}

on_both_databases! {
    /// A schedule that begins later reads nothing before; another one takes its place, and none ends it.
    async fn a_schedule_is_changed(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let gateway = gateway(kind, folder.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let refused = luma.scheduled(folder.path(), &every(7, day(0), day(9)));
        assert_eq!(luma.client.refused(CREATE, refused).await, "INVALID");
        let created = luma.client.mutate(CREATE, luma.scheduled(folder.path(), &every(1, day(3), day(9)))).await;
        assert_eq!(created["job"], Value::Null);
        let id = created["dataConnection"]["id"].as_str().unwrap();
        let first = time(&luma.refreshed(id, 0).await);
        assert_eq!(time(&luma.set_schedule(id, every(3, day(5), day(9))).await["nextRunAt"]), first + Days::new(2));
        gateway.pass((first - Utc::now()).to_std().unwrap() + Duration::from_secs(60 * 60 * 24));
        luma.rests(id, 0).await;
        gateway.pass(Duration::from_secs(60 * 60 * 24));
        assert_eq!(time(&luma.refreshed(id, 1).await), first + Days::new(5));
        assert_eq!(luma.set_schedule(id, json!({ "once": true })).await, Value::Null);
        gateway.pass(Duration::from_secs(60 * 60 * 24 * 4));
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let data = luma.client.query(STANDING, json!({ "id": id })).await;
            assert_eq!(data["node"]["refreshes"]["nodes"].as_array().unwrap().len(), 1, "{data}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_make_no_run_twice() {
    if !Database::postgres_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let one = gateway(Kind::Postgres, folder.path()).await;
    let _other = one.beside();
    let luma = Party::create(&one, "Luma", "ADVERTISER").await;
    let (mut ids, mut last) = (vec![], Utc::now());
    for n in 0..4 {
        let name = format!("Customers {n}");
        let mut input = luma.scheduled(folder.path(), &every(1, day(0), day(6)));
        (input["name"], input["mapping"]["audience"]) = (json!(name), json!({ "name": name }));
        let created = luma.client.mutate(CREATE, input).await["dataConnection"].clone();
        last = last.max(time(&created["schedule"]["nextRunAt"]));
        ids.push(created["id"].as_str().unwrap().to_owned());
    }
    let mut step = (last - Utc::now()).to_std().unwrap() + Duration::from_secs(1);
    for times in 1..4 {
        for id in &ids {
            luma.refreshed(id, times).await;
        }
        one.pass(step);
        step = Duration::from_secs(60 * 60 * 24);
    }
    for id in &ids {
        luma.rests(id, 4).await;
    }
}
