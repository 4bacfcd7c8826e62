//! Files that are not what they should be, and files that replace others.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form, digest, email},
    stories::Party,
};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use serde_json::{Value, json};
use std::sync::Arc;

const HEADER: &str = "hashed_email,hashed_phone,audience\n";

fn row(person: u32) -> String {
    format!("{},,Running\n", digest(&email(person)))
}

/// The rows of a simple CSV file as Parquet; an empty field is a missing value.
pub fn parquet(csv: &str) -> Vec<u8> {
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |i: usize| -> ArrayRef {
        let values = rows[1..].iter().map(|row| Some(row[i]).filter(|value| !value.is_empty()));
        Arc::new(values.collect::<StringArray>())
    };
    written(&RecordBatch::try_from_iter(rows[0].iter().enumerate().map(|(i, name)| (*name, column(i)))).unwrap())
}

/// A Parquet file of these rows.
pub fn written(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file
}

/// Files that are refused as a whole, and a word of the reason.
fn refused() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = |s: String| s.into_bytes();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(HEADER.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let long_line = format!("{HEADER}{}{}", row(1), "x".repeat(64 << 20));
    vec![
        ("empty", vec![], "empty"),
        ("a header without rows", text(HEADER.to_owned()), "row"),
        (
            "duplicate headers",
            text(format!("hashed_email,hashed_email,hashed_phone,audience\n{}", row(1))),
            "same name",
        ),
        ("a missing column", text(format!("mail,hashed_phone,audience\n{}", row(1))), "hashed_email"),
        ("another delimiter", text(format!("{HEADER}{}", row(1)).replace(',', ";")), ";"),
        ("UTF-16", utf16, "UTF-16"),
        ("NUL bytes", text(format!("{HEADER}{}\0\0\0\n", row(1))), "NUL"),
        ("malformed quoting", text(format!("{HEADER}\"{}", row(1))), "quot"),
        ("a Parquet file that is cut short", b"PAR1\x15\x04\x15\x20".to_vec(), "cut short"),
        ("a Parquet file without its columns", parquet("mail,audience\na@b.cd,Running\n"), "hashed_email"),
        ("an encrypted Parquet file", b"PARE\0\0\0\0PARE".to_vec(), "encrypted"),
        ("a zip named .csv", b"PK\x03\x04\x14\x00\x00\x00\x08\x00".to_vec(), "ZIP"),
        ("a very long line", text(long_line), "long"),
        ("no row that counts", text(format!("{HEADER}nothing,,Running\n")), ""),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_files_are_refused_and_nothing_is_stored() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    for (what, bytes, reason) in refused() {
        let upload = luma.upload(bytes).await;
        let (data_connection, job) = luma.create_data_connection(&upload, Form::Hashed).await;
        let job = luma.job(&job).await;
        assert_eq!(job["state"], "FAILED", "{what}: {job}");
        let query =
            "query($id: ID!) { node(id: $id) { ... on DataConnection { status failure audiences { totalCount } } } }";
        let data = luma.client.query(query, json!({ "id": data_connection })).await;
        assert_eq!(data["node"]["status"], "FAILED", "{what}");
        assert_eq!(data["node"]["audiences"]["totalCount"], 0, "{what}");
        let failure = data["node"]["failure"].as_str().unwrap().to_lowercase();
        assert!(failure.contains(&reason.to_lowercase()), "{what}: {failure}");
    }
    assert!(luma.audiences().await.is_empty());
    let left: Vec<_> = crate::deliveries::files(&gateway.data().join("accounts"));
    assert!(left.is_empty(), "half-stored: {left:?}");
}

on_both_databases! {
    /// What is listed of bad rows is downloaded as a file, by the account whose rows they are alone.
    async fn row_faults_are_downloaded_by_their_account_alone(kind: Kind) {
        const BAD: usize = 450;
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let csv = format!("{HEADER}{}{}", "xyzzy,,Running\n".repeat(BAD), row(1));
        let data_connection = luma.source(csv, Form::Hashed).await;
        let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { lastRefresh {
            rowFaultsUrl rowFaults(first: 1) { totalCount nodes { row column reason } } } } } }";
        let data = luma.client.query(query, json!({ "id": data_connection })).await;
        let refresh = &data["node"]["lastRefresh"];
        let url = refresh["rowFaultsUrl"].as_str().unwrap();
        let get = async |url: &str, token: &str| {
            let response = luma.client.http().get(url).bearer_auth(token).send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        };
        let (status, file) = get(url, &luma.client.token).await;
        assert!(status == 200 && !file.contains("xyzzy"), "{file}");
        let lines: Vec<_> = file.split_terminator("\r\n").collect();
        assert_eq!((lines[0], json!(lines.len() - 1)), ("row,column,reason", refresh["rowFaults"]["totalCount"].clone()));
        let first = &refresh["rowFaults"]["nodes"][0];
        let column = first["column"].as_str().unwrap_or_default();
        assert_eq!(lines[1], format!("1,\"{column}\",{}", first["reason"]));
        let mut rows: Vec<usize> =
            lines[1..].iter().map(|line| line.split_once(',').unwrap().0.parse().unwrap()).collect();
        rows.dedup();
        assert_eq!(rows, Vec::from_iter(1..=BAD));
        let unknown = url.replace("/refreshes/", "/refreshes/x");
        for (url, token, expected) in
            [(url, &*tv_tube.client.token, 404), (&unknown, &luma.client.token, 404), (url, "ek_none", 401)]
        {
            assert_eq!(get(url, token).await.0, expected, "{url}");
        }
    }
}

on_both_databases! {
    /// A byte-order mark is no fault; bad rows are counted and listed by number and reason, never by value.
    async fn bad_rows_are_counted_and_listed(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let mut csv = format!("\u{feff}{HEADER}");
        for person in 1..=100 {
            match person {
                10 => csv += "ada@xyzzy.example,,Running\n",
                20 => csv += &format!("{},,\n", digest("x")),
                30 => csv += ",,Running\n",
                _ => csv += &row(person),
            }
        }
        let data_connection = luma.source(csv, Form::Hashed).await;
        let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { lastRefresh {
            rows acceptedRows faultsByReason { reason count } rowFaults(first: 10) { nodes { row column reason } } } } } }";
        let data = luma.client.query(query, json!({ "id": data_connection })).await;
        let refresh = &data["node"]["lastRefresh"];
        assert_eq!((&refresh["rows"], &refresh["acceptedRows"]), (&json!(100), &json!(97)), "{refresh}");
        let mut rows: Vec<_> = refresh["rowFaults"]["nodes"].as_array().unwrap().iter()
            .map(|f| f["row"].as_u64().unwrap()).collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows, [10, 20, 30], "{refresh}");
        assert!(!data.to_string().contains("xyzzy"));
        crate::deliveries::assert_nowhere(gateway.data(), &["xyzzy"]);
    }
}

on_both_databases! {
    /// Plain identifiers reach no disk and no database.
    async fn plain_identifiers_are_nowhere(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        luma.source(people::customers(0..2_000, Form::Plain, people::luma), Form::Plain).await;
        luma.upload(people::customers(0..2_000, Form::Plain, people::luma)).await;
        crate::deliveries::assert_nowhere(gateway.data(), &["person7@example"]);
    }
}

on_both_databases! {
    /// Re-sourcing replaces at once: who reads meanwhile sees the old audiences or the new ones.
    async fn a_refresh_replaces_at_once(kind: Kind) {
        // It asks as fast as it is answered.
        let settings = vec![("ENTENTE_REQUESTS_PER_MINUTE", "1000000".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let of = |people| people::customers(people, Form::Hashed, people::luma);
        let data_connection = luma.source(of(0..20_000), Form::Hashed).await;
        let query = "query($a: ID!) { account(id: $a) { audiences { nodes { name identityCount } } } }";
        let counts = async || -> Vec<(String, u64)> {
            let data = luma.client.query(query, json!({ "a": luma.account })).await;
            let nodes = data["account"]["audiences"]["nodes"].as_array().unwrap().clone();
            let mut counts: Vec<_> = nodes.iter()
                .map(|n: &Value| (n["name"].as_str().unwrap().to_owned(), n["identityCount"].as_u64().unwrap()))
                .collect();
            counts.sort();
            counts
        };
        let before = counts().await;
        let before_ids = luma.audiences().await;
        let job = luma.refresh(&data_connection, of(10_000..50_000)).await;
        let mut seen = vec![before.clone()];
        loop {
            let now = counts().await;
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            let state = luma.client.query("query($id: ID!) { node(id: $id) { ... on Job { state } } }", json!({ "id": job }));
            if state.await["node"]["state"] == "DONE" {
                break;
            }
        }
        let after = counts().await;
        assert!(seen.len() <= 2 || seen[1..].iter().all(|s| *s == after), "{seen:?}");
        assert_ne!(before, after);
        assert_eq!(before_ids, luma.audiences().await, "they are the same audiences");
    }
}

on_both_databases! {
    /// A preview stores nothing and masks what looks like an identifier.
    async fn a_preview_masks_identifiers(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let upload = luma.upload(people::customers(0..1_000, Form::Plain, people::luma)).await;
        let query = "query($a: ID!, $u: ID!) { uploadPreview(accountId: $a, uploadId: $u) {
            columns { name } estimatedRows rows } }";
        let data = luma.client.query(query, json!({ "a": luma.account, "u": upload })).await;
        let text = data.to_string();
        assert!(text.contains("Running") && text.contains("email"), "{text}");
        assert!(!text.to_lowercase().contains("example.com") && !text.contains("+1202"), "{text}");
        assert_eq!(data["uploadPreview"]["rows"].as_array().unwrap().len(), 10);
    }
}

on_both_databases! {
    /// Rows count alike, whether they come as CSV or as Parquet, and no plain identifier reaches the disk.
    async fn parquet_is_a_source_like_csv(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let csv = people::customers(0..4_000, Form::Plain, people::luma).replacen('\n', "\nnobody,,Running\n", 1);
        let mut seen = vec![];
        for (name, file) in [("Luma", csv.clone().into_bytes()), ("Fit Apparel", parquet(&csv))] {
            let party = Party::create(&gateway, name, "ADVERTISER").await;
            let upload = party.upload(file).await;
            let query = "query($a: ID!, $u: ID!) { uploadPreview(accountId: $a, uploadId: $u) {
                delimiter columns { name columnType } estimatedRows rows } }";
            let preview = party.client.query(query, json!({ "a": party.account, "u": upload })).await;
            let (data_connection, job) = party.create_data_connection(&upload, Form::Plain).await;
            let job = party.job(&job).await;
            assert_eq!(job["state"], "DONE", "{name}: {job}");
            let query = "query($a: ID!, $id: ID!) {
                account(id: $a) { audiences(first: 100) { nodes { name identityCount } } }
                node(id: $id) { ... on DataConnection { lastRefresh {
                    rows acceptedRows faultsByReason { reason count }
                    rowFaults(first: 10) { nodes { row column reason } } } } } }";
            let sourced = party.client.query(query, json!({ "a": party.account, "id": data_connection })).await;
            seen.push((preview["uploadPreview"].clone(), sourced));
        }
        let [(csv_preview, from_csv), (preview, from_parquet)] = seen.try_into().unwrap();
        assert_eq!(from_csv, from_parquet);
        let refresh = &from_parquet["node"]["lastRefresh"];
        assert_eq!((&refresh["rows"], &refresh["acceptedRows"]), (&json!(4_801), &json!(4_800)));
        assert_eq!(from_parquet["account"]["audiences"]["nodes"].as_array().unwrap().len(), 3);
        assert_eq!((&csv_preview["delimiter"], &preview["delimiter"]), (&json!(","), &Value::Null));
        for same in ["columns", "estimatedRows", "rows"] {
            assert_eq!(csv_preview[same], preview[same], "{same}");
        }
        crate::deliveries::assert_nowhere(gateway.data(), &["person7@example"]);
    }
}
