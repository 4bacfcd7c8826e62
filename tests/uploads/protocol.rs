//! The protocol's rules, and those who do not keep to it.

use super::{customers, rows, upload_at};
use crate::{
    harness::{Client, Gateway, Kind, Options, on_both_databases},
    stories::Party,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, stream};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The most that an upload may have in these tests, in bytes.
const LIMIT: usize = 1 << 20;
const PART: (&str, &str) = ("content-type", "application/offset+octet-stream");
const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

/// Asks with these headers alone.
async fn ask(
    client: &Client,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = client.http().request(method, url).body(body);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

fn header(answer: &Response, name: &str) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().unwrap().to_owned())
}

async fn patch(client: &Client, url: &str, at: usize, body: impl Into<reqwest::Body>) -> Response {
    ask(client, "PATCH", url, &[TUS, PART, ("upload-offset", &at.to_string())], body).await
}

/// How much the gateway says that it has.
async fn offset(client: &Client, url: &str) -> usize {
    let answer = ask(client, "HEAD", url, &[TUS], "").await;
    assert_eq!(answer.status(), 200);
    header(&answer, "upload-offset").unwrap().parse().unwrap()
}

/// Metadata of an upload.
fn metadata(file_name: &[u8], account: &str) -> String {
    format!("filename {},accountId {}", STANDARD.encode(file_name), STANDARD.encode(account))
}

/// Asks for an upload.
async fn create(party: &Party, metadata: &str, more: &[(&str, &str)]) -> Response {
    let authorization = format!("Bearer {}", party.client.token);
    let headers = [&[TUS, ("authorization", &*authorization), ("upload-metadata", metadata)][..], more].concat();
    ask(&party.client, "POST", &format!("{}/uploads", party.client.base()), &headers, "").await
}

/// The address of a new upload of so many bytes.
pub async fn created(party: &Party, size: usize) -> String {
    let answer =
        create(party, &metadata(b"customers.csv", &party.account), &[("upload-length", &size.to_string())]).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    header(&answer, "location").unwrap()
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let said: Value = answer.json().await.unwrap();
    assert!(said["requestId"].is_string() && said["message"].is_string(), "{said}");
    (status, said["code"].as_str().unwrap().to_owned())
}

async fn gateway_with_limit(kind: Kind) -> Gateway {
    Gateway::start_with(kind, Options { settings: vec![("ENTENTE_UPLOAD_LIMIT", LIMIT.to_string())] }).await
}

on_both_databases! {
    /// Created, sent in parts of any size, complete, sourced; and what the answers say on the way.
    async fn an_upload_in_parts_is_as_the_protocol_says(kind: Kind) {
        let gateway = gateway_with_limit(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let client = &luma.client;
        let able = ask(client, "OPTIONS", &format!("{}/uploads", gateway.url), &[], "").await;
        assert_eq!(able.status(), 204);
        assert_eq!(header(&able, "tus-version").unwrap(), "1.0.0");
        assert_eq!(header(&able, "tus-max-size").unwrap(), LIMIT.to_string());
        assert!(header(&able, "tus-extension").unwrap().contains("creation,"));

        let (_file, csv) = customers(1_500);
        let url = created(&luma, csv.len()).await;
        let head = ask(client, "HEAD", &url, &[TUS], "").await;
        let told = |name: &str| header(&head, name).unwrap();
        assert_eq!((told("upload-offset"), told("upload-length")), ("0".into(), csv.len().to_string()));
        assert_eq!((told("tus-resumable").as_str(), told("cache-control").as_str()), ("1.0.0", "no-store"));
        assert!(told("upload-expires").ends_with(" GMT"));
        let mut at: usize = 0;
        for part in [1, 0, 99, 65_435, 1, 65_536, usize::MAX] {
            let end = csv.len().min(at.saturating_add(part));
            let answer = patch(client, &url, at, csv.as_bytes()[at..end].to_vec()).await;
            assert_eq!(answer.status(), 204);
            assert_eq!(header(&answer, "upload-offset").unwrap(), end.to_string());
            assert_eq!(offset(client, &url).await, end);
            at = end;
        }
        let upload = upload_at(&url);
        assert_eq!(luma.shown(&upload).await["complete"], true);
        assert_eq!(code(patch(client, &url, at, "").await).await, (409, "WRONG_STATE".into()));
        assert_eq!(luma.sourced_rows(&upload).await, (rows(&csv), rows(&csv)));
        let gone = ask(client, "DELETE", &url, &[TUS], "").await;
        assert_eq!(code(gone).await, (409, "WRONG_STATE".into()));
    }
}

on_both_databases! {
    /// What is not as the protocol says is refused by its code, and nothing of it is taken.
    async fn what_is_against_the_protocol_changes_nothing(kind: Kind) {
        let gateway = gateway_with_limit(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let client = &luma.client;
        let url = created(&luma, 100).await;
        assert_eq!(patch(client, &url, 0, "0123456789").await.status(), 204);
        let at = |offset: &'static str| ("upload-offset", offset);
        for (method, headers, body, expected) in [
            ("PATCH", vec![TUS, PART, at("0")], "again".to_owned(), (409, "WRONG_OFFSET")),
            ("PATCH", vec![TUS, PART, at("11")], "a hole".into(), (409, "WRONG_OFFSET")),
            ("PATCH", vec![TUS, PART, at("18446744073709551615")], "x".into(), (409, "WRONG_OFFSET")),
            ("PATCH", vec![TUS, PART, at("18446744073709551616")], "x".into(), (400, "BAD_REQUEST")),
            ("PATCH", vec![TUS, PART, at("-1")], "x".into(), (400, "BAD_REQUEST")),
            ("PATCH", vec![TUS, PART, at("+10")], "x".into(), (400, "BAD_REQUEST")),
            ("PATCH", vec![TUS, PART], "x".into(), (400, "BAD_REQUEST")),
            ("PATCH", vec![TUS, PART, at("10")], "x".repeat(91), (413, "TOO_LARGE")),
            ("PATCH", vec![TUS, PART, at("10"), ("upload-length", "101")], "x".into(), (400, "WRONG_SIZE")),
            ("PATCH", vec![TUS, ("content-type", "text/csv"), at("10")], "x".into(), (415, "UNSUPPORTED_MEDIA_TYPE")),
            ("PATCH", vec![TUS, at("10")], "x".into(), (415, "UNSUPPORTED_MEDIA_TYPE")),
            ("PATCH", vec![PART, at("10")], "x".into(), (412, "UNSUPPORTED_VERSION")),
            ("PATCH", vec![("tus-resumable", "0.2.2"), PART, at("10")], "x".into(), (412, "UNSUPPORTED_VERSION")),
            ("DELETE", vec![], String::new(), (412, "UNSUPPORTED_VERSION")),
            ("PUT", vec![], "x".repeat(101), (413, "TOO_LARGE")),
            ("GET", vec![TUS], String::new(), (405, "METHOD_NOT_ALLOWED")),
        ] {
            let answer = ask(client, method, &url, &headers, body).await;
            assert_eq!(header(&answer, "tus-resumable").unwrap(), "1.0.0");
            assert_eq!(header(&answer, "tus-version").is_some(), answer.status() == 412);
            assert_eq!(code(answer).await, (expected.0, expected.1.to_owned()), "{method} {headers:?}");
            assert_eq!(offset(client, &url).await, 10, "{method} {headers:?}");
        }
        // More than was said is not the file that was meant: it begins again.
        let endless = stream::iter((0..64).map(|_| Ok::<_, std::io::Error>("x".repeat(10))));
        let answer = patch(client, &url, 10, reqwest::Body::wrap_stream(endless)).await;
        assert_eq!(code(answer).await, (413, "TOO_LARGE".into()));
        assert_eq!(offset(client, &url).await, 0);
        // A method may come as a header, where a proxy lets only some pass.
        let overridden = [TUS, ("x-http-method-override", "DELETE")];
        assert_eq!(ask(client, "POST", &url, &overridden, "").await.status(), 204);
        assert_eq!(code(ask(client, "GET", &url, &[TUS], "").await).await, (404, "NOT_FOUND".into()));
    }
}

/// An upload that is given up, expires or is of others is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_others_and_those_that_are_gone_are_none() {
    let mut gateway = gateway_with_limit(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let url = created(&luma, 100).await;
    let (address, token) = url.rsplit_once('/').unwrap();
    let other = created(&tv_tube, 100).await;
    let others_token = other.rsplit_once('/').unwrap().1;
    let by_tv_tube = format!("Bearer {}", tv_tube.client.token);
    let wrong = format!("{}{}", &token[1..], &token[..1]);
    for (url, authorization) in [
        (format!("{address}/{others_token}"), None),
        (format!("{address}/{wrong}"), None),
        (format!("{address}/0"), None),
        (format!("{}/uploads/x/{token}", gateway.url), None),
        (url.clone(), Some(("authorization", by_tv_tube.as_str()))),
    ] {
        for method in ["PATCH", "DELETE", "PUT"] {
            let headers: Vec<_> = [TUS, PART, ("upload-offset", "0")].into_iter().chain(authorization).collect();
            let answer = ask(&tv_tube.client, method, &url, &headers, "x").await;
            assert_eq!(code(answer).await, (404, "NOT_FOUND".into()), "{method} {url}");
        }
    }
    let revoked = [TUS, ("authorization", "Bearer ek_none")];
    assert_eq!(ask(&luma.client, "HEAD", &url, &revoked, "").await.status(), 401);
    assert_eq!(offset(&luma.client, &url).await, 0);
    let given_up = created(&luma, 100).await;
    assert_eq!(patch(&luma.client, &given_up, 0, "0123456789").await.status(), 204);
    assert_eq!(ask(&luma.client, "DELETE", &given_up, &[TUS], "").await.status(), 204);
    assert_eq!(ask(&luma.client, "HEAD", &given_up, &[TUS], "").await.status(), 404);

    assert_eq!(patch(&luma.client, &url, 0, "0123456789").await.status(), 204);
    let files = || std::fs::read_dir(gateway.data().join("uploads")).unwrap().count();
    let before = files();
    gateway.pass(Duration::from_secs(7 * 86_400 + 1));
    assert_eq!(code(patch(&luma.client, &url, 10, "x").await).await, (410, "EXPIRED".into()));
    assert_eq!(files(), before);
    gateway.stop();
    let address = url.split_once("/uploads/").unwrap().1.to_owned();
    gateway.start_again();
    let url = format!("{}/uploads/{address}", gateway.url);
    // It is cleaned up beside what is asked at the start.
    let begun = Instant::now();
    while ask(&luma.client, "HEAD", &url, &[TUS], "").await.status() != 404 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(std::fs::read_dir(gateway.data().join("uploads")).unwrap().count(), 0);
}

/// Who creates has to be somebody who may, and to say sane things.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_sane_uploads_of_ones_own_are_created() {
    let gateway = gateway_with_limit(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let sane = metadata(b"customers.csv", &luma.account);
    let long = format!("{sane},other {}", STANDARD.encode(vec![b'x'; 10 << 10]));
    let length = ("upload-length", "10");
    for (told, headers, expected) in [
        (metadata(b"customers.csv", &tv_tube.account), vec![length], (404, "NOT_FOUND")),
        (metadata(b"customers.csv", "nothing"), vec![length], (404, "NOT_FOUND")),
        (format!("filename {}", STANDARD.encode("customers.csv")), vec![length], (404, "NOT_FOUND")),
        (metadata(b"", &luma.account), vec![length], (400, "INVALID")),
        (metadata(b"cus\0tomers", &luma.account), vec![length], (400, "INVALID")),
        (metadata("\u{202e}vsc".as_bytes(), &luma.account), vec![length], (400, "INVALID")),
        (metadata(&[b'x'; 201], &luma.account), vec![length], (400, "INVALID")),
        (metadata(b"\xff\xfe", &luma.account), vec![length], (400, "BAD_REQUEST")),
        (format!("{sane},filename QQ=="), vec![length], (400, "BAD_REQUEST")),
        ("filename ???".to_owned(), vec![length], (400, "BAD_REQUEST")),
        (long, vec![length], (400, "BAD_REQUEST")),
        (sane.clone(), vec![], (400, "BAD_REQUEST")),
        (sane.clone(), vec![("upload-length", "ten")], (400, "BAD_REQUEST")),
        (sane.clone(), vec![length, ("upload-defer-length", "1")], (400, "BAD_REQUEST")),
        (sane.clone(), vec![("upload-defer-length", "2")], (400, "BAD_REQUEST")),
        (sane.clone(), vec![("upload-length", "1048577")], (413, "TOO_LARGE")),
        (sane.clone(), vec![("upload-length", "18446744073709551615")], (413, "TOO_LARGE")),
    ] {
        let answer = create(&luma, &told, &headers).await;
        assert_eq!(code(answer).await, (expected.0, expected.1.to_owned()), "{told} {headers:?}");
    }
    let endpoint = format!("{}/uploads", gateway.url);
    let nobody = ask(&luma.client, "POST", &endpoint, &[TUS, length, ("upload-metadata", &sane)], "").await;
    assert_eq!(code(nobody).await, (401, "UNAUTHENTICATED".into()));
    assert_eq!(create(&luma, &sane, &[length]).await.status(), 201);
    let empty = created(&luma, 0).await;
    assert_eq!(luma.shown(&upload_at(&empty)).await["complete"], true);
    let too_large = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { userErrors { code } } }";
    let input = json!({ "accountId": luma.account, "fileName": "customers.csv", "size": LIMIT + 1 });
    assert_eq!(luma.client.refused(too_large, input).await, "INVALID");
}

/// While one sends, another one is told so; once the first has gone, it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_send_one_wins() {
    let gateway = gateway_with_limit(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let url = created(&luma, 100_000).await;
    let (pieces, body) = tokio::sync::mpsc::channel::<String>(1);
    let body = stream::unfold(body, |mut body| async { body.recv().await.map(|piece| (piece, body)) });
    let body = reqwest::Body::wrap_stream(body.map(Ok::<_, std::io::Error>));
    let (client, address) = (luma.client.clone(), url.clone());
    let first = tokio::spawn(async move { patch(&client, &address, 0, body).await });
    pieces.send("x".repeat(70_000)).await.unwrap();
    while offset(&luma.client, &url).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let second = patch(&luma.client, &url, 65_536, "x").await;
    assert_eq!(code(second).await, (423, "LOCKED".into()));
    assert_eq!(code(ask(&luma.client, "PUT", &url, &[], "x").await).await, (423, "LOCKED".into()));
    assert_eq!(code(ask(&luma.client, "DELETE", &url, &[TUS], "").await).await, (423, "LOCKED".into()));
    drop(pieces);
    let first = first.await.unwrap();
    assert_eq!((first.status().as_u16(), header(&first, "upload-offset").as_deref()), (204, Some("70000")));
    assert_eq!(patch(&luma.client, &url, 70_000, "x".repeat(30_000)).await.status(), 204);
    assert_eq!(luma.shown(&upload_at(&url)).await["complete"], true);
}

/// What came of one request that broke off is gone on with in parts, or thrown away when it is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_that_broke_off_is_gone_on_with() {
    let gateway = gateway_with_limit(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let (_file, csv) = customers(500);
    let url = created(&luma, csv.len()).await;
    let short = luma.client.upload(&url, csv.as_bytes()[..7].to_vec()).await;
    assert_eq!(code(short).await, (400, "INCOMPLETE".into()));
    assert_eq!(offset(&luma.client, &url).await, 7);
    let short = luma.client.upload(&url, csv.as_bytes()[..20_000].to_vec()).await;
    assert_eq!(code(short).await, (400, "INCOMPLETE".into()));
    assert_eq!(patch(&luma.client, &url, 20_000, csv.as_bytes()[20_000..].to_vec()).await.status(), 204);
    assert_eq!(luma.sourced_rows(&upload_at(&url)).await, (rows(&csv), rows(&csv)));
}
