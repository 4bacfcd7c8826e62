//! Opt-outs: whom an account no longer uses is in none of its audiences and in nothing that is delivered.

use crate::{
    deliveries,
    harness::{Client, Gateway, Kind, Options, on_both_databases},
    people::{self, Form, digest, email, phone},
    stories::{ACTIVATE, Party, today, two_sides, uuid_of},
    webhooks,
};
use arrow_array::cast::AsArray;
use entente_destination::testkit::{FakeServer, Reply};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    ops::Range,
    path::Path,
    time::Duration,
};

const LOAD: &str = "mutation($input: LoadOptOutsInput!) { loadOptOuts(input: $input) {
    optOuts { version } job { id kind } userErrors { code field message } } }";

const LIST: &str = "query($a: ID!) { account(id: $a) { optOuts { version sha256 updatedAt updatedBy
    identityCountByMatchKey { matchKey { kind } identities }
    lastLoad { status rows acceptedRows rowFaults(first: 5) { nodes { row column reason } } } } } }";

const PROOFS: &str = "query($a: ID!) { account(id: $a) { auditLog(first: 100) { nodes { action subjectId
    optOuts { version sha256 added removed leftOut destinationId } } } } }";

/// Plain addresses, as people write them.
pub fn addresses(people: Range<u32>) -> String {
    people.fold("email\n".to_owned(), |file, person| file + &format!(" {}\n", email(person).to_uppercase()))
}

impl Party {
    async fn opt_outs_input(&self, csv: impl Into<Vec<u8>>, mode: &str) -> Value {
        let field = json!({
            "column": "email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "NORMALISE_AND_HASH",
        });
        json!({ "accountId": self.account, "uploadId": self.upload(csv).await, "mode": mode, "fields": [field] })
    }

    /// Begins to change the list; the job.
    async fn begin_opt_outs(&self, csv: String, mode: &str) -> String {
        let payload = self.client.mutate(LOAD, self.opt_outs_input(csv, mode).await).await;
        assert_eq!(payload["job"]["kind"], "load_opt_outs");
        payload["job"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn opt_out(&self, csv: String, mode: &str) {
        let job = self.begin_opt_outs(csv, mode).await;
        assert_eq!(self.job(&job).await["state"], "DONE");
    }

    async fn opt_outs(&self) -> Value {
        self.client.query(LIST, json!({ "a": self.account })).await["account"]["optOuts"].clone()
    }

    /// What the audit log keeps of opt-outs, newest first.
    async fn proofs(&self) -> Vec<Value> {
        let data = self.client.query(PROOFS, json!({ "a": self.account })).await;
        let entries = data["account"]["auditLog"]["nodes"].as_array().unwrap().clone();
        entries.into_iter().filter(|entry| entry["optOuts"] != Value::Null).collect()
    }

    /// Identities of an audience by match key, once it has so many by e-mail.
    pub async fn sizes_once(&self, audience: &str, by_email: usize) -> BTreeMap<String, u64> {
        let query = "query($a: ID!) { account(id: $a) { audiences { nodes { name
            identityCountByMatchKey { matchKey { kind } identities } } } } }";
        let sizes = |data: &Value| -> BTreeMap<String, u64> {
            let nodes = data["account"]["audiences"]["nodes"].as_array().unwrap();
            let found = nodes.iter().find(|n| n["name"] == audience).unwrap();
            let keys = found["identityCountByMatchKey"].as_array().unwrap().iter();
            keys.map(|k| (k["matchKey"]["kind"].as_str().unwrap().to_owned(), k["identities"].as_u64().unwrap()))
                .collect()
        };
        let is_so = |data: &Value| sizes(data)["HASHED_EMAIL"] == by_email as u64;
        sizes(&self.client.until(query, json!({ "a": self.account }), is_so).await)
    }

    /// Sends an audience by e-mail at each refresh of the next days; the sent audience.
    async fn send_on(&self, project: &str, audience: &str) -> String {
        let document = "mutation($input: SendAudienceInput!) { sendAudience(input: $input) {
            sentAudience { id } userErrors { code field message } } }";
        let until = (chrono::Utc::now().date_naive() + chrono::Days::new(9)).to_string();
        let input = json!({
            "accountId": self.account, "projectId": project, "audienceId": audience,
            "matchKeys": [{ "kind": "HASHED_EMAIL" }], "schedule": { "recurring": { "from": today(), "until": until } },
        });
        self.client.mutate(document, input).await["sentAudience"]["id"].as_str().unwrap().to_owned()
    }
}

/// Whom a landing zone has by e-mail after all that was added and removed.
pub fn there(landing: &Path) -> BTreeSet<String> {
    let mut held = BTreeMap::<String, i32>::new();
    for file in deliveries::files(landing).iter().filter(|f| f.extension().is_some_and(|e| e == "parquet")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
        for batch in reader.map(Result::unwrap) {
            let column = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let (identities, changes) = (column("identity"), column("change"));
            for row in 0..batch.num_rows() {
                *held.entry(identities.value(row).to_owned()).or_default() +=
                    if changes.value(row) == "added" { 1 } else { -1 };
            }
        }
    }
    assert!(held.values().all(|times| [0, 1].contains(times)), "nobody is added or removed twice");
    held.into_iter().filter(|(_, times)| *times == 1).map(|(identity, _)| identity).collect()
}

/// The runners of Luma whom TV Tube knows, without some.
fn runners(without: &[Range<u32>]) -> BTreeSet<String> {
    let is_one = |p: &u32| people::luma(*p).contains(&"Running") && !people::tv_tube(*p).is_empty();
    let stays = |p: &u32| !without.iter().any(|range| range.contains(p));
    (4_000..12_000).filter(|p| is_one(p) && stays(p)).map(|p| digest(&email(p))).collect()
}

on_both_databases! {
    async fn who_opts_out_is_taken_back_from_where_they_were_delivered(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let (luma, tv_tube) = two_sides(&gateway).await;
        let zone = tv_tube.create_destination().await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let sent = luma.send_on(&project, &luma.audiences().await["Running"]).await;
        let first = tv_tube.activate(&sent, &zone).await;
        let landing = gateway.data().join("landing");
        assert_eq!((&first["status"], there(&landing)), (&json!("DELIVERED"), runners(&[])));
        let removed = async |times: u64| {
            let query = "query($id: ID!) { node(id: $id) { ... on Activation {
                deliveries { nodes { status added removed } } } } }";
            let are_removed = |data: &Value| {
                let deliveries = data["node"]["deliveries"]["nodes"].as_array().unwrap();
                deliveries.iter().map(|d| d["removed"].as_u64().unwrap()).sum::<u64>() == times
                    && deliveries.iter().all(|d| d["status"] == "DELIVERED")
            };
            tv_tube.client.until(query, json!({ "id": first["id"] }), are_removed).await;
            there(&landing)
        };

        // Luma's, in clear, and with a value that is none.
        let file = addresses(4_000..4_400) + "xyzzy\n";
        luma.opt_out(file.clone(), "ADD").await;
        let opted_out = 4_000..4_400;
        assert_eq!(removed(200).await, runners(std::slice::from_ref(&opted_out)));
        let sizes = luma.sizes_once("Running", 6_000 - 200).await;
        assert_eq!(sizes["HASHED_PHONE"], 4_000, "by its own match key alone");
        let seen = luma.opt_outs().await;
        assert_eq!(
            (&seen["version"], &seen["sha256"], &seen["identityCountByMatchKey"]),
            (&json!(1), &json!(digest(&file)), &json!([{ "matchKey": { "kind": "HASHED_EMAIL" }, "identities": 400 }])),
        );
        assert_eq!(seen["lastLoad"], json!({
            "status": "SUCCEEDED", "rows": 401, "acceptedRows": 400, "rowFaults": { "nodes": [
                { "row": 401, "column": "email", "reason": "EMAIL_INVALID" },
                { "row": 401, "column": null, "reason": "NO_IDENTITY" },
            ] },
        }));
        let proofs = luma.proofs().await;
        let loaded = proofs.last().unwrap();
        assert_eq!((&loaded["action"], &loaded["optOuts"]), (&json!("load_opt_outs"), &json!({
            "version": 1, "sha256": digest(&file), "added": 400, "removed": 0, "leftOut": null, "destinationId": null,
        })));
        assert_eq!((&proofs[0]["subjectId"], &proofs[0]["optOuts"]), (&json!(sent), &json!({
            "version": 1, "sha256": digest(&file), "added": null, "removed": null, "leftOut": null, "destinationId": null,
        })), "that a delivery of it is kept to the list, and nothing of whom TV Tube knows");
        assert!(tv_tube.proofs().await.is_empty() && tv_tube.opt_outs().await["version"] == 0);

        // TV Tube's own customers who opted out: its log says where they were removed, and how many.
        tv_tube.opt_out(addresses(5_000..5_100), "REPLACE").await;
        assert_eq!(removed(250).await, runners(&[4_000..4_400, 5_000..5_100]));
        let proofs = tv_tube.proofs().await;
        let proof = &proofs.iter().find(|e| e["optOuts"]["removed"] == 50).unwrap()["optOuts"];
        assert_eq!(proof["destinationId"], json!(zone));
        // None where the index was without them already.
        assert!([json!(50), json!(0)].contains(&proof["leftOut"]), "{proof}");

        // What is activated from now on is without them from its beginning.
        let once = luma.send(&project, &luma.audiences().await["Yoga"], &[]).await;
        let once = once["sentAudience"]["id"].as_str().unwrap();
        let yoga = |p: &u32| people::luma(*p).contains(&"Yoga") && !people::tv_tube(*p).is_empty();
        let stays = |p: &u32| !(4_000..4_400).contains(p) && !(5_000..5_100).contains(p);
        let expected = (4_000..12_000).filter(|p| yoga(p) && stays(p)).count();
        assert_eq!(tv_tube.activate(once, &zone).await["delivered"], expected);

        deliveries::assert_nowhere(gateway.data(), &[&email(4_001), &email(5_001), &phone(4_001), "xyzzy"]);
    }
}

on_both_databases! {
    /// The destination has one of eight batches in hand when a quarter of the people opt out.
    async fn a_delivery_under_way_goes_on_without_who_opts_out(kind: Kind) {
        const BATCH: usize = 500;
        let receiver = FakeServer::start().unwrap();
        let settings = vec![
            ("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned()),
            ("TEST_BATCH_ROWS", BATCH.to_string()),
        ];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source(people::customers(0..8_000, Form::Hashed, people::luma), Form::Hashed).await;
        tv_tube.source(people::customers(0..8_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
        let made = tv_tube.try_destination("webhook", webhooks::settings(&receiver.url("/hook"))).await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;
        receiver.script([Reply::status(200).delay(Duration::from_secs(8))]);
        let asked = receiver.requests().len();
        let input = json!({
            "accountId": tv_tube.account, "sentAudienceId": sent["sentAudience"]["id"],
            "destinationId": made["destination"]["id"], "on": today(),
        });
        let activation = tv_tube.client.mutate(ACTIVATE, input).await["activation"]["id"].clone();
        while receiver.requests().len() <= asked {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        luma.opt_out(addresses(0..2_000), "ADD").await;
        let query = "query($id: ID!) { node(id: $id) { ... on Activation { status deliveries { totalCount } } } }";
        let ended = |data: &Value| !["SCHEDULED", "DELIVERING"].contains(&data["node"]["status"].as_str().unwrap());
        let seen = tv_tube.client.until(query, json!({ "id": activation }), ended).await;
        assert_eq!(seen["node"], json!({ "status": "DELIVERED", "deliveries": { "totalCount": 1 } }));

        let posted = webhooks::posted(&receiver);
        let of = |person: u32| posted.get(&digest(&email(person))).copied();
        let is_one = |p: &u32| people::luma(*p).contains(&"Running") && !people::tv_tube(*p).is_empty();
        assert!((2_000..8_000).filter(is_one).all(|p| of(p) == Some(1)), "all others, each once");
        let too_late = (0..2_000).filter(|p| of(*p).is_some()).count();
        assert!(too_late <= BATCH, "{too_late} of 1,000: no more than one batch was in hand");
    }
}

on_both_databases! {
    async fn a_list_is_its_accounts_alone(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.opt_out(addresses(0..10), "ADD").await;
        let answer = tv_tube.client.ask(LIST, json!({ "a": luma.account })).await;
        assert_eq!(answer["data"]["account"], Value::Null, "{answer}");
        let theirs = luma.opt_outs_input(addresses(10..20), "ADD").await;
        assert_eq!(tv_tube.client.refused(LOAD, theirs.clone()).await, "NOT_FOUND");
        let mut own = theirs.clone();
        own["accountId"] = json!(tv_tube.account);
        assert_eq!(tv_tube.client.refused(LOAD, own).await, "UPLOAD_UNAVAILABLE", "as one that is not there");
        let analyst: Client = luma.api_key(json!({ "role": "ANALYST" })).await.1;
        assert_eq!(analyst.refused(LOAD, theirs.clone()).await, "FORBIDDEN");
        let seen = analyst.query(LIST, json!({ "a": luma.account })).await["account"]["optOuts"].clone();
        assert_eq!((&seen["version"], &seen["updatedBy"].is_string()), (&json!(1), &true));
        luma.client.mutate(LOAD, theirs.clone()).await;
        assert_eq!(luma.client.refused(LOAD, theirs).await, "UPLOAD_UNAVAILABLE", "an upload is used once");

        // With the account its files go.
        let folder = gateway.data().join("accounts").join(uuid_of(&luma.account)).join("opt_outs");
        assert!(!deliveries::files(&folder).is_empty());
        let document = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
            userErrors { code field message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "accountName": "Luma" })).await;
        for _ in 0..200 {
            if deliveries::files(&folder).is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?}", deliveries::files(&folder));
    }
}

on_both_databases! {
    /// kill -9 while lists are loaded: there is the one before or the next one, and each file counts once.
    async fn whatever_moment_it_dies_there_is_one_list_or_the_next(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        luma.source(people::customers(0..20_000, Form::Hashed, people::luma), Form::Hashed).await;
        let mut random = StdRng::seed_from_u64(22);
        for round in 1..=4_u32 {
            let luma = luma.at(&gateway);
            let people = (round - 1) * 4_000..round * 4_000;
            let job = luma.begin_opt_outs(addresses(people), "ADD").await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
            gateway.kill();
            gateway.start_again();
            let luma = luma.at(&gateway);
            let seen = luma.opt_outs().await;
            let on_it = seen["identityCountByMatchKey"][0]["identities"].as_u64().unwrap_or(0);
            let lists = [(round - 1, (round - 1) * 4_000), (round, round * 4_000)];
            assert!(lists.iter().any(|(v, n)| seen["version"] == *v && on_it == u64::from(*n)), "{seen}");
            // What nobody renews is taken over.
            gateway.pass(Duration::from_secs(60));
            assert_eq!(luma.job(&job).await["state"], "DONE");
            let seen = luma.opt_outs().await;
            assert_eq!((&seen["version"], &seen["identityCountByMatchKey"][0]["identities"]), (&json!(round), &json!(round * 4_000)));
            luma.sizes_once("Running", 10_000 - 2_000 * round as usize).await;
        }
        assert_eq!(luma.at(&gateway).proofs().await.len(), 4, "each load once");
    }
}
