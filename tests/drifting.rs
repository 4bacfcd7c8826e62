//! Refreshes that find something that is not as it was: nothing is published until somebody accepts it. And the warning of
//! audiences that nobody refreshes.

use crate::{
    data_sources::started,
    harness::{Gateway, Kind, Options, Socket, on_both_databases},
    people::{self, Form, customers},
    sourcing::written,
    stories::{Party, mapping},
};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc, time::Duration};

const ACCEPT: &str = "mutation($input: AcceptDriftInput!) { acceptDrift(input: $input) {
    dataConnection { id } job { id } userErrors { code field message } } }";

const UPDATE: &str = "mutation($input: UpdateDataConnectionInput!) { updateDataConnection(input: $input) {
    dataConnection { mapping { fields { column } } } userErrors { code field message } } }";

const EVENTS: &str = "subscription($a: ID!, $after: String) { accountEvents(accountId: $a, after: $after) {
    kind subjectId } }";

const HISTORY: &str = "query($id: ID!) { node(id: $id) { ... on DataConnection { status failure
    refreshes(first: 100) { nodes { jobId status failure bytes rows acceptedRows identityCount startedAt finishedAt
        acceptedByJobId drifts { kind column before now message } } }
    audiences { nodes { refreshedAt } } } } }";

const DAY: Duration = Duration::from_secs(86_400);

/// One row for each person of Luma's, with another name for a column.
fn renamed(people: std::ops::Range<u32>, column: &str, name: &str) -> String {
    customers(people, Form::Plain, people::luma).replacen(column, name, 1)
}

fn uploads(gateway: &Gateway) -> usize {
    fs::read_dir(gateway.data().join("uploads")).map_or(0, Iterator::count)
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

/// Luma, and one of its data connections.
struct Luma {
    party: Party,
    id: String,
}

impl Luma {
    async fn history(&self) -> Value {
        self.party.client.query(HISTORY, json!({ "id": self.id })).await["node"].clone()
    }

    /// The last refresh.
    async fn last(&self) -> Value {
        self.history().await["refreshes"]["nodes"][0].clone()
    }

    /// Uploads a file that is not as it was; the refresh's job.
    async fn drifts(&self, csv: impl Into<Vec<u8>>) -> String {
        let upload = self.party.upload(csv).await;
        let job = self.party.begin_refresh(&self.id, &upload).await;
        self.has_drifted(&job).await;
        job
    }

    async fn has_drifted(&self, job: &str) {
        let ended = self.party.job(job).await;
        assert_eq!(ended["state"], "FAILED", "{ended}");
        let history = self.history().await;
        let last = &history["refreshes"]["nodes"][0];
        assert_eq!((&last["jobId"], &last["status"]), (&json!(job), &json!("DRIFTED")), "{history}");
        assert_eq!((&history["status"], &history["failure"]), (&json!("DRIFTED"), &last["failure"]), "{history}");
        assert_eq!(ended["error"], last["failure"]);
    }

    /// What is not as it was, by the last refresh: kinds, columns, and what there is.
    async fn drifted(&self) -> Vec<(String, Value, Value)> {
        let drifts = self.last().await["drifts"].as_array().unwrap().clone();
        drifts.iter().map(|d| (d["kind"].as_str().unwrap().to_owned(), d["before"].clone(), d["now"].clone())).collect()
    }

    async fn accept(&self, job: &str) -> Value {
        let input = json!({ "accountId": self.party.account, "dataConnectionId": self.id, "jobId": job });
        self.party.client.press(ACCEPT, input).await
    }

    /// Accepts what a refresh found, and waits until it is taken; the job that takes it.
    async fn takes(&self, job: &str) -> String {
        let (_, taking) = started(&self.accept(job).await);
        let ended = self.party.job(&taking).await;
        assert_eq!(ended["state"], "DONE", "{ended}");
        let history = self.history().await;
        assert_eq!((&history["status"], &history["failure"]), (&json!("ACTIVE"), &Value::Null), "{history}");
        taking
    }

    async fn map(&self, mapping: Value) -> Value {
        let input = json!({ "accountId": self.party.account, "dataConnectionId": self.id, "mapping": mapping });
        self.party.client.press(UPDATE, input).await
    }

    async fn follow(&self, gateway: &Gateway, after: Option<&str>) -> Socket {
        let variables = json!({ "a": self.party.account, "after": after });
        Socket::subscribe(&gateway.url, &self.party.client.token, EVENTS, variables).await
    }
}

async fn hear(socket: &mut Socket, id: &str, kind: &str) {
    let event = socket.next().await.unwrap()["data"]["accountEvents"].take();
    assert_eq!(event, json!({ "kind": kind, "subjectId": id }));
}

/// Luma with 1,500 people in 1,800 rows from an upload.
async fn uploaded(gateway: &Gateway) -> Luma {
    let party = Party::create(gateway, "Luma", "ADVERTISER").await;
    let id = party.source(customers(0..1_500, Form::Plain, people::luma), Form::Plain).await;
    Luma { party, id }
}

/// Luma with 1,500 people in 1,800 rows from a folder.
async fn from_a_folder(kind: Kind, folder: &Path, file: &str, content: impl AsRef<[u8]>) -> (Gateway, Luma) {
    fs::write(folder.join(file), content).unwrap();
    let settings = vec![("ENTENTE_SOURCE_ROOTS", folder.display().to_string())];
    let gateway = Gateway::start_with(kind, Options { settings }).await;
    let party = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let source = json!({ "type": "local_folder", "settings": { "folder": folder } });
    let (id, job) = started(&party.create_from(&source, Form::Plain).await);
    let done = party.job(&job).await;
    assert_eq!(done["state"], "DONE", "{done}");
    (gateway, Luma { party, id })
}

on_both_databases! {
    /// A column has another name: the audiences stay, the account is told, and once the mapping names the new one, it is taken.
    async fn a_renamed_column_is_taken_once_it_is_mapped_and_accepted(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = uploaded(&gateway).await;
        let before = (luma.party.audiences().await, luma.history().await["audiences"].clone());
        let mut socket = luma.follow(&gateway, None).await;
        let job = luma.drifts(renamed(0..1_500, "phone", "mobile")).await;
        hear(&mut socket, &luma.id, "DATA_CONNECTION_DRIFTED").await;
        let last = luma.last().await;
        let message = "Where the column phone was, there is mobile.";
        assert_eq!(last["drifts"], json!([{
            "kind": "COLUMN_CHANGED", "column": "phone", "before": "phone", "now": "mobile", "message": message,
        }]));
        assert_eq!(last["failure"], message);
        assert_eq!((luma.party.audiences().await, luma.history().await["audiences"].clone()), before);
        assert_eq!(uploads(&gateway), 1, "it is kept");

        let refused = luma.accept(&job).await;
        assert_eq!(code(&refused), "MAPPED_COLUMN_MISSING", "{refused}");
        assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains("phone"), "{refused}");
        let mut new = mapping(Form::Plain);
        new["fields"][1]["column"] = json!("mobile");
        let mut less = new.clone();
        less["fields"].as_array_mut().unwrap().pop();
        assert_eq!(code(&luma.map(less).await), "INVALID", "the phones are published");
        assert_eq!(luma.map(new).await["dataConnection"]["mapping"]["fields"][1]["column"], "mobile");
        hear(&mut socket, &luma.id, "DATA_CONNECTION_UPDATED").await;

        let taking = luma.takes(&job).await;
        hear(&mut socket, &luma.id, "DATA_CONNECTION_REFRESHED").await;
        assert_eq!((uploads(&gateway), luma.party.audiences().await.len()), (0, 3));
        let history = luma.history().await;
        let nodes = history["refreshes"]["nodes"].as_array().unwrap();
        let statuses: Vec<_> = nodes.iter().map(|node| node["status"].clone()).collect();
        assert_eq!(statuses, ["SUCCEEDED", "DRIFTED", "SUCCEEDED"]);
        assert_eq!(nodes[1]["acceptedByJobId"], json!(taking));
        let again = luma.accept(&job).await;
        assert_eq!((code(&again), &again["userErrors"][0]["field"]), ("WRONG_STATE", &json!(["jobId"])), "{again}");

        // What is accepted is what the next one is compared with.
        luma.drifts(customers(0..1_500, Form::Plain, people::luma)).await;
        assert_eq!(luma.drifted().await, [("COLUMN_CHANGED".to_owned(), json!("mobile"), json!("phone"))]);
    }
}

on_both_databases! {
    /// Fewer than half of the rows, and none at all; the history has figures, and nobody else learns of any of it.
    async fn what_is_far_less_is_kept_until_it_is_accepted(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = uploaded(&gateway).await;
        let file = customers(0..700, Form::Plain, people::luma);
        let first = luma.drifts(file.clone()).await;
        assert_eq!(luma.drifted().await, [("ROWS_DROPPED".to_owned(), json!("1800"), json!("840"))]);
        let last = luma.last().await;
        let figures = ["bytes", "rows", "acceptedRows", "identityCount"].map(|field| last[field].as_u64());
        // E-mail addresses of all, phones of two thirds.
        assert_eq!(figures, [Some(file.len() as u64), Some(840), Some(840), Some(700 + 466)], "{last}");
        assert!(crate::schedules::time(&last["startedAt"]) <= crate::schedules::time(&last["finishedAt"]));

        // It is nobody else's.
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let own = tv_tube.source(customers(0..100, Form::Plain, people::tv_tube), Form::Plain).await;
        let foreign = json!({ "accountId": tv_tube.account, "dataConnectionId": luma.id, "jobId": first });
        let refused = tv_tube.client.press(ACCEPT, foreign).await;
        let nothing = json!({ "accountId": tv_tube.account, "dataConnectionId": crate::belongings::nobodys("DataConnection"), "jobId": first });
        assert_eq!(code(&refused), "NOT_FOUND", "{refused}");
        assert_eq!(tv_tube.client.press(ACCEPT, nothing).await, refused);
        let mixed = json!({ "accountId": tv_tube.account, "dataConnectionId": own, "jobId": first });
        assert_eq!(tv_tube.client.refused(ACCEPT, mixed).await, "NOT_FOUND");

        // The last one counts, and none is left of those before it once it is published.
        let second = luma.drifts(customers(0..500, Form::Plain, people::luma)).await;
        assert_eq!((code(&luma.accept(&first).await), uploads(&gateway)), ("WRONG_STATE", 2));
        luma.takes(&second).await;
        assert_eq!((uploads(&gateway), luma.last().await["rows"].as_u64()), (0, Some(600)));

        // Nothing takes the place of something.
        for empty in ["", "email,phone,audience\n"] {
            let job = luma.drifts(empty).await;
            assert_eq!(luma.drifted().await, [("EMPTY".to_owned(), Value::Null, Value::Null)], "{empty:?}");
            assert_eq!(code(&luma.accept(&job).await), "FILE_REFUSED");
        }
        assert_eq!(luma.party.audiences().await.len(), 3);
        let job = luma.party.refresh(&luma.id, customers(0..500, Form::Plain, people::luma)).await;
        assert_eq!(luma.party.job(&job).await["state"], "DONE");
        assert_eq!(uploads(&gateway), 0);

        // A file without a header: no value of it is taken for a name.
        let csv = customers(0..500, Form::Plain, people::luma);
        luma.drifts(csv.split_once('\n').unwrap().1).await;
        assert!(!luma.history().await.to_string().to_lowercase().contains("person"));
        crate::deliveries::assert_nowhere(gateway.data(), &["person123"]);

        // What is kept is kept for the 7 days of an upload.
        let job = luma.drifts(customers(0..100, Form::Plain, people::luma)).await;
        gateway.pass(8 * DAY);
        assert_eq!(code(&luma.accept(&job).await), "UPLOAD_UNAVAILABLE");
    }
}

on_both_databases! {
    /// A source drifts until it is accepted, or is as it was; what changes once more drifts once more.
    async fn a_source_drifts_until_it_is_accepted(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        let whole = customers(0..1_500, Form::Plain, people::luma);
        let (_gateway, luma) = from_a_folder(kind, folder.path(), "a.csv", &whole).await;
        let put = |csv: &str| fs::write(&file, csv).unwrap();

        put(&customers(0..600, Form::Plain, people::luma));
        for _ in 0..2 {
            luma.has_drifted(&luma.party.begin_reading(&luma.id).await).await;
            assert_eq!(luma.drifted().await, [("ROWS_DROPPED".to_owned(), json!("1800"), json!("720"))]);
        }
        put(&whole);
        assert_eq!(luma.party.read_again(&luma.id).await["state"], "DONE");
        assert_eq!(luma.history().await["status"], "ACTIVE");

        // A file that comes before it, and goes again: what is left is what was read.
        let other = folder.path().join("0.csv");
        fs::write(&other, renamed(0..10, "audience", "segment")).unwrap();
        luma.has_drifted(&luma.party.begin_reading(&luma.id).await).await;
        assert_eq!(luma.drifted().await, [("COLUMN_CHANGED".to_owned(), json!("audience"), json!("segment"))]);
        fs::remove_file(&other).unwrap();
        assert_eq!(luma.party.read_again(&luma.id).await["state"], "DONE");
        assert_eq!((luma.history().await["status"].clone(), luma.last().await["rows"].clone()), (json!("ACTIVE"), json!(1_800)));

        // Accepted is what was shown: less than half of that, and it drifts again.
        put(&customers(0..600, Form::Plain, people::luma));
        let job = luma.party.begin_reading(&luma.id).await;
        luma.has_drifted(&job).await;
        put(&customers(0..200, Form::Plain, people::luma));
        let (_, taking) = started(&luma.accept(&job).await);
        luma.has_drifted(&taking).await;
        assert_eq!(luma.drifted().await, [("ROWS_DROPPED".to_owned(), json!("1800"), json!("240"))]);
        assert_eq!(luma.party.audiences().await.len(), 3);
        luma.takes(&taking).await;
        assert_eq!(luma.last().await["rows"], 240);

        // No files at all.
        fs::remove_file(&file).unwrap();
        let job = luma.party.begin_reading(&luma.id).await;
        luma.has_drifted(&job).await;
        assert_eq!(luma.drifted().await, [("EMPTY".to_owned(), Value::Null, Value::Null)]);
        assert_eq!(code(&luma.accept(&job).await), "FILE_REFUSED");
    }
}

/// A Parquet file of these columns, and one that is not mapped.
fn parquet(csv: &str, visits: impl Fn(usize) -> ArrayRef) -> Vec<u8> {
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let text = |i: usize| -> ArrayRef { Arc::new(rows.iter().map(|row| Some(row[i])).collect::<StringArray>()) };
    let columns = [("email", text(0)), ("phone", text(1)), ("audience", text(2)), ("visits", visits(rows.len()))];
    written(&RecordBatch::try_from_iter(columns).unwrap())
}

on_both_databases! {
    /// Columns are compared before a row is read, with the types that a Parquet file gives them.
    async fn a_type_that_changed_is_accepted(kind: Kind) {
        let csv = customers(0..1_500, Form::Plain, people::luma);
        let numbers = |rows| Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef;
        let texts = |rows| Arc::new(StringArray::from_iter_values((0..rows).map(|n| n.to_string()))) as ArrayRef;
        let folder = tempfile::tempdir().unwrap();
        let (_gateway, luma) = from_a_folder(kind, folder.path(), "a.parquet", parquet(&csv, numbers)).await;
        fs::write(folder.path().join("a.parquet"), parquet(&csv, texts)).unwrap();
        let job = luma.party.begin_reading(&luma.id).await;
        luma.has_drifted(&job).await;
        assert_eq!(luma.last().await["drifts"][0], json!({
            "kind": "TYPE_CHANGED", "column": "visits", "before": "whole numbers", "now": "text",
            "message": "The column visits was whole numbers and is text.",
        }));
        assert_eq!(luma.last().await["rows"], 0, "none was read");
        luma.takes(&job).await;

        // A column that is not mapped vanishes.
        fs::remove_file(folder.path().join("a.parquet")).unwrap();
        fs::write(folder.path().join("b.csv"), &csv).unwrap();
        let job = luma.party.begin_reading(&luma.id).await;
        luma.has_drifted(&job).await;
        assert_eq!(luma.drifted().await, [("COLUMN_VANISHED".to_owned(), json!("visits"), Value::Null)]);
        luma.takes(&job).await;
        assert_eq!(luma.last().await["rows"], 1_800);
    }
}

on_both_databases! {
    /// A day before audiences expire, once for each refresh, whichever gateway looks, and whenever it is there to look.
    async fn the_account_is_warned_of_what_expires(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let mut luma = uploaded(&gateway).await;
        let rename = async |luma: &Luma, name: &str| {
            let input = json!({ "accountId": luma.party.account, "dataConnectionId": luma.id, "name": name });
            assert_eq!(luma.party.client.press(UPDATE, input).await["userErrors"], json!([]));
        };
        let refresh = async |luma: &Luma| {
            let job = luma.party.refresh(&luma.id, customers(0..1_500, Form::Plain, people::luma)).await;
            assert_eq!(luma.party.job(&job).await["state"], "DONE");
        };
        let mut socket = luma.follow(&gateway, None).await;
        gateway.pass(6 * DAY + Duration::from_secs(60));
        hear(&mut socket, &luma.id, "DATA_CONNECTION_EXPIRING").await;

        // Refreshed in time, and again: there is nothing to tell.
        refresh(&luma).await;
        hear(&mut socket, &luma.id, "DATA_CONNECTION_REFRESHED").await;
        gateway.pass(4 * DAY);
        refresh(&luma).await;
        hear(&mut socket, &luma.id, "DATA_CONNECTION_REFRESHED").await;
        gateway.pass(4 * DAY);
        let beside = matches!(kind, Kind::Postgres).then(|| gateway.beside());
        tokio::time::sleep(Duration::from_secs(12)).await;
        rename(&luma, "All").await;
        hear(&mut socket, &luma.id, "DATA_CONNECTION_UPDATED").await;

        // No gateway is there on the last day.
        drop(beside);
        drop(socket);
        gateway.kill();
        gateway.pass(5 * DAY);
        gateway.start_again();
        luma.party = luma.party.at(&gateway);
        let beside = matches!(kind, Kind::Postgres).then(|| gateway.beside());
        let mut socket = luma.follow(&gateway, Some("ZTA")).await;
        for kind in ["CREATED", "REFRESHED", "EXPIRING", "REFRESHED", "REFRESHED", "UPDATED", "EXPIRING"] {
            hear(&mut socket, &luma.id, &format!("DATA_CONNECTION_{kind}")).await;
        }
        tokio::time::sleep(Duration::from_secs(12)).await;
        rename(&luma, "Customers").await;
        hear(&mut socket, &luma.id, "DATA_CONNECTION_UPDATED").await;
        drop(beside);
    }
}
