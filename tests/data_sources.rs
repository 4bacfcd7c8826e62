//! Data connections that read by themselves, set up through the API alone.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form, customers},
    sourcing::{parquet, written},
    stories::{Party, mapping},
};
use arrow_array::{Int64Array, RecordBatch};
use entente_test_servers::s3::{S3, SECRET};
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
        let types: Vec<_> = types["sourceTypes"].as_array().unwrap().iter().map(|t| t["id"].clone()).collect();
        let all = ["azure_blob", "delta_sharing", "google_cloud_storage", "local_folder", "s3", "snowflake"];
        assert_eq!(types, all);
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

        for file in crate::deliveries::files(gateway.data()) {
            let bytes = fs::read(&file).unwrap();
            assert!(!bytes.windows(10).any(|w| w.eq_ignore_ascii_case(b"person1234")), "in {}", file.display());
        }
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
