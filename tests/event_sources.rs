//! Exposures and conversions that are read from a source, once.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    measuring::{LOAD_CONVERSIONS, LOAD_EXPOSURES, as_parquet},
    people::{self, Form},
    sourcing::written,
    stories::Party,
};
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use entente_test_servers::{
    delta_sharing::DeltaSharing,
    s3::{S3, SECRET},
};
use flate2::{Compression, write::GzEncoder};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{fs, io::Write, path::Path, sync::Arc, time::Duration};

const START: &str = "2026-03-01";

const SET: &str = "query($id: ID!) { node(id: $id) { ... on EventDataSet { status failure rows sourceType { id }
    faultsByReason { reason count } rowFaults(first: 5) { nodes { row column reason } } } } }";

fn exposures(people: std::ops::Range<u32>) -> String {
    people::exposures(people, "spring-2026", START.parse().unwrap(), Form::Plain)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(plain).unwrap();
    gzip.finish().unwrap()
}

/// Parquet with nothing but numbers in the columns of exposures.
fn numbers() -> Vec<u8> {
    let header = exposures(0..0);
    let column = |name| (name, Arc::new(Int64Array::from(vec![1])) as ArrayRef);
    written(&RecordBatch::try_from_iter(header.trim().split(',').map(column)).unwrap())
}

fn folder(path: &Path) -> Value {
    json!({ "type": "local_folder", "settings": { "folder": path } })
}

/// Luma, and TV Tube that runs a campaign of their project.
async fn campaign(gateway: &Gateway) -> (Party, Party, String) {
    let luma = Party::create(gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(gateway, "TV Tube", "PUBLISHER").await;
    let connection = luma.connect(&tv_tube, "RECIPIENT").await;
    let project = luma.create_project(&connection, "Spring").await;
    tv_tube.add_campaign(&project, "spring-2026").await;
    (luma, tv_tube, project)
}

impl Party {
    /// Begins to load from a source; the data set's id.
    async fn load_from(&self, document: &str, mut input: Value, source: Value) -> String {
        input["source"] = source;
        self.client.mutate(document, input).await["eventDataSet"]["id"].as_str().unwrap().to_owned()
    }

    /// A data set, once its load has ended.
    async fn ended(&self, id: &str) -> Value {
        let has_ended = |data: &Value| data["node"]["status"] != "PENDING";
        self.client.until(SET, json!({ "id": id }), has_ended).await["node"].clone()
    }
}

on_both_databases! {
    /// Exposures from files of both formats, some of them compressed, and conversions from a bucket whose secret is forgotten
    /// and from a shared table.
    async fn events_come_from_sources(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let server = S3::start();
        let settings = vec![
            ("ENTENTE_SOURCE_ROOTS", place.path().display().to_string()),
            ("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned()),
        ];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let (luma, tv_tube, project) = campaign(&gateway).await;
        fs::write(place.path().join("a.csv"), exposures(0..1_000)).unwrap();
        let nobody = "nobody,2026-03-01T12:00:00Z,spring-2026,,,,,\n";
        fs::write(place.path().join("b.csv.gz"), gzip((exposures(1_000..1_500) + nobody).as_bytes())).unwrap();
        fs::write(place.path().join("c.parquet"), as_parquet(&(exposures(1_500..1_800) + nobody))).unwrap();
        fs::write(place.path().join("d.parquet.gz"), gzip(&as_parquet(&exposures(1_800..2_000)))).unwrap();
        let input = tv_tube.exposures(&project, Form::Plain);
        let set = tv_tube.load_from(LOAD_EXPOSURES, input.clone(), folder(place.path())).await;
        let seen = tv_tube.ended(&set).await;
        assert_eq!((&seen["status"], &seen["rows"]), (&json!("ACTIVE"), &json!(6_000)), "{seen}");
        assert_eq!(seen["sourceType"]["id"], "local_folder");
        for (place, row) in [(0, 4_501), (2, 5_402)] {
            let fault = &seen["rowFaults"]["nodes"][place];
            assert_eq!(fault, &json!({ "row": row, "column": "email", "reason": "EMAIL_INVALID" }), "through all files");
        }

        fs::create_dir_all(server.file("shop")).unwrap();
        fs::write(server.file("shop/a.csv"), people::conversions(0..100, START.parse().unwrap())).unwrap();
        let bucket = |secret: &str| json!({ "type": "s3", "settings": {
            "bucket": "luma", "prefix": "shop", "endpoint": server.url(),
            "credentials": { "type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": secret },
        } });
        let mut wrong = luma.conversions(&project);
        wrong["source"] = bucket("wrong-s3cret");
        assert_eq!(luma.client.refused(LOAD_CONVERSIONS, wrong.clone()).await, "SOURCE_REFUSED");
        wrong["uploadId"] = json!(luma.upload("x").await);
        assert_eq!(luma.client.refused(LOAD_CONVERSIONS, wrong).await, "INVALID", "one of the two");
        assert_eq!(luma.client.refused(LOAD_CONVERSIONS, luma.conversions(&project)).await, "INVALID");
        let set = luma.load_from(LOAD_CONVERSIONS, luma.conversions(&project), bucket(SECRET)).await;
        assert_eq!(luma.ended(&set).await["rows"], 110);
        assert!(!gateway.log().contains(SECRET));
        let shared = DeltaSharing::start();
        for (file, people) in [("1", 0..60), ("2", 60..100)] {
            shared.put(file, &as_parquet(&people::conversions(people, START.parse().unwrap())));
        }
        let table = json!({ "type": "delta_sharing", "settings": shared.settings() });
        let of_table = luma.load_from(LOAD_CONVERSIONS, luma.conversions(&project), table).await;
        assert_eq!(luma.ended(&of_table).await["rows"], 110);
        let theirs = tv_tube.client.query(SET, json!({ "id": set })).await;
        assert_eq!(theirs["node"], Value::Null);

        // What cannot be read is told, and nothing of it is half-loaded.
        for (file, content, told) in [
            ("c.csv", exposures(0..10).replacen("email", "mail", 1).into_bytes(), "File 2: "),
            ("0.parquet", numbers(), "Column \"email\" holds whole numbers, which cannot be read as e-mail addresses."),
            ("0.parquet", as_parquet(&exposures(0..10))[..99].to_vec(), "The Parquet file is cut short."),
        ] {
            fs::remove_file(place.path().join("b.csv.gz")).ok();
            fs::write(place.path().join(file), content).unwrap();
            let set = tv_tube.load_from(LOAD_EXPOSURES, input.clone(), folder(place.path())).await;
            let seen = tv_tube.ended(&set).await;
            assert_eq!((&seen["status"], &seen["rows"]), (&json!("FAILED"), &json!(0)), "{seen}");
            assert!(seen["failure"].as_str().unwrap().contains(told), "{told}: {seen}");
        }
        crate::deliveries::assert_nowhere(gateway.data(), &["person123"]);
    }
}

on_both_databases! {
    /// kill -9 while a source is read: each is loaded whole in the end, and once.
    async fn whatever_moment_it_dies_events_are_loaded_whole(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        (0..4).for_each(|n| fs::write(place.path().join(format!("{n}.csv")), exposures(n * 5_000..(n + 1) * 5_000)).unwrap());
        let settings = vec![("ENTENTE_SOURCE_ROOTS", place.path().display().to_string())];
        let mut gateway = Gateway::start_with(kind, Options { settings }).await;
        let (_, tv_tube, project) = campaign(&gateway).await;
        let mut random = StdRng::seed_from_u64(8);
        for _ in 0..4 {
            let tv_tube = tv_tube.at(&gateway);
            let input = tv_tube.exposures(&project, Form::Plain);
            let set = tv_tube.load_from(LOAD_EXPOSURES, input, folder(place.path())).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
            gateway.kill();
            gateway.start_again();
            let tv_tube = tv_tube.at(&gateway);
            // What nobody renews is taken over.
            gateway.pass(Duration::from_secs(60));
            assert_eq!(tv_tube.ended(&set).await["rows"], 60_000);
        }
    }
}
