//! Data connections that read by themselves, set up through the API alone.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form, customers},
    sourcing::{parquet, written},
    stories::{Party, mapping},
};
use arrow_array::{Int64Array, RecordBatch};
use entente_test_servers::{
    s3::{S3, SECRET},
    xml_store::{Cloud, XmlStore},
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::{fs, io::Write, sync::Arc, time::Duration};

impl Party {
    /// Creates a data connection that reads from a source; the payload.
    pub async fn create_from(&self, source: &Value, form: Form) -> Value {
        let document = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
            dataConnection { id source { sourceType { id } settings } } job { id }
            userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "name": "Customers", "source": source, "mapping": mapping(form),
            "access": { "public": true }, "consentAcknowledged": true,
        });
        self.client.press(document, input).await
    }

    /// Begins to read a source again; the job's id.
    pub async fn begin_reading(&self, data_connection: &str) -> String {
        let document = "mutation($input: RefreshDataConnectionInput!) { refreshDataConnection(input: $input) {
            job { id } userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "dataConnectionId": data_connection });
        self.client.mutate(document, input).await["job"]["id"].as_str().unwrap().to_owned()
    }

    /// Reads a source again; the job.
    pub async fn read_again(&self, data_connection: &str) -> Value {
        self.job(&self.begin_reading(data_connection).await).await
    }

    async fn look(&self, field: &str, selection: &str, input: Value) -> Value {
        let ty = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let document = format!(
            "mutation($input: {ty}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code field message }} }} }}"
        );
        self.client.press(&document, input).await
    }

    /// How a data connection is.
    pub async fn standing(&self, data_connection: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { status failure
            lastRefresh { status rows acceptedRows } audiences { nodes { name refreshedAt } }
            source { settings sourceType { id } } } } }";
        self.client.query(query, json!({ "id": data_connection })).await["node"].clone()
    }
}

/// The ids of a data connection that was created and of its job.
pub fn started(payload: &Value) -> (String, String) {
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let id = |of: &str| payload[of]["id"].as_str().unwrap().to_owned();
    (id("dataConnection"), id("job"))
}

/// Files that are none of what is read, by the ends of their names, and what is said of each.
fn of_wrong_formats(csv: &str) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let parquet = parquet(csv);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(csv.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(csv.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    vec![
        ("csv", b"PK\x03\x04\x14\x00\x00\x00\x08\x00".to_vec(), "zip"),
        ("xlsx", b"PK\x03\x04\x14\x00\x06\x00\x08\x00".to_vec(), "zip"),
        ("csv.bz2", b"BZh91AY&SY\x12\x34".to_vec(), "bzip2"),
        ("pdf", b"%PDF-1.7\n1 0 obj\n".to_vec(), "PDF"),
        ("json", b"{\"email\": \"ada@luma.example\"}\n".to_vec(), "quote"),
        ("html", b"<!DOCTYPE html>\n<p>ada@luma.example\n".to_vec(), "column"),
        ("utf16.csv", utf16, "UTF-16"),
        ("csv", csv.replacen("Yoga", "\0", 1).into_bytes(), "NUL"),
        ("csv", csv.replacen("email", "mail", 1).into_bytes(), "column"),
        // Compressed, or not, as the name or the first bytes say.
        ("csv.gz", csv.as_bytes().to_vec(), "is not"),
        ("csv.zst", csv.as_bytes().to_vec(), "is not"),
        ("csv.gz", gzip[..gzip.len() - 9].to_vec(), "damaged or cut short"),
        ("csv", gzip[..gzip.len() / 2].to_vec(), "damaged or cut short"),
        ("csv.gz", [&gzip[..20], b"ada@luma.example", &gzip[20..]].concat(), "damaged or cut short"),
        ("parquet", parquet[..parquet.len() - 5].to_vec(), "cut short"),
        ("parquet", parquet[..parquet.len() / 2].to_vec(), "cut short"),
        ("parquet", [&parquet[..4], &[0xff; 64], &parquet[parquet.len() - 8..]].concat(), "Parquet"),
        ("parquet", b"PARE\0\0\0\0PARE".to_vec(), "encrypted"),
    ]
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

on_both_databases! {
    /// From a folder with two files to audiences, and again when a file has changed and when none has.
    async fn a_folder_is_read_again_when_it_changed(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        fs::create_dir_all(root.join("luma/2026")).unwrap();
        fs::create_dir_all(place.path().join("beside")).unwrap();
        let file = |name: &str, people| {
            fs::write(root.join("luma").join(name), customers(people, Form::Plain, people::luma)).unwrap();
        };
        file("a.csv", 0..1_500);
        file("2026/b.csv", 1_500..3_000);
        let settings = vec![("ENTENTE_SOURCE_ROOTS", root.display().to_string())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;

        let types = luma.client.query("{ sourceTypes { id settingsSchema } }", json!({})).await;
        let types: Vec<_> = types["sourceTypes"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect();
        assert!(types.is_sorted() && types.contains(&"local_folder") && types.contains(&"s3"), "{types:?}");
        let folder = |path: &std::path::Path| json!({ "type": "local_folder", "settings": { "folder": path } });
        let source = folder(&root.join("luma"));
        let input = json!({ "accountId": luma.account, "source": source });
        let checked = luma.look("checkSource", "fileCount files { name size }", input.clone()).await;
        assert_eq!(checked["fileCount"], 2, "{checked}");
        assert_eq!(checked["files"][0]["name"], "2026/b.csv", "{checked}");
        let selection = "file { name } preview { columns { name } rows estimatedRows }";
        let seen = luma.look("previewSource", selection, input).await;
        assert_eq!(seen["preview"]["columns"][0]["name"], "email", "{seen}");
        assert_eq!(seen["preview"]["rows"][0][0], "***", "{seen}");
        let unset = json!({ "type": "local_folder", "settings": {} });
        for refused in [folder(&place.path().join("beside")), folder(&root.join("nowhere")), unset] {
            assert_eq!(code(&luma.create_from(&refused, Form::Plain).await), "SOURCE_REFUSED", "{refused}");
        }

        let (id, job) = started(&luma.create_from(&source, Form::Plain).await);
        let done = luma.job(&job).await;
        assert_eq!(done["state"], "DONE", "{done}");
        let first = luma.standing(&id).await;
        let rows = first["lastRefresh"]["rows"].as_u64().unwrap();
        assert_eq!((rows, &first["lastRefresh"]["acceptedRows"]), (3_600, &json!(3_600)), "{first}");
        assert_eq!(luma.audiences().await.len(), 3);

        // Nothing changed: nothing is read, and all is as fresh as if it had been.
        gateway.pass(Duration::from_secs(3 * 86_400));
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        let again = luma.standing(&id).await;
        assert_eq!(again["lastRefresh"], first["lastRefresh"]);
        assert_ne!(again["audiences"]["nodes"][0]["refreshedAt"], first["audiences"]["nodes"][0]["refreshedAt"]);

        // One file changed.
        file("a.csv", 0..1_000);
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        assert_eq!(luma.standing(&id).await["lastRefresh"]["rows"], 3_000);

        // One is of another kind: what was read stays, and who asks hears of which file.
        fs::write(root.join("luma/b.csv"), "email;phone\nada@example.com;\n").unwrap();
        assert_eq!(luma.read_again(&id).await["state"], "FAILED");
        let failed = luma.standing(&id).await;
        assert!(failed["failure"].as_str().unwrap().starts_with("File 3: "), "{failed}");
        assert_eq!(luma.audiences().await.len(), 3);
        fs::remove_file(root.join("luma/b.csv")).unwrap();
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        assert_eq!(luma.standing(&id).await["status"], "ACTIVE");

        crate::deliveries::assert_nowhere(gateway.data(), &["person1234"]);
    }
}

on_both_databases! {
    /// A bucket with a secret, which nobody reads again.
    async fn a_bucket_is_read_with_a_secret_that_is_not_shown(kind: Kind) {
        let server = S3::start();
        let put = |name: &str, people| {
            fs::create_dir_all(server.file("audiences")).unwrap();
            fs::write(server.file(name), customers(people, Form::Hashed, people::luma)).unwrap();
        };
        put("audiences/a.csv", 0..1_500);
        put("audiences/b.csv", 1_500..3_000);
        let settings = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = |secret: &str| json!({ "type": "s3", "settings": {
            "bucket": "luma", "prefix": "audiences", "endpoint": server.url(),
            "credentials": { "type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": secret },
        } });
        let refused = luma.create_from(&source("wrong-s3cret"), Form::Hashed).await;
        assert_eq!(code(&refused), "SOURCE_REFUSED", "{refused}");
        assert!(!refused.to_string().contains("s3cret"), "{refused}");

        let (id, job) = started(&luma.create_from(&source(SECRET), Form::Hashed).await);
        let done = luma.job(&job).await;
        assert_eq!(done["state"], "DONE", "{done}");
        assert_eq!(luma.audiences().await.len(), 3);
        let standing = luma.standing(&id).await;
        assert_eq!(standing["source"]["sourceType"]["id"], "s3");
        let shown = &standing["source"]["settings"];
        assert_eq!(shown["credentials"], json!({ "type": "access_key", "access_key_id": "AKIALUMA" }), "{shown}");
        assert!(!gateway.log().contains(SECRET));

        // Sent as they are shown, they stay; anything else brings its own secrets.
        let update = async |settings: &Value, name: &str| {
            let source = json!({ "type": "s3", "settings": settings });
            let input = json!({ "accountId": luma.account, "dataConnectionId": id, "name": name, "source": source });
            luma.look("updateDataConnection", "dataConnection { id name }", input).await
        };
        assert_eq!(update(shown, "All").await["dataConnection"]["name"], "All");
        let mut moved = shown.clone();
        moved["prefix"] = json!("elsewhere");
        assert_eq!(code(&update(&moved, "Moved").await), "SOURCE_REFUSED");
        let input = json!({ "accountId": luma.account, "dataConnectionId": id });
        let checked = luma.look("checkSource", "fileCount", input).await;
        assert_eq!(checked["fileCount"], 2, "{checked}");

        put("audiences/c.csv", 3_000..4_000);
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        assert_eq!(luma.standing(&id).await["lastRefresh"]["rows"], 4_800);

        // Who is not Luma finds nothing of it.
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let foreign = json!({ "accountId": tv_tube.account, "dataConnectionId": id });
        assert_eq!(code(&tv_tube.look("checkSource", "fileCount", foreign).await), "NOT_FOUND");
    }
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

on_both_databases! {
    /// Files that are compressed as a whole are looked at and read; how far that is, is counted as they are stored.
    async fn compressed_files_are_looked_at_and_read(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let settings = vec![("ENTENTE_SOURCE_ROOTS", place.path().display().to_string())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let csv = customers(0..1_500, Form::Plain, people::luma);
        let selection = "preview { columns { name } rows estimatedRows }";
        for (name, plain) in [("a.csv.gz", csv.clone().into_bytes()), ("a.parquet.gz", parquet(&csv))] {
            let party = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let (folder, stored) = (place.path().join(name), compressed(&plain));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(name), &stored).unwrap();
            let source = json!({ "type": "local_folder", "settings": { "folder": folder } });
            let input = json!({ "accountId": party.account, "source": source });
            let seen = party.look("previewSource", selection, input).await;
            assert_eq!(seen["preview"]["columns"][2]["name"], "audience", "{name}: {seen}");
            assert_eq!(seen["preview"]["rows"][0], json!(["***", "", "Running"]), "{name}: {seen}");
            let (id, job) = started(&party.create_from(&source, Form::Plain).await);
            let done = party.job(&job).await;
            let bytes = stored.len();
            assert_eq!(done["progress"], json!({ "rows": 1_800, "bytes": bytes, "totalBytes": bytes }), "{name}: {done}");
            assert_eq!(party.standing(&id).await["lastRefresh"]["acceptedRows"], 1_800);
        }

        // Numbers that do not compress, more of them than are looked at.
        let numbers = (0..3_000_000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) as i64 ^ n as i64);
        let numbers = Arc::new(Int64Array::from_iter_values(numbers));
        let large = written(&RecordBatch::try_from_iter([("id", numbers as arrow_array::ArrayRef)]).unwrap());
        let folder = place.path().join("large");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.parquet.gz"), compressed(&large)).unwrap();
        let party = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = json!({ "type": "local_folder", "settings": { "folder": folder } });
        let refused = party.look("previewSource", selection, json!({ "accountId": party.account, "source": source })).await;
        assert_eq!(code(&refused), "SOURCE_REFUSED", "{refused}");
        assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains("16 MiB"), "{refused}");
    }
}

on_both_databases! {
    /// An upload goes to a data connection that takes uploads, and to no other.
    async fn a_data_connection_is_read_from_one_place(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.csv"), customers(0..1_500, Form::Plain, people::luma)).unwrap();
        let settings = vec![("ENTENTE_SOURCE_ROOTS", place.path().display().to_string())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = json!({ "type": "local_folder", "settings": { "folder": place.path() } });
        let (reads, job) = started(&luma.create_from(&source, Form::Plain).await);
        luma.job(&job).await;
        let upload = luma.upload(customers(0..1_500, Form::Plain, people::luma)).await;
        let refresh = async |input: Value| luma.look("refreshDataConnection", "job { id }", input).await;
        let input = json!({ "accountId": luma.account, "dataConnectionId": reads, "uploadId": upload });
        let refused = refresh(input).await;
        assert_eq!(code(&refused), "INVALID", "{refused}");
        assert_eq!(refused["userErrors"][0]["field"], json!(["uploadId"]), "{refused}");
        let nowhere = luma.create_from(&Value::Null, Form::Plain).await;
        assert_eq!(code(&nowhere), "INVALID", "{nowhere}");
    }
}

on_both_databases! {
    /// A file that is none of what is read is told by its number, and what was read before stays.
    async fn a_file_of_a_wrong_format_is_told_by_its_number(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let csv = customers(0..1_500, Form::Plain, people::luma);
        fs::write(place.path().join("a.csv"), &csv).unwrap();
        let settings = vec![("ENTENTE_SOURCE_ROOTS", place.path().display().to_string())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = json!({ "type": "local_folder", "settings": { "folder": place.path() } });
        let (id, job) = started(&luma.create_from(&source, Form::Plain).await);
        assert_eq!(luma.job(&job).await["state"], "DONE");
        for (end, content, reason) in of_wrong_formats(&csv) {
            // Names may hold identifiers.
            let file = place.path().join(format!("b ada@luma.example.{end}"));
            fs::write(&file, content).unwrap();
            assert_eq!(luma.read_again(&id).await["state"], "FAILED", "{end}, {reason}");
            let failure = luma.standing(&id).await["failure"].as_str().unwrap().to_owned();
            assert!(failure.starts_with("File 2: ") && failure.contains(reason), "{end}, {reason}: {failure}");
            assert!(!failure.contains("ada") && !failure.contains('\0'), "{end}, {reason}: {failure}");
            assert_eq!(luma.audiences().await.len(), 3);
            fs::remove_file(file).unwrap();
        }
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        assert_eq!(luma.standing(&id).await["status"], "ACTIVE");
        assert!(!gateway.log().contains("ada@luma"), "{}", gateway.log());
    }
}

on_both_databases! {
    /// Credentials that end between two files are told, and what was read before stays.
    async fn credentials_that_end_in_the_middle_are_told(kind: Kind) {
        let settings = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        for cloud in Cloud::ALL {
            let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let store = XmlStore::start(cloud);
            store.put("a.csv", customers(0..1_500, Form::Plain, people::luma));
            store.put("b.csv", customers(1_500..3_000, Form::Plain, people::luma));
            let source = json!({ "type": cloud.source_type(), "settings": store.settings() });
            let (id, job) = started(&luma.create_from(&source, Form::Plain).await);
            let done = luma.job(&job).await;
            assert_eq!(done["state"], "DONE", "{cloud:?}: {done}");
            let first = luma.standing(&id).await;

            store.put("b.csv", customers(1_500..2_000, Form::Plain, people::luma));
            store.shelf().ranges_left = Some(1);
            assert_eq!(luma.read_again(&id).await["state"], "FAILED", "{cloud:?}");
            let failed = luma.standing(&id).await;
            assert!(failed["failure"].as_str().unwrap().contains("credentials are refused"), "{cloud:?}: {failed}");
            assert!(!failed.to_string().contains("s3cret"), "{cloud:?}: {failed}");
            assert_eq!(luma.audiences().await.len(), 3);
            assert_eq!(failed["audiences"]["nodes"][0]["name"], first["audiences"]["nodes"][0]["name"]);

            store.shelf().ranges_left = None;
            assert_eq!(luma.read_again(&id).await["state"], "DONE", "{cloud:?}");
            assert_eq!(luma.standing(&id).await["lastRefresh"]["rows"], 2_400);
        }
        assert!(!gateway.log().contains("s3cret"));
    }
}

on_both_databases! {
    /// A hundred thousand files are taken, and one more is told.
    async fn no_more_than_a_hundred_thousand_files_are_taken(kind: Kind) {
        // In memory, and sparse: no byte of them is anywhere.
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        let file = |number: usize| place.path().join(format!("{number:06}.csv"));
        (0..=100_000).for_each(|number| fs::File::create(file(number)).unwrap().set_len(1).unwrap());
        let settings = vec![("ENTENTE_SOURCE_ROOTS", place.path().display().to_string())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = json!({ "type": "local_folder", "settings": { "folder": place.path() } });
        let input = json!({ "accountId": luma.account, "source": source });
        let refused = luma.look("checkSource", "fileCount", input.clone()).await;
        assert_eq!(code(&refused), "SOURCE_REFUSED", "{refused}");
        assert!(refused.to_string().contains("more than 100000 files"), "{refused}");
        fs::remove_file(file(0)).unwrap();
        let checked = luma.look("checkSource", "fileCount", input).await;
        assert_eq!(checked["fileCount"], 100_000, "{checked}");
    }
}
