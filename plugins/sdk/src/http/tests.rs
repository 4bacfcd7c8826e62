//! The client against a server that answers by a script.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Answer, Http, OAuth, Options, Plain, Proxy, Rate, Refusal, Request, Retry, Uri, endpoint, request};
use crate::error::DestinationError;
use crate::renewal::{RefreshToken, noting};
use crate::secret::Secret;
use crate::testkit::{FakeServer, Reply, operator};

const QUICK: Retry = Retry {
    attempts: 3,
    first: Duration::from_millis(10),
    longest: Duration::from_millis(20),
    patience: Duration::from_millis(1500),
};

fn options() -> Options {
    Options { retry: QUICK, timeout: Duration::from_secs(5), ..Options::default() }
}

fn post(url: &str) -> Request<super::Bytes> {
    let url = endpoint(url, Plain::ToLoopback).unwrap();
    request("POST", &url, &[("x-batch", "trial-1")], "some rows").unwrap()
}

async fn send(server: &FakeServer, options: Options) -> Result<Answer, DestinationError> {
    Http::new(&operator(), options).unwrap().send(post(&server.url("/hook?token=t0ken"))).await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_written() {
    let server = FakeServer::start().unwrap();
    server.script([Reply::status(201).header("x-id", "7").json(&serde_json::json!({"taken": 3}))]);
    let answer = send(&server, options()).await.unwrap().taken(Refusal::Payload).unwrap();
    assert_eq!((answer.status().as_u16(), answer.header("x-id")), (201, Some("7")));
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["taken"], 3);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let (request, uri) = (&requests[0], requests[0].uri.to_string());
    assert_eq!((request.method.as_str(), uri.as_str()), ("POST", "/hook?token=t0ken"));
    assert_eq!((request.header("x-batch"), request.body.as_ref()), (Some("trial-1"), b"some rows".as_ref()));
    assert_eq!(request.header("content-length"), Some("9"));
    assert!(request.header("user-agent").unwrap().starts_with("entente-destination/"));
}

#[tokio::test]
async fn plain_http_may_be_held_within_allowed_networks() {
    let server = FakeServer::start().unwrap();
    let options = Options { plain: Plain::ToAllowedNetworks, retry: Retry::NEVER, ..options() };
    let http = Http::new(&operator(), options).unwrap();
    let get = |url: &str| request("GET", &endpoint(url, Plain::ToAllowedNetworks).unwrap(), &[], "").unwrap();
    assert_eq!(http.send(get(&server.url("/"))).await.unwrap().status().as_u16(), 200);
    for public in ["http://8.8.8.8/", "http://[2606:4700::1111]/"] {
        let error = http.send(get(public)).await.unwrap_err();
        assert!(error.to_string().contains("has not allowed"), "{public}: {error}");
    }
}

#[tokio::test]
async fn only_what_may_be_sent_again_is() {
    for (status, times, kind) in [
        (200, 1, "-"),
        (302, 1, "PERMANENT"),
        (400, 1, "PAYLOAD"),
        (401, 1, "AUTH"),
        (429, 3, "RATE_LIMITED"),
        (500, 1, "TRANSIENT"),
        (501, 1, "TRANSIENT"),
        (502, 3, "TRANSIENT"),
        (503, 3, "TRANSIENT"),
        (504, 3, "TRANSIENT"),
    ] {
        let server = FakeServer::start().unwrap();
        server.otherwise(move |_| Reply::status(status).header("location", "/elsewhere").body("s3cret"));
        let outcome = send(&server, options()).await.and_then(|answer| answer.taken(Refusal::Payload));
        assert_eq!(outcome.as_ref().map_or_else(DestinationError::kind, |_| "-"), kind, "{status}");
        assert_eq!(server.requests().len(), times, "{status}");
        let Err(error) = outcome else { continue };
        let message = error.to_string();
        assert!(message.starts_with(&format!("http://{} answered {status}", server.address())), "{message}");
        assert!(!message.contains("s3cret") && !message.contains("t0ken"), "{message}");
    }
}

#[tokio::test]
async fn the_last_answer_is_given_to_those_who_read_more_than_its_status() {
    let server = FakeServer::start().unwrap();
    server.otherwise(|_| Reply::status(503).header("x-id", "7").body("SlowDown"));
    let http = Http::new(&operator(), options()).unwrap();
    let response = http.last_answer(post(&server.url("/hook"))).await.unwrap().into_response().unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["x-id"].as_bytes()), (503, b"7".as_ref()));
    assert_eq!((response.body().as_ref(), server.requests().len()), (b"SlowDown".as_ref(), 3));
}

#[tokio::test]
async fn what_works_the_second_time_is_a_success() {
    let server = FakeServer::start().unwrap();
    server.script([Reply::status(503), Reply::status(429), Reply::status(200)]);
    assert_eq!(send(&server, options()).await.unwrap().status(), 200);
    let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, ["some rows"; 3]);
}

#[tokio::test]
async fn a_lost_answer_is_not_asked_for_again_here() {
    let cuts = [Reply::cut(), Reply::status(200).body("a long answer").cut_after(3)];
    for reply in cuts {
        let server = FakeServer::start().unwrap();
        server.script([reply.clone()]);
        let error = send(&server, options()).await.unwrap_err();
        assert!(matches!(error, DestinationError::Transient(_)), "{reply:?}: {error:?}");
        assert_eq!(server.requests().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_status_that_arrived_counts_even_if_its_body_breaks_off() {
    let server = FakeServer::start().unwrap();
    server.script([Reply::status(401).body("a long answer").cut_after(3)]);
    let answer = send(&server, options()).await.unwrap();
    assert!(answer.bytes().is_err());
    assert_eq!(answer.taken(Refusal::Payload).unwrap_err().kind(), "AUTH");
}

#[tokio::test]
async fn a_connection_that_is_never_made_is_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let began = Instant::now();
    let error = Http::new(&operator(), options())
        .unwrap()
        .send(post(&format!("http://{free}/hook?token=t0ken")))
        .await
        .unwrap_err();
    assert_eq!(error, DestinationError::Transient(format!("no connection to http://{free}: connection refused")));
    assert!(began.elapsed() >= Duration::from_millis(15), "it paused twice: {:?}", began.elapsed());
    // The server comes up while the client is trying.
    let patient = Retry { attempts: 100, first: Duration::from_millis(20), ..QUICK };
    let http = Http::new(&operator(), Options { retry: patient, ..options() }).unwrap();
    let url = format!("http://{free}/");
    let (answer, ()) = tokio::join!(http.send(post(&url)), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer_once(TcpListener::bind(free).await.unwrap()).await;
    });
    assert_eq!(answer.unwrap().status(), 204);
}

async fn answer_once(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up() {
    let server = FakeServer::start().unwrap();
    server.script([Reply::status(200).delay(Duration::from_secs(10))]);
    let began = Instant::now();
    let error = send(&server, Options { timeout: Duration::from_millis(100), ..options() }).await.unwrap_err();
    assert_eq!(error.to_string(), format!("http://{}: it did not answer in time", server.address()));
    assert!(began.elapsed() < Duration::from_secs(3) && server.requests().len() == 1);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept_or_handed_on() {
    let server = FakeServer::start().unwrap();
    for until_a_date in [false, true] {
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
        let asked = if until_a_date { soon.as_str() } else { "1" };
        let patience = Duration::from_secs(4);
        let options = Options { retry: Retry { patience, ..QUICK }, ..options() };
        server.script([Reply::status(429).header("retry-after", asked), Reply::status(200)]);
        let before = server.requests().len();
        assert_eq!(send(&server, options).await.unwrap().status(), 200);
        let requests = server.requests();
        let pause = requests[before + 1].at - requests[before].at;
        assert!(pause >= Duration::from_millis(900), "{asked}: sent again after {pause:?}");
    }
    for status in [429, 503] {
        let before = server.requests().len();
        server.script([Reply::status(status).header("retry-after", "3600")]);
        let error = send(&server, options()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), ("RATE_LIMITED", Some(Duration::from_secs(3600))));
        assert_eq!(server.requests().len(), before + 1);
    }
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_is_allowed() {
    let server = FakeServer::start().unwrap();
    for (length, fits) in [(100, true), (101, false), (5_000_000, false)] {
        server.script([Reply::status(200).body("x".repeat(length))]);
        let answer = send(&server, Options { most_answer_bytes: 100, ..options() }).await.unwrap();
        assert_eq!(answer.bytes().is_ok_and(|body| body.len() == length), fits, "{length}");
        assert_eq!(answer.taken(Refusal::Payload).map(drop), Ok(()), "the status is known");
    }
}

#[tokio::test]
async fn requests_keep_to_the_rate() {
    let server = FakeServer::start().unwrap();
    let rate = Some(Rate { requests: 20, period: Duration::from_secs(1) });
    let http = Http::new(&operator(), Options { rate, ..options() }).unwrap();
    server.script([Reply::status(503)]);
    for _ in 0..3 {
        http.send(post(&server.url("/"))).await.unwrap();
    }
    let times: Vec<Instant> = server.requests().iter().map(|request| request.at).collect();
    assert_eq!(times.len(), 4, "the one that was sent again counts too");
    assert!(times[3] - times[0] >= Duration::from_millis(140), "{times:?}");
}

/// Serves TLS in front of `server`, and gives the certificate in PEM.
async fn tls_in_front_of(server: &FakeServer, name: &str) -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (address, behind) = (listener.local_addr().unwrap(), server.address());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut inner = TcpStream::connect(behind).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut inner).await;
        }
    });
    (address, cert.pem())
}

#[tokio::test]
async fn only_certificates_of_trusted_authorities_for_the_right_name_are_taken() {
    let server = FakeServer::start().unwrap();
    let (address, pem) = tls_in_front_of(&server, "localhost").await;
    let (right, wrong) = (format!("https://localhost:{}/", address.port()), format!("https://{address}/"));
    for (url, authorities, trusted) in
        [(&right, Some(pem.clone()), true), (&right, None, false), (&wrong, Some(pem.clone()), false)]
    {
        let before = server.requests().len();
        let outcome = Http::new(&operator(), Options { authorities, ..options() }).unwrap().send(post(url)).await;
        assert_eq!(outcome.is_ok(), trusted, "{outcome:?}");
        assert_eq!(server.requests().len(), before + usize::from(trusted));
        let Err(error) = outcome else { continue };
        assert!(matches!(&error, DestinationError::Config(message) if message.contains("not trusted")), "{error:?}");
    }
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    assert!(matches!(
        Http::new(&operator(), Options { authorities: Some(junk), ..options() }),
        Err(DestinationError::Config(_))
    ));
}

/// A proxy that makes tunnels for whoever knows the password; it gives the first line of each request it was sent.
async fn proxy() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (told, lines)) = (listener.local_addr().unwrap(), tokio::sync::mpsc::unbounded_channel());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = read_head(&mut stream).await.unwrap();
            let first = head.lines().next().unwrap().to_owned();
            let target = first.split(' ').nth(1).unwrap().to_owned();
            told.send(first).unwrap();
            if !head.to_lowercase().contains("proxy-authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq==") {
                stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap();
                continue;
            }
            let mut inner = TcpStream::connect(target).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut inner).await;
        }
    });
    (address, lines)
}

async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[tokio::test]
async fn requests_go_through_the_proxy() {
    let server = FakeServer::start().unwrap();
    let (tls, pem) = tls_in_front_of(&server, "localhost").await;
    let (address, mut lines) = proxy().await;
    let with = |password: &str| {
        let password = Some(Secret::new(password.to_owned()));
        let proxy = Proxy { url: format!("http://{address}"), user: Some("Aladdin".to_owned()), password };
        Http::new(&operator(), Options { proxy: Some(proxy), authorities: Some(pem.clone()), ..options() }).unwrap()
    };
    let target = format!("localhost:{}", tls.port());
    assert_eq!(with("open sesame").send(post(&format!("https://{target}/hook"))).await.unwrap().status(), 200);
    assert_eq!(lines.recv().await.unwrap(), format!("CONNECT {target} HTTP/1.1"));
    let error = with("open barley").send(post(&format!("https://{target}/hook"))).await.unwrap_err();
    assert_eq!(error, DestinationError::Auth("the proxy refuses the user and password".to_owned()));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_value_that_no_header_can_have_is_refused_without_telling_it() {
    let url: Uri = "https://tvtube.example/".parse().unwrap();
    let error = request("POST", &url, &[("authorization", "Bearer s3cret\n")], "").unwrap_err();
    assert!(matches!(&error, DestinationError::Config(message) if !message.contains("s3cret")), "{error}");
}

fn oauth(server: &FakeServer) -> OAuth {
    let url = endpoint(&server.url("/token"), Plain::ToLoopback).unwrap();
    OAuth::refreshing(url, "luma", &Secret::new("s3cret&".to_owned()), &Secret::new("r3fresh".to_owned()))
}

fn granted(token: &str, seconds: u64) -> Reply {
    Reply::status(200).json(&serde_json::json!({"access_token": token, "expires_in": seconds}))
}

#[tokio::test]
async fn an_access_token_is_used_until_it_ends_or_is_refused() {
    let server = FakeServer::start().unwrap();
    server.script([granted("one", 3600), Reply::status(200), Reply::status(200)]);
    server.script([Reply::status(401), granted("two", 30), Reply::status(200)]);
    server.script([granted("three", 3600), Reply::status(401)]);
    let (http, mut oauth) = (Http::new(&operator(), options()).unwrap(), oauth(&server));
    for status in [200, 200, 200, 401] {
        assert_eq!(oauth.send(&http, post(&server.url("/hook"))).await.unwrap().status().as_u16(), status);
    }
    let sent: Vec<String> =
        server.requests().iter().map(|request| request.header("authorization").unwrap_or("-").to_owned()).collect();
    let (one, two, three) = ("Bearer one", "Bearer two", "Bearer three");
    assert_eq!(sent, ["-", one, one, one, "-", two, "-", three]);
    let asked = &server.requests()[0];
    let form: &[u8] = b"grant_type=refresh_token&client_id=luma&client_secret=s3cret%26&refresh_token=r3fresh";
    assert_eq!(asked.body.as_ref(), form);
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn another_refresh_token_is_used_and_given_to_the_gateway() {
    let server = FakeServer::start().unwrap();
    let with = |access: &str, refresh: &str| {
        Reply::status(200).json(&serde_json::json!({"access_token": access, "expires_in": 1, "refresh_token": refresh}))
    };
    server.script([with("one", "r3fresh"), Reply::status(200), with("two", "an0ther"), Reply::status(503)]);
    server.script([with("three", "th1rd")]);
    server.otherwise(|asked| if asked.uri.path() == "/token" { granted("four", 1) } else { Reply::status(200) });
    let options = Options { retry: Retry::NEVER, ..options() };
    let (http, mut oauth) = (Http::new(&operator(), options).unwrap(), oauth(&server));
    let mut send = async || oauth.send(&http, post(&server.url("/hook"))).await.is_ok();
    assert_eq!(noting(send()).await, (true, None), "the same is no news");
    assert_eq!(noting(send()).await, (false, RefreshToken::new("an0ther")), "whatever became of the request");
    assert!(send().await, "nobody is there to take it");
    assert_eq!(noting(send()).await, (true, RefreshToken::new("th1rd")), "it is given later");
    let forms: Vec<Vec<u8>> = server.requests().iter().map(|request| request.body.to_vec()).collect();
    let ending = |token: &str| format!("&refresh_token={token}").into_bytes();
    let used = |token: &str| forms.iter().filter(|form| form.ends_with(&ending(token))).count();
    assert_eq!((used("r3fresh"), used("an0ther"), used("th1rd")), (2, 1, 1));
}

#[tokio::test]
async fn a_token_that_is_not_given_is_told_by_its_reason() {
    for (status, body, kind) in [
        (400, r#"{"error":"invalid_grant","error_description":"r3fresh"}"#, "AUTH"),
        (400, r#"{"error":"invalid_client"}"#, "AUTH"),
        (400, r#"{"error":"invalid_scope"}"#, "CONFIG"),
        (400, r#"{"error":"else"}"#, "AUTH"),
        (400, "r3fresh", "AUTH"),
        (401, r#"{"error":"invalid_client"}"#, "AUTH"),
        (429, "", "RATE_LIMITED"),
        (500, "", "TRANSIENT"),
        (200, "r3fresh", "PERMANENT"),
        (200, r#"{"access_token":"a\nb"}"#, "PERMANENT"),
    ] {
        let server = FakeServer::start().unwrap();
        server.otherwise(move |_| Reply::status(status).body(body));
        let http = Http::new(&operator(), options()).unwrap();
        let error = oauth(&server).send(&http, post(&server.url("/hook"))).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert!(!error.to_string().contains("fresh"), "{error}");
    }
}

#[tokio::test]
async fn a_program_signs_in_for_itself() {
    let server = FakeServer::start().unwrap();
    server.script([granted("one", 3600)]);
    let url = endpoint(&server.url("/token"), Plain::ToLoopback).unwrap();
    let mut oauth = OAuth::client_credentials(url, "luma", &Secret::new("s3cret".to_owned()), "openid,AdobeID");
    oauth.send(&Http::new(&operator(), options()).unwrap(), post(&server.url("/hook"))).await.unwrap();
    let form: &[u8] = b"grant_type=client_credentials&client_id=luma&client_secret=s3cret&scope=openid%2CAdobeID";
    assert_eq!(server.requests()[0].body.as_ref(), form);
}
