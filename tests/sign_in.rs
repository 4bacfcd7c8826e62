//! Signing in by browser at a real OpenID provider, and what a session may be used for.

use crate::{
    harness::{CLIENT, Gateway, Kind, OpenId, Options, Socket, on_both_databases, openid},
    stories::Party,
};
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, LOCATION, SET_COOKIE},
    redirect::Policy,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const VIEWER: &str = "{ viewer { kind user { email name } accounts { totalCount } } }";

/// A browser as far as this goes: it keeps cookies by host and port, and goes where it is sent.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<(String, String), String>,
}

/// What a browser was answered with.
pub struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn location(&self) -> Url {
        Url::parse(self.headers[LOCATION].to_str().unwrap()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }
}

impl Browser {
    pub fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { http, cookies: BTreeMap::new() }
    }

    pub async fn ask(&mut self, method: Method, url: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let place = Url::parse(url).unwrap().authority().to_owned();
        let of_place = self.cookies.iter().filter(|((at, _), _)| *at == place);
        let cookies: Vec<_> = of_place.map(|((_, name), value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method, url);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            let key = (place.clone(), name.to_owned());
            if value.is_empty() || rest.contains("Max-Age=0") || rest.contains("expires=Thu, 01 Jan 1970") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value);
            }
        }
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    async fn get(&mut self, url: &str) -> Answer {
        self.ask(Method::GET, url, &[], None).await
    }

    /// Where the gateway sends it to sign in.
    async fn begin(&mut self, gateway: &Gateway) -> Url {
        let begun = self.get(&format!("{}/auth/sign-in?return_to=/graphiql", gateway.url)).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        let url = begun.location();
        let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!((&*asked["code_challenge_method"], &*asked["response_type"]), ("S256", "code"));
        url
    }

    /// Signs in at the provider as somebody; where the provider sends it back to.
    async fn at_provider(&mut self, provider: &OpenId, url: &Url, sub: &str, email: &str, verified: bool) -> Url {
        let person =
            [("sub", sub), ("email", email), ("verified", if verified { "true" } else { "false" }), ("name", "Ada")];
        self.answers(provider, url, "login", &person).await
    }

    async fn answers(&mut self, provider: &OpenId, url: &Url, action: &str, fields: &[(&str, &str)]) -> Url {
        // Nobody of before is signed in there.
        let place = url.authority().to_owned();
        self.cookies.retain(|(at, _), _| *at != place);
        let asked = self.get(url.as_str()).await;
        let interaction =
            Url::parse(&provider.issuer).unwrap().join(asked.headers[LOCATION].to_str().unwrap()).unwrap();
        let done = Url::parse_with_params(&format!("{interaction}/{action}"), fields).unwrap();
        let resumed = self.get(done.as_str()).await.location();
        self.get(resumed.as_str()).await.location()
    }

    /// Signs in from beginning to end; what the gateway answers at last.
    pub async fn sign_in(
        &mut self,
        gateway: &Gateway,
        provider: &OpenId,
        sub: &str,
        email: &str,
        verified: bool,
    ) -> Answer {
        let url = self.begin(gateway).await;
        let back = self.at_provider(provider, &url, sub, email, verified).await;
        self.get(back.as_str()).await
    }

    /// Asks the API as a page of the gateway does.
    pub async fn query(&mut self, gateway: &Gateway, document: &str) -> Answer {
        self.post(gateway, document, &[("content-type", "application/json"), ("origin", &gateway.url)]).await
    }

    async fn post(&mut self, gateway: &Gateway, document: &str, headers: &[(&str, &str)]) -> Answer {
        let body = json!({ "query": document });
        self.ask(Method::POST, &format!("{}/graphql", gateway.url), headers, Some(body)).await
    }

    pub fn session(&self) -> Option<&str> {
        self.cookies.iter().find(|((_, name), _)| name == "entente").map(|(_, value)| value.as_str())
    }
}

/// A gateway at which people sign in.
pub async fn start(kind: Kind, provider: &OpenId, more: &[(&'static str, &str)]) -> Gateway {
    let mut settings: Vec<_> = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    settings.push(("ENTENTE_OIDC_ISSUER", provider.issuer.clone()));
    settings.push(("ENTENTE_OIDC_CLIENT_ID", CLIENT.0.to_owned()));
    settings.push(("ENTENTE_OIDC_CLIENT_SECRET", CLIENT.1.to_owned()));
    Gateway::start_with(kind, Options { settings }).await
}

/// An address with another value in its query.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let kept = url.query_pairs().into_owned().filter(|(key, _)| key != name);
    let fields: Vec<_> = kept.chain([(name.to_owned(), value.to_owned())]).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(fields);
    changed
}

/// A person whom no other test knows: the provider is one for all of them, and keeps one address for each.
fn somebody(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::now_v7())
}

/// Makes sure that nobody was signed in, and why.
fn assert_refused(answer: &Answer, browser: &Browser, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{}", answer.text);
    assert_eq!(browser.session(), None);
}

on_both_databases! {
    async fn somebody_signs_in_asks_and_signs_out(kind: Kind) {
        let Some(provider) = openid() else { return };
        let gateway = start(kind, provider, &[("ENTENTE_OIDC_NEW_USERS", "true")]).await;
        let (mut ada, sub) = (Browser::new(), somebody("ada"));
        let signed_in = ada.sign_in(&gateway, provider, &sub, "Ada@luma.example", true).await;
        assert_eq!((signed_in.status.as_u16(), &signed_in.headers[LOCATION]), (303, &"/graphiql".parse().unwrap()));
        let cookies: Vec<_> = signed_in.headers.get_all(SET_COOKIE).iter().map(|c| c.to_str().unwrap()).collect();
        let attributes = "; HttpOnly; SameSite=Lax; Path=/; Max-Age=43200";
        assert!(cookies[0].starts_with("entente=es_") && cookies[0].ends_with(attributes), "{cookies:?}");
        assert!(cookies[1].starts_with("entente-sign-in=;"), "{cookies:?}");
        let answer = ada.query(&gateway, VIEWER).await;
        let user = json!({ "email": "ada@luma.example", "name": "Ada" });
        let expected = json!({ "kind": "USER", "user": user, "accounts": { "totalCount": 0 } });
        assert_eq!(answer.json()["data"]["viewer"], expected, "{}", answer.text);
        let create = r#"mutation { createAccount(input: { name: "Luma", role: ADVERTISER, region: "US",
            contactEmail: "team@luma.example", matchKeys: [{ kind: HASHED_EMAIL }] }) { userErrors { message } } }"#;
        assert_eq!(ada.query(&gateway, create).await.json()["data"]["createAccount"]["userErrors"], json!([]));

        // The same person is the same user, whatever the address is by now.
        let mut elsewhere = Browser::new();
        elsewhere.sign_in(&gateway, provider, &sub, "ada@tvtube.example", true).await;
        let answer = elsewhere.query(&gateway, VIEWER).await;
        assert_eq!(answer.json()["data"]["viewer"]["user"], user);
        assert_eq!(answer.json()["data"]["viewer"]["accounts"]["totalCount"], 1);

        let (session, url) = (ada.session().unwrap().to_owned(), format!("{}/auth/sign-out", gateway.url));
        let by_others = [("content-type", "application/json"), ("origin", "https://luma.example")];
        assert_eq!(ada.ask(Method::POST, &url, &by_others, None).await.status, 403);
        assert_eq!(ada.query(&gateway, VIEWER).await.status, 200);
        let own = [("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
        let kept = ada.clone();
        assert_eq!(ada.ask(Method::POST, &url, &own, None).await.status, 204);
        assert_eq!(ada.session(), None);
        assert_eq!(kept.clone().query(&gateway, VIEWER).await.status, 401, "the session itself has ended");
        assert_eq!(elsewhere.query(&gateway, VIEWER).await.status, 200, "others of the same user have not");
        let bearer = ada.http.post(format!("{}/graphql", gateway.url)).bearer_auth(&session);
        let asked = bearer.json(&json!({ "query": VIEWER })).send().await.unwrap();
        assert_eq!(asked.status(), 401, "a session is no key");

        for secret in [&*session, CLIENT.1, elsewhere.session().unwrap()] {
            assert!(!gateway.log().contains(secret));
        }
        let files = std::fs::read_dir(gateway.data()).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with("entente.db")) {
            let bytes = std::fs::read(file).unwrap();
            assert!(!bytes.windows(session.len()).any(|at| at == session.as_bytes()));
        }
    }
}

on_both_databases! {
    /// Each is answered clearly, and nobody is signed in.
    async fn what_is_not_as_it_should_be_signs_nobody_in(kind: Kind) {
        let Some(provider) = openid() else { return };
        let gateway = start(kind, provider, &[("ENTENTE_OIDC_NEW_USERS", "true")]).await;
        let (mut browser, eve) = (Browser::new(), somebody("eve"));
        let answer = browser.sign_in(&gateway, provider, &eve, "eve@luma.example", false).await;
        assert_refused(&answer, &browser, 403, "EMAIL_UNVERIFIED");

        // In another browser: the address of who signs in is of no use to who sent it.
        let url = browser.begin(&gateway).await;
        let back = browser.at_provider(provider, &url, &eve, "eve@luma.example", true).await;
        let mut other = Browser::new();
        let answer = other.get(back.as_str()).await;
        assert_refused(&answer, &other, 400, "STATE_UNKNOWN");
        other.begin(&gateway).await;
        let answer = other.get(back.as_str()).await;
        assert_refused(&answer, &other, 400, "STATE_UNKNOWN");
        let page = other.ask(Method::GET, back.as_str(), &[("accept", "text/html")], None).await;
        assert!(page.text.contains("Begin again") && page.headers["cache-control"] == "no-store", "{}", page.text);

        // A state counts once, also for who kept the cookie.
        let mut kept = browser.clone();
        assert_eq!(browser.get(back.as_str()).await.status, 303);
        let answer = kept.get(back.as_str()).await;
        assert_refused(&answer, &kept, 400, "STATE_UNKNOWN");

        // A token for another sign-in.
        let mut browser = Browser::new();
        let url = browser.begin(&gateway).await;
        let back = browser.at_provider(provider, &with(&url, "nonce", "another"), &eve, "eve@luma.example", true).await;
        let answer = browser.get(back.as_str()).await;
        assert_refused(&answer, &browser, 400, "TOKEN_REFUSED");

        // A code that somebody else began to ask for, one that has run out, and one that was used.
        let url = browser.begin(&gateway).await;
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let back = browser.at_provider(provider, &with(&url, "code_challenge", challenge), &eve, "eve@luma.example", true).await;
        let answer = browser.get(back.as_str()).await;
        assert_refused(&answer, &browser, 400, "CODE_REFUSED");
        let url = browser.begin(&gateway).await;
        let back = browser.at_provider(provider, &url, &somebody("brief-code"), "eve@luma.example", true).await;
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let answer = browser.get(back.as_str()).await;
        assert_refused(&answer, &browser, 400, "CODE_REFUSED");

        let url = browser.begin(&gateway).await;
        let back = browser.answers(provider, &url, "deny", &[]).await;
        let answer = browser.ask(Method::GET, back.as_str(), &[("accept", "text/html")], None).await;
        assert!(answer.status == 403 && !answer.text.contains("script"), "{}", answer.text);
        for query in ["", "?state=x&code=y", "?state=a&state=b", "?code=%00"] {
            let answer = browser.get(&format!("{}/auth/callback{query}", gateway.url)).await;
            assert_refused(&answer, &browser, 400, "STATE_UNKNOWN");
        }
        let none = Gateway::start(kind).await;
        let answer = browser.get(&format!("{}/auth/sign-in", none.url)).await;
        assert_refused(&answer, &browser, 404, "SIGN_IN_UNAVAILABLE");
    }
}

on_both_databases! {
    /// A gateway that is not open lets in who was made a user or invited; an address that went to somebody else opens nothing.
    async fn only_who_was_invited_is_let_in(kind: Kind) {
        let Some(provider) = openid() else { return };
        let gateway = start(kind, provider, &[]).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let email = format!("ben-{}@luma.example", uuid::Uuid::now_v7().simple());
        let mut ben = Browser::new();
        let answer = ben.sign_in(&gateway, provider, &email, &email, true).await;
        assert_refused(&answer, &ben, 403, "FORBIDDEN");
        let invite = "mutation($input: InviteMemberInput!) { inviteMember(input: $input) {
            token userErrors { code field message } } }";
        let input = json!({ "accountId": luma.account, "email": email, "role": "MANAGER" });
        let token = luma.client.mutate(invite, input).await["token"].as_str().unwrap().to_owned();
        assert_eq!(ben.sign_in(&gateway, provider, &email, &email, true).await.status, 303);
        let accept = format!(
            "mutation {{ acceptInvitation(input: {{ token: \"{token}\" }}) {{ accountId userErrors {{ message }} }} }}"
        );
        let accepted = ben.query(&gateway, &accept).await.json();
        assert_eq!(accepted["data"]["acceptInvitation"]["accountId"], json!(luma.account), "{accepted}");
        let answer = ben.query(&gateway, VIEWER).await.json();
        assert_eq!(answer["data"]["viewer"]["accounts"]["totalCount"], 1);

        let mut namesake = Browser::new();
        let answer = namesake.sign_in(&gateway, provider, &somebody("namesake"), &email, true).await;
        assert_refused(&answer, &namesake, 403, "FORBIDDEN");

        // Whom the operator made a user signs in as that user; here the token itself holds the address.
        let address = luma.client.query("{ viewer { user { email } } }", json!({})).await;
        let address = address["viewer"]["user"]["email"].as_str().unwrap().to_owned();
        let mut admin = Browser::new();
        let mut url = admin.begin(&gateway).await;
        let claims = json!({ "id_token": { "email": null, "email_verified": null } }).to_string();
        url.query_pairs_mut().append_pair("claims", &claims);
        let back = admin.at_provider(provider, &url, &address, &address, true).await;
        assert_eq!(admin.get(back.as_str()).await.status, 303);
        let answer = admin.query(&gateway, VIEWER).await.json();
        assert_eq!(answer["data"]["viewer"]["accounts"]["totalCount"], 1, "{answer}");
    }
}

on_both_databases! {
    /// A page of somebody else's makes a browser send its cookie; that alone does nothing.
    async fn pages_of_others_use_no_session(kind: Kind) {
        let Some(provider) = openid() else { return };
        let gateway = start(kind, provider, &[("ENTENTE_OIDC_NEW_USERS", "true")]).await;
        let mut ada = Browser::new();
        ada.sign_in(&gateway, provider, "ada", "ada@luma.example", true).await;
        let (json, own) = (("content-type", "application/json"), ("origin", gateway.url.as_str()));
        let other = ("origin", "https://luma.example");
        for (headers, status) in [
            (&[json, own][..], 200),
            (&[json, ("sec-fetch-site", "same-origin")], 200),
            (&[json, ("x-entente-request", "1")], 200),
            (&[json], 403),
            (&[json, other], 403),
            (&[json, ("origin", "null")], 403),
            (&[json, ("sec-fetch-site", "same-site")], 403),
            (&[("content-type", "text/plain"), own], 415),
            (&[own], 415),
        ] {
            assert_eq!(ada.post(&gateway, VIEWER, headers).await.status.as_u16(), status, "{headers:?}");
        }
        let query = Url::parse_with_params(&format!("{}/graphql", gateway.url), [("query", VIEWER)]).unwrap();
        for (headers, status) in [(&[][..], 403), (&[own], 403), (&[json, own], 200), (&[json, other], 403)] {
            let answer = ada.ask(Method::GET, query.as_str(), headers, None).await;
            assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        }
        let rows = format!("{}/deliveries/{}/rejected-rows.csv", gateway.url, uuid::Uuid::now_v7());
        for (headers, status) in [(&[][..], 403), (&[other], 403), (&[own], 404)] {
            assert_eq!(ada.ask(Method::GET, &rows, headers, None).await.status.as_u16(), status, "{headers:?}");
        }

        let cookie = format!("entente={}", ada.session().unwrap());
        for (origin, opens) in [(own.1, true), (other.1, false), ("null", false), ("", false)] {
            let headers = [("cookie", cookie.as_str()), ("origin", origin)];
            let given = if origin.is_empty() { &headers[..1] } else { &headers[..] };
            assert_eq!(Socket::of_browser(&gateway.url, given).await.is_some(), opens, "{origin:?}");
        }
        // A key counts whatever cookies come with it.
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let bearer = format!("Bearer {}", luma.client.token);
        let answer = ada.post(&gateway, VIEWER, &[json, ("authorization", &bearer)]).await;
        assert_eq!(answer.json()["data"]["viewer"]["accounts"]["totalCount"], 1);
    }
}

on_both_databases! {
    /// A session that nobody uses ends, and so does one that is used all the time; and clocks may differ by a minute.
    async fn sessions_and_sign_ins_end(kind: Kind) {
        let Some(provider) = openid() else { return };
        let mut gateway = start(kind, provider, &[("ENTENTE_OIDC_NEW_USERS", "true"), ("ENTENTE_SESSION_HOURS", "2")]).await;
        let mut ada = Browser::new();
        ada.sign_in(&gateway, provider, "ada", "ada@luma.example", true).await;
        let session = ada.session().unwrap().to_owned();
        let pass = |gateway: &mut Gateway, minutes: u64| {
            gateway.stop();
            gateway.pass(Duration::from_secs(minutes * 60));
            gateway.start_again();
        };
        let asks = async |gateway: &Gateway, session: &str| {
            let place = Url::parse(&gateway.url).unwrap().authority().to_owned();
            let mut browser = Browser::new();
            browser.cookies.insert((place, "entente".to_owned()), session.to_owned());
            browser.query(gateway, VIEWER).await.status.as_u16()
        };
        let mut idle = Browser::new();
        idle.sign_in(&gateway, provider, "ben", "ben@luma.example", true).await;
        let idle = idle.session().unwrap().to_owned();
        for minutes in [40, 40, 35] {
            pass(&mut gateway, minutes);
            assert_eq!(asks(&gateway, &session).await, 200);
            // It is noted beside the request.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(asks(&gateway, &idle).await, 401, "an hour without a request");
        pass(&mut gateway, 5);
        assert_eq!(asks(&gateway, &session).await, 401, "two hours in any case");

        let mut late = Browser::new();
        let url = late.begin(&gateway).await;
        let back = late.at_provider(provider, &url, "late", "late@luma.example", true).await;
        let before = gateway.url.clone();
        let cookies = late.cookies.clone();
        pass(&mut gateway, 10);
        let place = Url::parse(&gateway.url).unwrap().authority().to_owned();
        late.cookies.extend(cookies.into_iter().map(|((_, name), value)| ((place.clone(), name), value)));
        let back = back.as_str().replace(&before, &gateway.url);
        let answer = late.get(&back).await;
        assert_refused(&answer, &late, 400, "STATE_UNKNOWN");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_may_differ_by_a_minute() {
    let Some(provider) = openid() else { return };
    let mut gateway = start(Kind::Sqlite, provider, &[("ENTENTE_OIDC_NEW_USERS", "true")]).await;
    // The token lasts for half a minute.
    for (seconds, status, code) in [(60, 303, ""), (60, 400, "TOKEN_REFUSED")] {
        gateway.stop();
        gateway.pass(Duration::from_secs(seconds));
        gateway.start_again();
        let mut browser = Browser::new();
        let answer = browser.sign_in(&gateway, provider, "brief-token", "brief@luma.example", true).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert!(answer.text.contains(code));
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_told_apart() {
    let settings = [
        ("ENTENTE_OIDC_ISSUER", "http://127.0.0.1:9"),
        ("ENTENTE_OIDC_CLIENT_ID", CLIENT.0),
        ("ENTENTE_OIDC_CLIENT_SECRET", CLIENT.1),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let mut gateway = Gateway::start_with(Kind::Sqlite, Options { settings }).await;
    let mut browser = Browser::new();
    let answer = browser.get(&format!("{}/auth/sign-in", gateway.url)).await;
    assert_refused(&answer, &browser, 502, "PROVIDER_UNAVAILABLE");
    gateway.stop();
    for (name, value) in [
        ("ENTENTE_OIDC_ISSUER", "http://id.luma.example"),
        ("ENTENTE_PUBLIC_URL", "http://entente.example"),
        ("ENTENTE_LISTEN", "0.0.0.0:0"),
        ("ENTENTE_OIDC_CLIENT_SECRET", ""),
        ("ENTENTE_SESSION_HOURS", "0"),
        ("ENTENTE_SESSION_IDLE_MINUTES", "4"),
    ] {
        let (started, said) = gateway.run(&["serve"], &[(name, value)]);
        assert!(!started && said.contains("setting `"), "{name}: {said}");
        assert!(!said.contains(CLIENT.1));
    }
}
