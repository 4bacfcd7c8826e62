//! The same delivery without a process: the second implementation behind the registry.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use arrow_array::RecordBatch;
use entente_destination::renewal::renewed;
use entente_destination::rows::Rows;
use entente_destination::testkit::plugin;
use entente_destination::{
    Consent, Delivery, Destination, DestinationError, Operator, Progress, RefreshToken, Secret, Written,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fixture::{Place, policy, workers};
use super::ledger::Ledger;
use crate::destinations::allow_list::AllowList;
use crate::destinations::delivery::{Order, Renewal, Stop};
use crate::destinations::in_process::InProcess;
use crate::destinations::registry::Registry;

static SHELF: LazyLock<Mutex<BTreeMap<String, usize>>> = LazyLock::new(Mutex::default);

struct Shelf;

impl Destination for Shelf {
    const ID: &'static str = "shelf";
    const NAME: &'static str = "Shelf";
    const SUMMARY: &'static str = "Counts rows in memory.";
    const VERSION: &'static str = "1";
    const FOLDER: bool = true;
    type Settings = Map<String, Value>;

    async fn check(settings: Self::Settings, _: Operator) -> Result<(), DestinationError> {
        match settings.get("mode").and_then(Value::as_str) {
            Some("config") => Err(DestinationError::Config("not so".to_owned())),
            _ => Ok(()),
        }
    }

    async fn open(_: Self::Settings, _: Operator, _: Delivery) -> Result<Self, DestinationError> {
        Ok(Self)
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let count = Rows::read(&rows)?.iter().count();
        SHELF.lock().unwrap().insert(key.to_owned(), count);
        Ok(Written { accepted: count as u64, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_registry_delivers_in_process() {
    let registry = Registry::new(Vec::new(), AllowList::new("/does/not/exist"), workers());
    let launcher = Arc::new(InProcess(plugin::<Shelf>().unwrap()));
    assert_eq!(registry.add_in_process(launcher).await.unwrap(), "shelf");
    registry.refresh().await.unwrap();
    assert_eq!(registry.types().len(), 1, "looking for plugins does not lose it");

    let (place, mut ledger) = (Place::new(3, 7), Ledger::default());
    let operator = Operator::default();
    assert!(registry.check("shelf", &mut Place::settings(""), &operator).await.is_ok());
    assert!(registry.check("shelf", &mut Place::settings("config"), &operator).await.is_err());
    assert!(registry.check("other", &mut Place::settings(""), &operator).await.is_err());
    let delivered = registry.deliver("shelf", &place.order(""), &mut ledger, policy(), &Stop::default()).await.unwrap();
    assert_eq!((delivered.batches, delivered.accepted), (3, 21));
    assert_eq!(SHELF.lock().unwrap().values().sum::<usize>(), 21);
    ledger.assert_complete(3);
}

/// Renews its refresh token in every call, whether its type declares one or not.
struct Renewing<const DECLARED: bool>(String);

#[derive(Deserialize, JsonSchema)]
struct RenewingSettings {
    /// In which call it fails.
    #[serde(default)]
    mode: String,
    /// The client's id.
    #[expect(dead_code, reason = "only its schema matters")]
    client_id: Option<String>,
    /// The client's secret.
    #[expect(dead_code, reason = "only its schema matters")]
    client_secret: Option<Secret<String>>,
    /// The refresh token.
    refresh_token: Secret<String>,
}

fn renew(call: &str) {
    assert!(renewed(&RefreshToken::new(call).unwrap()));
}

impl<const DECLARED: bool> Destination for Renewing<DECLARED> {
    const ID: &'static str = "renewing";
    const NAME: &'static str = "Renewing";
    const SUMMARY: &'static str = "Renews.";
    const VERSION: &'static str = "1";
    type Settings = RenewingSettings;

    fn consent() -> Option<Consent> {
        let text = str::to_owned;
        DECLARED.then(|| Consent {
            authorization_url: text("https://tvtube.example/consent"),
            token_url: text("https://tvtube.example/token"),
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            refresh_token: text("refresh_token"),
            ..Consent::default()
        })
    }

    async fn check(settings: RenewingSettings, _: Operator) -> Result<(), DestinationError> {
        renew("check");
        if settings.mode == "check" { Err(DestinationError::Config("not so".to_owned())) } else { Ok(()) }
    }

    async fn open(settings: RenewingSettings, _: Operator, _: Delivery) -> Result<Self, DestinationError> {
        if settings.mode == "open" && settings.refresh_token.reveal() != "open" {
            renew("open");
            return Err(DestinationError::Transient("not now".to_owned()));
        }
        renew("opened");
        Ok(Self(settings.mode))
    }

    async fn write(&mut self, sequence: u64, _: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        if std::mem::take(&mut self.0) == "write" {
            renew("write");
            return Err(DestinationError::Transient("not now".to_owned()));
        }
        renew(&format!("written {sequence}"));
        Ok(Written { accepted: rows.num_rows() as u64, ..Written::default() })
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        renew("polled");
        Ok(Progress::default())
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        renew("finished");
        Ok(())
    }
}

async fn registry_of<D: Destination>() -> Registry {
    let registry = Registry::new(Vec::new(), AllowList::new("/does/not/exist"), workers());
    registry.add_in_process(Arc::new(InProcess(plugin::<D>().unwrap()))).await.unwrap();
    registry
}

fn with_token(mode: &str) -> Value {
    json!({ "mode": mode, "refresh_token": "first" })
}

#[tokio::test]
async fn a_refresh_token_is_kept_whichever_call_it_came_in() {
    let registry = registry_of::<Renewing<true>>().await;
    for mode in ["", "open", "write"] {
        let (place, mut ledger) = (Place::new(2, 7), Ledger::default());
        let order = Order { settings: with_token(mode), ..place.order("") };
        registry.deliver("renewing", &order, &mut ledger, policy(), &Stop::default()).await.unwrap();
        let alone: Vec<&str> = ledger.renewed.iter().map(|renewal| renewal.token.reveal()).collect();
        let expected: &[&str] = match mode {
            "open" => &["open", "opened", "polled", "finished"],
            "write" => &["opened", "write", "polled", "finished"],
            _ => &["opened", "polled", "finished"],
        };
        assert_eq!(alone, expected, "{mode}");
        let with_batches: Vec<_> = ledger.acknowledged.iter().map(|batch| batch.renewal.clone().unwrap()).collect();
        let tokens: Vec<&str> = with_batches.iter().map(|renewal| renewal.token.reveal()).collect();
        assert_eq!(tokens, ["written 1", "written 2"], "{mode}");
        let mut settings = with_token(mode);
        let before_batches = ledger.renewed.len() - 2;
        let (first, last) = ledger.renewed.split_at(before_batches);
        for renewal in first.iter().chain(&with_batches).chain(last) {
            assert!(renewal.apply(&mut settings), "{renewal:?} takes the place of another");
        }
        assert_eq!(settings["refresh_token"], "finished");
    }
}

#[tokio::test]
async fn a_check_renews_the_settings_however_it_goes() {
    let registry = registry_of::<Renewing<true>>().await;
    for (mode, is_taken) in [("", true), ("check", false)] {
        let mut settings = with_token(mode);
        let operator = Place::new(1, 1).operator();
        assert_eq!(registry.check("renewing", &mut settings, &operator).await.is_ok(), is_taken);
        assert_eq!(settings["refresh_token"], "check");
    }
}

#[tokio::test]
async fn a_type_that_declares_no_refresh_token_renews_none() {
    let registry = registry_of::<Renewing<false>>().await;
    let (place, mut ledger, mut settings) = (Place::new(1, 1), Ledger::default(), with_token(""));
    let fault = |told: String| assert!(told.contains("broke its contract"), "{told}");
    fault(registry.check("renewing", &mut settings, &place.operator()).await.unwrap_err().to_string());
    let order = Order { settings: settings.clone(), ..place.order("") };
    let failed = registry.deliver("renewing", &order, &mut ledger, policy(), &Stop::default()).await;
    fault(failed.unwrap_err().to_string());
    assert!(settings == with_token("") && ledger.renewed.is_empty() && ledger.acknowledged.is_empty());
}

#[test]
fn a_renewal_is_for_the_settings_that_it_came_of() {
    let [first, second] = ["first", "second"].map(RefreshToken::new);
    let renewal = Renewal::between("refresh_token", &with_token(""), &json!({ "refresh_token": "second" })).unwrap();
    assert_eq!((&renewal.before, Some(&renewal.token)), (&first, second.as_ref()));
    for (settings, is_meant) in [
        (with_token("x"), true),
        (json!({ "refresh_token": "consented again" }), false),
        (json!({ "mode": "first" }), false),
        (json!({ "refresh_token": 7 }), false),
    ] {
        let mut renewed = settings.clone();
        assert_eq!(renewal.apply(&mut renewed), is_meant);
        let expected = if is_meant { json!({ "mode": "x", "refresh_token": "second" }) } else { settings };
        assert_eq!(renewed, expected);
    }
    for same in [with_token("other"), json!({}), json!({ "refresh_token": "" })] {
        assert_eq!(Renewal::between("refresh_token", &with_token(""), &same), None);
    }
}
