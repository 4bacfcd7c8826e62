//! Platforms that sign in by OAuth: consent through the gateway, refresh tokens that are renewed, consent that is withdrawn.

use crate::{
    destination_updates::codes,
    harness::{Gateway, Kind, Options, built, on_both_databases},
    people::{self, Form},
    stories::{ACTIVATE, Party, today},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use entente_destination::testkit::{FakeServer, Recorded, Reply};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

const CLIENT: &str = "luma&co";
const SECRET: &str = "cl1ent-s3cret";
/// What all tokens of the platform start with.
const TOKEN: &str = "t0ken-";

/// The query of an address, or a form.
fn fields(text: &str) -> BTreeMap<String, String> {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().into_owned().collect()
}

/// What the platform knows.
#[derive(Default)]
struct Book {
    /// Codes that were not exchanged, with the query that consent was asked for with.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    /// The one refresh token that is good; whoever sends another is a thief, for whom all ends.
    refresh_token: Option<String>,
    access_tokens: BTreeSet<String>,
    given: u32,
    /// Whether it gives refresh tokens at all.
    is_brief: bool,
    /// How often each identity was posted.
    people: BTreeMap<String, u32>,
}

impl Book {
    fn token(&mut self) -> String {
        self.given += 1;
        format!("{TOKEN}{}-{}", self.given, uuid::Uuid::new_v4().simple())
    }

    fn answer(&mut self, asked: &Recorded) -> Reply {
        match asked.uri.path() {
            "/token" => self.tokens(&fields(std::str::from_utf8(&asked.body).unwrap())),
            path => {
                let bearer = asked.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
                if !bearer.is_some_and(|token| self.access_tokens.contains(token)) {
                    return Reply::status(401);
                }
                if path == "/people" {
                    let body: Value = serde_json::from_slice(&asked.body).unwrap();
                    for identity in body["identities"].as_array().unwrap() {
                        *self.people.entry(identity.as_str().unwrap().to_owned()).or_default() += 1;
                    }
                }
                Reply::status(200)
            }
        }
    }

    fn tokens(&mut self, form: &BTreeMap<String, String>) -> Reply {
        let refused = |error: &str| Reply::status(400).json(&json!({ "error": error, "error_description": TOKEN }));
        if (form["client_id"].as_str(), form["client_secret"].as_str()) != (CLIENT, SECRET) {
            return refused("invalid_client");
        }
        let is_good = match form["grant_type"].as_str() {
            "authorization_code" => self.codes.remove(&form["code"]).is_some_and(|asked| {
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
                asked["redirect_uri"] == form["redirect_uri"] && asked["code_challenge"] == challenge
            }),
            "refresh_token" => self.refresh_token.as_ref() == Some(&form["refresh_token"]),
            other => panic!("{other}"),
        };
        if !is_good {
            self.withdraw();
            return refused("invalid_grant");
        }
        let (access, refresh) = (self.token(), self.token());
        self.access_tokens = [access.clone()].into();
        self.refresh_token = Some(refresh.clone());
        let refresh = if self.is_brief { Value::Null } else { json!(refresh) };
        Reply::status(200).json(&json!({ "access_token": access, "expires_in": 3600, "refresh_token": refresh }))
    }

    fn withdraw(&mut self) {
        self.refresh_token = None;
        self.access_tokens.clear();
    }
}

/// A gateway with the destination type of the tests, whose platform is a server of theirs.
struct World {
    gateway: Gateway,
    server: FakeServer,
    book: Arc<Mutex<Book>>,
    tv_tube: Party,
}

impl World {
    async fn start(kind: Kind, settings: &[(&'static str, &str)]) -> Self {
        let server = FakeServer::start().unwrap();
        let book: Arc<Mutex<Book>> = Arc::default();
        let of_server = book.clone();
        server.otherwise(move |asked| of_server.lock().unwrap().answer(asked));
        let mut settings: Vec<_> = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        settings.push(("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned()));
        let mut gateway = Gateway::start_with(kind, Options { settings }).await;
        let plugin = gateway.data().join("program/libshop.so");
        std::fs::write(&plugin, plugin_for(&server)).unwrap();
        let (allowed, said) = gateway.run(&["plugin", "allow", plugin.to_str().unwrap()], &[]);
        assert!(allowed, "{said}");
        gateway.stop();
        gateway.start_again();
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        Self { gateway, server, book, tv_tube }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Begins a consent; where the browser is sent.
    async fn begin(&self) -> String {
        let begun = self.tv_tube.begin_consent("shop", json!({ "client_id": CLIENT, "client_secret": SECRET })).await;
        assert_eq!(begun["userErrors"], json!([]));
        let url = begun["authorizationUrl"].as_str().unwrap().to_owned();
        assert!(url.starts_with(&self.server.url("/consent?")), "{url}");
        url
    }

    /// Does what a browser does with an address in which somebody consents; the platform's own page is passed over.
    async fn consent(&self, url: &str) -> reqwest::Response {
        let (asked, code) = (fields(url), uuid::Uuid::new_v4().to_string());
        self.book().codes.insert(code.clone(), asked.clone());
        self.come_back(&asked["redirect_uri"], &[("code", &code), ("state", &asked["state"])]).await
    }

    async fn come_back(&self, redirect_uri: &str, query: &[(&str, &str)]) -> reqwest::Response {
        let browser =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = reqwest::Url::parse_with_params(redirect_uri, query).unwrap();
        browser.get(url).send().await.unwrap()
    }

    /// Consents from beginning to end; the consent code.
    async fn consent_code(&self) -> String {
        let url = self.begin().await;
        code_on(&self.consent(&url).await.text().await.unwrap())
    }

    async fn create(&self, party: &Party, name: &str, consent_code: &str) -> Value {
        let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
            destination { id settings } userErrors { code field message } } }";
        let input = json!({
            "accountId": party.account, "name": name, "destinationType": "shop", "consentCode": consent_code,
            "settings": { "client_id": CLIENT, "client_secret": SECRET }, "matchKeys": [{ "kind": "HASHED_EMAIL" }],
        });
        party.client.press(document, input).await
    }

    /// Makes sure that none of these, nor a token or the client's secret, is in the log or in the files of the database.
    fn assert_nothing_told(&self, secrets: &[&str]) {
        let files = std::fs::read_dir(self.gateway.data()).unwrap().map(|entry| entry.unwrap().path());
        let is_meant = |name: &str| name == "log" || name.starts_with("entente.db");
        let meant = files.filter(|path| is_meant(path.file_name().unwrap().to_str().unwrap()));
        for path in meant {
            let bytes = std::fs::read(&path).unwrap();
            for secret in secrets.iter().chain(&[TOKEN, SECRET]) {
                let is_there = bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
                assert!(!is_there, "{secret} is in {}", path.display());
            }
        }
    }
}

impl Party {
    async fn begin_consent(&self, destination_type: &str, settings: Value) -> Value {
        let document = "mutation($input: BeginDestinationConsentInput!) { beginDestinationConsent(input: $input) {
            authorizationUrl expiresAt userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "destinationType": destination_type, "settings": settings });
        self.client.press(document, input).await
    }
}

/// The consent code on the gateway's page.
fn code_on(page: &str) -> String {
    let (_, rest) = page.split_once("<code>").unwrap_or_else(|| panic!("{page}"));
    rest.split_once("</code>").unwrap().0.to_owned()
}

/// The library of the destination type with the server's port in it.
fn plugin_for(server: &FakeServer) -> Vec<u8> {
    let (place, port) = (b"http://127.0.0.1:00000", format!("{:05}", server.address().port()));
    let mut library = std::fs::read(built("libentente_consenting_plugin.so")).unwrap();
    let starts: Vec<usize> = (0..library.len() - place.len()).filter(|at| library[*at..].starts_with(place)).collect();
    assert!(!starts.is_empty());
    for start in starts {
        let end = start + place.len();
        library[end - port.len()..end].copy_from_slice(port.as_bytes());
    }
    library
}

on_both_databases! {
    async fn a_consent_is_given_renewed_withdrawn_and_given_again(kind: Kind) {
        let world = World::start(kind, &[]).await;
        let (gateway, tv_tube) = (&world.gateway, &world.tv_tube);
        let luma = Party::create(gateway, "Luma", "ADVERTISER").await;
        luma.source(people::customers(0..8_000, Form::Hashed, people::luma), Form::Hashed).await;
        tv_tube.source(people::customers(0..8_000, Form::Hashed, people::tv_tube), Form::Hashed).await;

        let code = world.consent_code().await;
        let created = world.create(tv_tube, "Shop", &code).await;
        assert_eq!(codes(&created), [""; 0], "{created}");
        assert_eq!(created["destination"]["settings"], json!({ "client_id": CLIENT }));
        assert_eq!(codes(&world.create(tv_tube, "Once more", &code).await), ["CONSENT_CODE_INVALID"]);
        let destination = created["destination"]["id"].as_str().unwrap();
        let connection = luma.connect(tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let audiences = luma.audiences().await;
        let sent = async |audience: &str| {
            let sent = luma.send(&project, &audiences[audience], &[]).await;
            sent["sentAudience"]["id"].as_str().unwrap().to_owned()
        };

        // Each of these is signed in for with the refresh token that came with the one before, and no other is taken.
        for audience in ["Running", "Yoga"] {
            let delivered = tv_tube.activate(&sent(audience).await, destination).await;
            assert_eq!(delivered["status"], "DELIVERED", "{delivered}");
        }
        let checked = tv_tube.check_destination(destination).await;
        assert_eq!(codes(&checked), [""; 0], "{checked}");
        assert!(world.book().people.len() == 8_000 && world.book().people.values().all(|times| *times == 1));

        world.book().withdraw();
        let input = json!({ "accountId": tv_tube.account, "sentAudienceId": sent("Newsletter").await,
            "destinationId": destination, "on": today() });
        let activation = tv_tube.client.mutate(ACTIVATE, input).await["activation"]["id"].clone();
        let until = async |status: &str| {
            let query = "query($id: ID!) { node(id: $id) { ... on Activation { status failure delivered } } }";
            let reads = |data: &Value| data["node"]["status"] == status;
            tv_tube.client.until(query, json!({ "id": activation }), reads).await["node"].clone()
        };
        let refused = until("CREDENTIALS_REFUSED").await;
        assert!(refused["failure"].as_str().unwrap().contains("consent again"), "{refused}");
        let again = world.consent_code().await;
        let updated = tv_tube.update_destination(destination, json!({ "consentCode": again })).await;
        assert_eq!(codes(&updated), [""; 0], "{updated}");
        assert_eq!(until("DELIVERED").await["delivered"], 1_600);
        let once_more = tv_tube.update_destination(destination, json!({ "consentCode": again })).await;
        assert_eq!(codes(&once_more), ["CONSENT_CODE_INVALID"]);
        world.assert_nothing_told(&[&code, &again]);
    }
}

on_both_databases! {
    async fn a_consent_is_for_who_gave_it_for_one_account_and_one_time(kind: Kind) {
        let world = World::start(kind, &[]).await;
        let tv_tube = &world.tv_tube;
        let asked = "{ destinationTypes { id consent {
            scopes clientIdSetting clientSecretSetting refreshTokenSetting } } }";
        let types = tv_tube.client.query(asked, json!({})).await;
        let consent = json!({ "scopes": ["people.write", "people.read"], "clientIdSetting": "client_id",
            "clientSecretSetting": "client_secret", "refreshTokenSetting": "refresh_token" });
        let shop = json!({ "id": "shop", "consent": consent });
        let types = types["destinationTypes"].as_array().unwrap();
        assert!(types.contains(&shop) && types.contains(&json!({ "id": "webhook", "consent": null })), "{types:?}");
        for (destination_type, settings, code) in [
            ("webhook", json!({}), "INVALID"),
            ("none", json!({}), "NOT_FOUND"),
            ("shop", json!({ "client_id": CLIENT }), "INVALID"),
            ("shop", json!([]), "INVALID"),
        ] {
            assert_eq!(codes(&tv_tube.begin_consent(destination_type, settings).await), [code]);
        }

        let url = world.begin().await;
        let asked = fields(&url);
        assert_eq!((asked["scope"].as_str(), asked["prompt"].as_str()), ("people.write people.read", "consent"));
        assert_eq!(asked["redirect_uri"], format!("{}/oauth/callback", world.gateway.url));
        let stranger = [("code", "<script>"), ("state", "state_<script>")];
        let page = world.come_back(&asked["redirect_uri"], &stranger).await;
        assert_eq!(page.status(), 400);
        assert!(!page.text().await.unwrap().contains("script"));
        let page = world.consent(&url).await;
        assert_eq!((page.status().as_u16(), &page.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
        let code = code_on(&page.text().await.unwrap());
        assert_eq!(world.consent(&url).await.status(), 400, "a state counts once");

        let other = Party::create(&world.gateway, "Luma", "ADVERTISER").await;
        for (party, code) in [(tv_tube, "consent_x"), (&other, code.as_str())] {
            assert_eq!(codes(&world.create(party, "Shop", code).await), ["CONSENT_CODE_INVALID"]);
        }
        let denied = world.begin().await;
        let back = [("error", "access_denied"), ("state", &fields(&denied)["state"])];
        let page = world.come_back(&asked["redirect_uri"], &back).await.text().await.unwrap();
        assert!(page.contains("No consent was given"), "{page}");
        let stolen = world.begin().await;
        let back = [("code", "not-the-platforms"), ("state", &fields(&stolen)["state"])];
        assert_eq!(world.come_back(&asked["redirect_uri"], &back).await.status(), 502);
        world.book().is_brief = true;
        let brief = world.begin().await;
        assert!(world.consent(&brief).await.text().await.unwrap().contains("no refresh token"));
        world.assert_nothing_told(&[&code, &asked["state"]]);
    }
}

#[tokio::test]
async fn browsers_return_to_the_operators_page() {
    let world =
        World::start(Kind::Sqlite, &[("ENTENTE_CONSENT_RETURN_URL", "https://app.example/back?from=shop")]).await;
    let url = world.begin().await;
    let back = world.consent(&url).await;
    assert_eq!((back.status().as_u16(), &back.headers()["referrer-policy"]), (303, &"no-referrer".parse().unwrap()));
    let location = back.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("https://app.example/back?from=shop&consent_code="), "{location}");
    let created = world.create(&world.tv_tube, "Shop", &fields(location)["consent_code"]).await;
    assert_eq!(codes(&created), [""; 0], "{created}");
}
