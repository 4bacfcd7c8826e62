//! Opt-outs that come from a source: read when they are set, when that is asked for, and by a schedule.

use crate::{
    deliveries,
    harness::{Client, Gateway, Kind, Options, Socket, on_both_databases},
    opt_outs::addresses,
    people::{self, Form, customers, digest},
    schedules::{day, every, time},
    stories::Party,
};
use chrono::{Days, Utc};
use entente_test_servers::s3::{S3, SECRET};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

const SET: &str = "mutation($input: SetOptOutSourceInput!) { setOptOutSource(input: $input) {
    optOuts { source { schedule { nextRunAt } } } job { id } userErrors { code field message } } }";

const REFRESH: &str = "mutation($input: RefreshOptOutsInput!) { refreshOptOuts(input: $input) {
    job { id } userErrors { code field message } } }";

const REMOVE: &str = "mutation($input: RemoveOptOutSourceInput!) { removeOptOutSource(input: $input) {
    optOuts { version source { mode } } userErrors { code field message } } }";

const ACCEPT: &str = "mutation($input: AcceptOptOutDriftInput!) { acceptOptOutDrift(input: $input) {
    job { id } userErrors { code field message } } }";

const CHECK: &str = "mutation($input: CheckSourceInput!) { checkSource(input: $input) {
    fileCount userErrors { code field message } } }";

const PREVIEW: &str = "mutation($input: PreviewSourceInput!) { previewSource(input: $input) {
    preview { columns { name } rows } userErrors { code field message } } }";

const STANDING: &str = "query($a: ID!) { account(id: $a) { optOuts { version sha256
    identityCountByMatchKey { matchKey { kind } identities }
    source { mode delimiter setBy fields { column } schedule { everyDays nextRunAt }
        dataSource { settings sourceType { id } } }
    lastLoad { jobId status failure rows acceptedRows bytes drifts { kind before now }
        rowFaults(first: 5) { nodes { row column reason } } }
    loads(first: 100) { totalCount nodes { status } } } } }";

const EVENTS: &str = "subscription($a: ID!) { accountEvents(accountId: $a, after: \"ZTA\") { kind } }";

fn folder(path: &Path) -> Value {
    json!({ "type": "local_folder", "settings": { "folder": path } })
}

async fn gateway_over(kind: Kind, place: &Path) -> Gateway {
    let settings = vec![("ENTENTE_SOURCE_ROOTS", place.display().to_string())];
    Gateway::start_with(kind, Options { settings }).await
}

/// A list, as it is shown: its version, and identities by e-mail.
fn listed(seen: &Value) -> (u64, u64) {
    let by_email = seen["identityCountByMatchKey"][0]["identities"].as_u64().unwrap_or(0);
    (seen["version"].as_u64().unwrap(), by_email)
}

impl Party {
    fn opt_out_source(&self, source: &Value, mode: &str) -> Value {
        let field = json!({
            "column": "email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "NORMALISE_AND_HASH",
        });
        json!({ "accountId": self.account, "source": source, "mode": mode, "fields": [field] })
    }

    /// Sets where the list comes from, and waits for the load; the job.
    async fn set_opt_out_source(&self, source: &Value, mode: &str) -> Value {
        let payload = self.client.mutate(SET, self.opt_out_source(source, mode)).await;
        self.job(payload["job"]["id"].as_str().unwrap()).await
    }

    async fn begin_opt_outs_again(&self) -> String {
        let payload = self.client.mutate(REFRESH, json!({ "accountId": self.account })).await;
        payload["job"]["id"].as_str().unwrap().to_owned()
    }

    /// Reads the source again; the job.
    async fn opt_outs_again(&self) -> Value {
        self.job(&self.begin_opt_outs_again().await).await
    }

    async fn opt_out_standing(&self) -> Value {
        self.client.query(STANDING, json!({ "a": self.account })).await["account"]["optOuts"].clone()
    }

    /// How the list is, once so many loads have succeeded.
    async fn opt_outs_loaded(&self, times: usize) -> Value {
        let loaded = |data: &Value| {
            let loads = &data["account"]["optOuts"]["loads"];
            assert!(loads["totalCount"].as_u64().unwrap() as usize <= times, "{data}");
            let good = |load: &&Value| load["status"] == "SUCCEEDED";
            loads["nodes"].as_array().unwrap().iter().filter(good).count() == times
        };
        self.client.until(STANDING, json!({ "a": self.account }), loaded).await;
        // An answer can have the list of before and the loads of after.
        self.opt_out_standing().await
    }
}

on_both_databases! {
    /// Two files of a folder are the list; what is the same is not read again, and what changed takes the place of it.
    async fn a_list_comes_from_a_folder(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let put = |name: &str, people| fs::write(place.path().join(name), addresses(people)).unwrap();
        put("a.csv", 0..300);
        fs::write(place.path().join("b.csv"), addresses(300..400) + "xyzzy\n").unwrap();
        let gateway = gateway_over(kind, place.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        luma.source(customers(0..1_000, Form::Plain, people::luma), Form::Plain).await;
        assert_eq!(luma.opt_out_standing().await["source"], Value::Null);
        assert_eq!(luma.client.refused(REFRESH, json!({ "accountId": luma.account })).await, "WRONG_STATE");

        let source = folder(place.path());
        let asked = json!({ "accountId": luma.account, "source": source });
        assert_eq!(luma.client.mutate(CHECK, asked.clone()).await["fileCount"], 2);
        assert_eq!(luma.client.mutate(PREVIEW, asked).await["preview"]["rows"][0][0], "***");
        let done = luma.set_opt_out_source(&source, "REPLACE").await;
        assert_eq!((&done["state"], &done["progress"]["rows"]), (&json!("DONE"), &json!(401)), "{done}");
        let seen = luma.opt_out_standing().await;
        assert_eq!(listed(&seen), (1, 400));
        let whole = addresses(0..300) + &addresses(300..400) + "xyzzy\n";
        assert_eq!(seen["sha256"], digest(&whole), "as `cat` and `sha256sum` say");
        let last = &seen["lastLoad"];
        assert_eq!((&last["rows"], &last["acceptedRows"], &last["bytes"]), (&json!(401), &json!(400), &json!(whole.len())));
        assert_eq!(last["rowFaults"]["nodes"][0], json!({ "row": 401, "column": "email", "reason": "EMAIL_INVALID" }));
        let own = json!({ "accountId": luma.account, "ofOptOuts": true });
        assert_eq!(luma.client.mutate(CHECK, own.clone()).await["fileCount"], 2);
        assert_eq!(luma.client.mutate(PREVIEW, own).await["preview"]["columns"][0]["name"], "email");
        luma.sizes_once("Running", 300).await;

        // Nothing changed: nothing is read, and the list is the same version.
        assert_eq!(luma.opt_outs_again().await["state"], "DONE");
        let again = luma.opt_outs_loaded(2).await;
        assert_eq!((listed(&again), &again["lastLoad"]["acceptedRows"]), ((1, 400), &json!(400)));

        // What an upload put on it goes with the next load: the list is what the source holds.
        luma.opt_out(addresses(500..600), "ADD").await;
        assert_eq!(listed(&luma.opt_out_standing().await), (2, 500));
        assert_eq!(luma.opt_outs_again().await["state"], "DONE");
        assert_eq!(listed(&luma.opt_outs_loaded(4).await), (3, 400));

        put("b.csv", 300..350);
        assert_eq!(luma.opt_outs_again().await["state"], "DONE");
        assert_eq!(listed(&luma.opt_outs_loaded(5).await), (4, 350));

        // What cannot be read is told, and the list stays.
        fs::write(place.path().join("b.csv"), "mail\nada@luma.example\n").unwrap();
        assert_eq!(luma.opt_outs_again().await["state"], "FAILED");
        let failed = luma.opt_out_standing().await;
        assert!(failed["lastLoad"]["failure"].as_str().unwrap().starts_with("File 2: "), "{failed}");
        assert_eq!(listed(&failed), (4, 350));

        // Put on it, or taken off it, instead; the drop is nothing then.
        put("b.csv", 350..360);
        fs::remove_file(place.path().join("a.csv")).unwrap();
        luma.set_opt_out_source(&source, "ADD").await;
        assert_eq!(listed(&luma.opt_out_standing().await), (5, 360));
        luma.set_opt_out_source(&source, "REMOVE").await;
        assert_eq!(listed(&luma.opt_out_standing().await), (6, 350));
        luma.sizes_once("Running", 325).await;

        deliveries::assert_nowhere(gateway.data(), &["person123"]);
        let gone = luma.client.mutate(REMOVE, json!({ "accountId": luma.account })).await;
        assert_eq!(gone["optOuts"], json!({ "version": 6, "source": null }), "the list stays");
        assert_eq!(luma.client.refused(REMOVE, json!({ "accountId": luma.account })).await, "WRONG_STATE");
        assert_eq!(luma.client.refused(CHECK, json!({ "accountId": luma.account, "ofOptOuts": true })).await, "WRONG_STATE");
    }
}

on_both_databases! {
    /// A bucket with a secret, which nobody reads again, and which is for the account alone.
    async fn the_source_of_a_list_is_its_accounts_alone(kind: Kind) {
        let server = S3::start();
        fs::create_dir_all(server.file("opt-outs")).unwrap();
        fs::write(server.file("opt-outs/a.csv"), addresses(0..50)).unwrap();
        let settings = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = |secret: &str| json!({ "type": "s3", "settings": {
            "bucket": "luma", "prefix": "opt-outs", "endpoint": server.url(),
            "credentials": { "type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": secret },
        } });
        let wrong = luma.opt_out_source(&source("wrong-s3cret"), "REPLACE");
        assert_eq!(luma.client.refused(SET, wrong).await, "SOURCE_REFUSED");
        assert_eq!(luma.set_opt_out_source(&source(SECRET), "REPLACE").await["state"], "DONE");
        let seen = luma.opt_out_standing().await;
        assert_eq!(listed(&seen), (1, 50));
        let shown = seen["source"]["dataSource"].clone();
        assert_eq!(shown["sourceType"]["id"], "s3");
        let without = json!({ "type": "access_key", "access_key_id": "AKIALUMA" });
        assert_eq!(shown["settings"]["credentials"], without, "{shown}");
        assert!(!gateway.log().contains(SECRET));

        // Sent as they are shown, they stay.
        let same = json!({ "type": "s3", "settings": shown["settings"] });
        assert_eq!(luma.set_opt_out_source(&same, "REPLACE").await["state"], "DONE");
        let mut moved = same.clone();
        moved["settings"]["prefix"] = json!("elsewhere");
        assert_eq!(luma.client.refused(SET, luma.opt_out_source(&moved, "REPLACE")).await, "SOURCE_REFUSED");

        // Others find nothing of it, neither by its account nor by its jobs.
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        for document in [SET, REFRESH, REMOVE, ACCEPT] {
            let mut input = json!({ "accountId": luma.account });
            if document == SET {
                input = luma.opt_out_source(&same, "REPLACE");
            }
            if document == ACCEPT {
                input["jobId"] = seen["lastLoad"]["jobId"].clone();
            }
            assert_eq!(tv_tube.client.refused(document, input).await, "NOT_FOUND");
        }
        let foreign = json!({ "accountId": tv_tube.account, "jobId": seen["lastLoad"]["jobId"] });
        assert_eq!(tv_tube.client.refused(ACCEPT, foreign).await, "NOT_FOUND");
        let analyst: Client = luma.api_key(json!({ "role": "ANALYST" })).await.1;
        assert_eq!(analyst.refused(REFRESH, json!({ "accountId": luma.account })).await, "FORBIDDEN");

        // The source goes with its account.
        let document = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
            userErrors { code field message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "accountName": "Luma" })).await;
    }
}

on_both_databases! {
    /// A list that is empty, or has lost more than half, stays until that is accepted.
    async fn a_list_that_drifts_stays_until_it_is_accepted(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let put = |csv: &str| fs::write(place.path().join("a.csv"), csv).unwrap();
        put(&addresses(0..100));
        let gateway = gateway_over(kind, place.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        luma.set_opt_out_source(&folder(place.path()), "REPLACE").await;
        let mut socket = Socket::subscribe(&gateway.url, &luma.client.token, EVENTS, json!({ "a": luma.account })).await;
        let drifts = async |csv: &str, expected: Value| {
            put(csv);
            let ended = luma.opt_outs_again().await;
            assert_eq!(ended["state"], "FAILED", "{ended}");
            let seen = luma.opt_out_standing().await;
            let last = &seen["lastLoad"];
            assert_eq!((&last["status"], &last["drifts"]), (&json!("DRIFTED"), &json!([expected])), "{seen}");
            assert_eq!(ended["error"], last["failure"]);
            assert_eq!(listed(&seen), (1, 100));
            last["jobId"].clone()
        };
        let accept = async |job: &Value| {
            luma.client.press(ACCEPT, json!({ "accountId": luma.account, "jobId": job })).await
        };
        let empty = json!({ "kind": "EMPTY", "before": null, "now": null });
        for nothing in ["email\n", ""] {
            let job = drifts(nothing, empty.clone()).await;
            assert_eq!(accept(&job).await["userErrors"][0]["code"], "FILE_REFUSED", "{nothing:?}");
        }
        let dropped = |now: &str| json!({ "kind": "ROWS_DROPPED", "before": "100", "now": now });
        let first = drifts(&addresses(0..49), dropped("49")).await;
        let job = drifts(&addresses(0..40), dropped("40")).await;
        assert_eq!(accept(&first).await["userErrors"][0]["code"], "WRONG_STATE");
        // What changes once more drifts once more.
        put(&addresses(0..3));
        let taking = accept(&job).await;
        assert_eq!(luma.job(taking["job"]["id"].as_str().unwrap()).await["state"], "FAILED");
        let job = drifts(&addresses(0..40), dropped("40")).await;
        let taking = accept(&job).await;
        assert_eq!(luma.job(taking["job"]["id"].as_str().unwrap()).await["state"], "DONE", "{taking}");
        assert_eq!(listed(&luma.opt_out_standing().await), (2, 40));

        // Other columns are nothing to a list, and half is not less than half.
        put(&addresses(0..20).replace('\n', ",x\n").replacen(",x", ",name", 1));
        assert_eq!(luma.opt_outs_again().await["state"], "DONE");
        assert_eq!(listed(&luma.opt_out_standing().await), (3, 20));

        let mut kinds = vec![];
        while kinds.iter().filter(|kind| *kind == "OPT_OUTS_LOADED").count() < 3 {
            let event = socket.next().await.unwrap()["data"]["accountEvents"]["kind"].take();
            kinds.push(event.as_str().unwrap().to_owned());
        }
        assert_eq!(kinds.iter().filter(|kind| *kind == "OPT_OUTS_DRIFTED").count(), 6, "{kinds:?}");
    }
}

on_both_databases! {
    /// By a schedule: at its times, made up for once, until another one is set or the source is removed.
    async fn a_list_is_read_at_its_times(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let put = |people| fs::write(place.path().join("a.csv"), addresses(people)).unwrap();
        put(0..100);
        let mut gateway = gateway_over(kind, place.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let mut input = luma.opt_out_source(&folder(place.path()), "REPLACE");
        input["schedule"] = every(7, day(0), day(5));
        assert_eq!(luma.client.refused(SET, input.clone()).await, "INVALID");
        input["schedule"] = every(2, day(0), day(5));
        luma.client.mutate(SET, input.clone()).await;
        let next = time(&luma.opt_outs_loaded(1).await["source"]["schedule"]["nextRunAt"]);
        put(0..110);
        gateway.pass((next - Utc::now()).to_std().unwrap() + Duration::from_secs(1));
        let seen = luma.opt_outs_loaded(2).await;
        assert_eq!(listed(&seen), (2, 110));
        assert_eq!(time(&seen["source"]["schedule"]["nextRunAt"]), next + Days::new(2));

        put(0..120);
        gateway.kill();
        gateway.pass(Duration::from_secs(60 * 60 * 60));
        gateway.start_again();
        let luma = luma.at(&gateway);
        let seen = luma.opt_outs_loaded(3).await;
        assert_eq!((listed(&seen), &seen["source"]["schedule"]["nextRunAt"]), ((3, 120), &Value::Null));

        // From a later day on; and then never.
        input["schedule"] = every(1, day(9), day(20));
        let set = luma.client.mutate(SET, input).await;
        assert_eq!(set["job"], Value::Null, "{set}");
        let first = time(&set["optOuts"]["source"]["schedule"]["nextRunAt"]);
        luma.client.mutate(REMOVE, json!({ "accountId": luma.account })).await;
        gateway.pass((first - Utc::now()).to_std().unwrap());
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(luma.opt_outs_loaded(3).await["source"], Value::Null);
        }
    }
}

on_both_databases! {
    /// kill -9 while a source is read: there is the list before or the next one, and what it holds counts once.
    async fn whatever_moment_it_dies_a_source_is_one_list_or_the_next(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let mut gateway = gateway_over(kind, place.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        luma.source(customers(0..24_000, Form::Hashed, people::luma), Form::Hashed).await;
        fs::write(place.path().join("0.csv"), addresses(0..4_000)).unwrap();
        luma.set_opt_out_source(&folder(place.path()), "REPLACE").await;
        let mut random = StdRng::seed_from_u64(23);
        for round in 1..=4_u64 {
            let luma = luma.at(&gateway);
            let people = round as u32 * 4_000..(round as u32 + 1) * 4_000;
            fs::write(place.path().join(format!("{round}.csv")), addresses(people)).unwrap();
            let job = luma.begin_opt_outs_again().await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
            gateway.kill();
            gateway.start_again();
            let luma = luma.at(&gateway);
            let seen = listed(&luma.opt_out_standing().await);
            let next = (round + 1, (round + 1) * 4_000);
            assert!([(round, round * 4_000), next].contains(&seen), "{seen:?}");
            // What nobody renews is taken over.
            gateway.pass(Duration::from_secs(60));
            assert_eq!(luma.job(&job).await["state"], "DONE");
            assert_eq!(listed(&luma.opt_outs_loaded(round as usize + 1).await), next);
            luma.sizes_once("Running", 12_000 - 2_000 * (round as usize + 1)).await;
        }
    }
}

on_both_databases! {
    /// A match key that the list or its source has stays until they no longer have it.
    async fn a_match_key_of_a_list_is_not_removed(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.csv"), addresses(0..10)).unwrap();
        let gateway = gateway_over(kind, place.path()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let document = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) {
            userErrors { code field message } } }";
        let keys = json!({ "accountId": luma.account, "matchKeys": [{ "kind": "HASHED_PHONE" }] });
        let refused = async || luma.client.press(document, keys.clone()).await["userErrors"][0].clone();
        let set = luma.opt_out_source(&folder(place.path()), "REPLACE");
        luma.client.mutate(SET, set).await;
        assert_eq!(refused().await["code"], "MATCH_KEY_IN_USE", "its source maps it");
        luma.opt_outs_loaded(1).await;
        luma.client.mutate(REMOVE, json!({ "accountId": luma.account })).await;
        let told = refused().await;
        assert_eq!((&told["code"], &told["field"]), (&json!("MATCH_KEY_IN_USE"), &json!(["matchKeys"])), "the list has it");
        assert!(told["message"].as_str().unwrap().contains("REMOVE"), "{told}");
        luma.opt_out(addresses(0..10), "REMOVE").await;
        assert_eq!(refused().await, Value::Null);
    }
}
