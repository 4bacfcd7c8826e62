//! What a receiver does about a delivery: pause it, resume it, cancel it.

use crate::{
    harness::{Gateway, Kind, Options, Socket, on_both_databases},
    people::{self, Form},
    stories::{ACTIVATE, Party, today},
    webhooks::{posted, settings},
};
use entente_destination::testkit::{FakeServer, Reply};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const ACTIVATION: &str = "query($id: ID!) { node(id: $id) { ... on Activation {
    status failure delivered pausedAt deliveries { nodes { status added } } } } }";

fn pressing(mutation: &str, fields: &str) -> String {
    format!(
        "mutation($input: ActivationInput!) {{ {mutation}(input: $input) {{ activation {{ id status }} {fields}
            userErrors {{ code field message }} }} }}"
    )
}

/// Luma sent an audience to TV Tube, whose destination is a webhook.
struct World {
    gateway: Gateway,
    receiver: FakeServer,
    luma: Party,
    tv_tube: Party,
    sent: String,
    destination: String,
}

impl World {
    async fn start(kind: Kind) -> Self {
        Self::of_people(kind, 8_000).await
    }

    /// Both sides know the first so many people.
    async fn of_people(kind: Kind, count: u32) -> Self {
        let receiver = FakeServer::start().unwrap();
        let networks = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings: networks }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source(people::customers(0..count, Form::Hashed, people::luma), Form::Hashed).await;
        tv_tube.source(people::customers(0..count, Form::Hashed, people::tv_tube), Form::Hashed).await;
        let made = tv_tube.try_destination("webhook", settings(&receiver.url("/hook"))).await;
        let destination = made["destination"]["id"].as_str().unwrap().to_owned();
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;
        let sent = sent["sentAudience"]["id"].as_str().unwrap().to_owned();
        Self { gateway, receiver, luma, tv_tube, sent, destination }
    }

    async fn activate(&self) -> String {
        let input = json!({
            "accountId": self.tv_tube.account, "sentAudienceId": self.sent, "destinationId": self.destination,
            "on": today(),
        });
        let payload = self.tv_tube.client.mutate(ACTIVATE, input).await;
        payload["activation"]["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the receiver was sent one more request.
    async fn asked_after(&self, before: usize) {
        let started = Instant::now();
        while self.receiver.requests().len() <= before {
            assert!(started.elapsed() < Duration::from_secs(30), "nothing was delivered");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn press(&self, mutation: &str, activation: &str) -> Value {
        let fields = if mutation == "resumeActivation" { "job { id kind }" } else { "" };
        let input = json!({ "accountId": self.tv_tube.account, "activationId": activation });
        self.tv_tube.client.press(&pressing(mutation, fields), input).await
    }

    async fn until(&self, activation: &str, suits: impl Fn(&Value) -> bool) -> Value {
        let data =
            self.tv_tube.client.until(ACTIVATION, json!({ "id": activation }), |data| suits(&data["node"])).await;
        data["node"].clone()
    }

    /// Makes sure that everybody whom both sides hold was posted, each once.
    fn assert_all_posted(&self) {
        let both_hold =
            |person: &u32| people::luma(*person).contains(&"Running") && !people::tv_tube(*person).is_empty();
        let expected = (0..8_000).filter(both_hold).map(|person| (people::digest(&people::email(person)), 1));
        assert_eq!(posted(&self.receiver), expected.collect::<BTreeMap<_, _>>());
    }
}

/// The kind of the next event about an activation.
async fn next_of_activations(socket: &mut Socket) -> String {
    loop {
        let event = socket.next().await.unwrap()["data"]["accountEvents"].take();
        let kind = event["kind"].as_str().unwrap();
        if kind.starts_with("ACTIVATION_") {
            return kind.to_owned();
        }
    }
}

on_both_databases! {
    async fn a_paused_delivery_keeps_what_was_taken_and_goes_on_when_it_is_resumed(kind: Kind) {
        let world = World::start(kind).await;
        world.receiver.script([Reply::status(200).delay(Duration::from_secs(3))]);
        let asked = world.receiver.requests().len();
        let activation = world.activate().await;
        world.asked_after(asked).await;

        let paused = world.press("pauseActivation", &activation).await;
        assert_eq!((&paused["userErrors"], &paused["activation"]["status"]), (&json!([]), &json!("PAUSED_BY_RECEIVER")));
        assert_eq!(world.press("pauseActivation", &activation).await["userErrors"][0]["code"], "WRONG_STATE");
        let taken = world.until(&activation, |a| a["deliveries"]["nodes"][0]["added"].as_u64() > Some(0)).await;
        assert_eq!(taken["deliveries"]["nodes"][0]["status"], "RUNNING", "the batch under way counts: {taken}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let still = world.until(&activation, |_| true).await;
        assert_eq!((&still["status"], &still["deliveries"]["nodes"][0]["status"]), (&json!("PAUSED_BY_RECEIVER"), &json!("RUNNING")));
        assert!(still["pausedAt"].is_string());

        let resumed = world.press("resumeActivation", &activation).await;
        assert_eq!((&resumed["userErrors"], &resumed["job"]["kind"]), (&json!([]), &json!("deliver")));
        let delivered = world.until(&activation, |a| a["status"] == "DELIVERED").await;
        assert_eq!(delivered["deliveries"]["nodes"].as_array().unwrap().len(), 1, "the same delivery: {delivered}");
        world.assert_all_posted();
        for mutation in ["pauseActivation", "resumeActivation", "cancelActivation"] {
            assert_eq!(world.press(mutation, &activation).await["userErrors"][0]["code"], "WRONG_STATE", "{mutation}");
        }
    }
}

on_both_databases! {
    async fn a_paused_delivery_survives_a_restart(kind: Kind) {
        let mut world = World::start(kind).await;
        world.receiver.otherwise(|_| Reply::status(503));
        let asked = world.receiver.requests().len();
        let activation = world.activate().await;
        world.asked_after(asked).await;
        world.press("pauseActivation", &activation).await;
        world.gateway.kill();
        world.gateway.start_again();
        world.tv_tube = world.tv_tube.at(&world.gateway);
        world.receiver.otherwise(|_| Reply::status(200));
        let asked = world.receiver.requests().len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(world.receiver.requests().len(), asked, "nothing is delivered while it is paused");
        assert_eq!(world.until(&activation, |_| true).await["status"], "PAUSED_BY_RECEIVER");
        world.press("resumeActivation", &activation).await;
        world.until(&activation, |a| a["status"] == "DELIVERED").await;
    }
}

on_both_databases! {
    async fn a_cancelled_activation_is_over_and_the_audience_can_be_activated_again(kind: Kind) {
        let world = World::start(kind).await;
        world.receiver.otherwise(|_| Reply::status(503));
        for paused_before in [false, true] {
            let asked = world.receiver.requests().len();
            let activation = world.activate().await;
            world.asked_after(asked).await;
            if paused_before {
                world.press("pauseActivation", &activation).await;
            }
            let of_another = json!({ "accountId": world.luma.account, "activationId": activation });
            let refused = world.luma.client.refused(&pressing("cancelActivation", ""), of_another).await;
            assert_eq!(refused, "NOT_FOUND", "only its receiver knows it");
            let cancelled = world.press("cancelActivation", &activation).await;
            assert_eq!((&cancelled["userErrors"], &cancelled["activation"]["status"]), (&json!([]), &json!("CANCELLED")));
            let over = world.until(&activation, |a| a["deliveries"]["nodes"][0]["status"] == "CANCELLED").await;
            assert_eq!((&over["status"], &over["failure"]), (&json!("CANCELLED"), &json!(null)));
            let asked = world.receiver.requests().len();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert_eq!(world.receiver.requests().len(), asked, "nothing more is delivered");
            assert_eq!(world.press("resumeActivation", &activation).await["userErrors"][0]["code"], "WRONG_STATE");
        }
        let events = "subscription($a: ID!) { accountEvents(accountId: $a, after: \"ZTA\") { kind } }";
        let variables = json!({ "a": world.tv_tube.account });
        let mut socket = Socket::subscribe(&world.gateway.url, &world.tv_tube.client.token, events, variables).await;
        for kind in [
            "ACTIVATION_SCHEDULED", "ACTIVATION_CANCELLED", "ACTIVATION_SCHEDULED", "ACTIVATION_PAUSED",
            "ACTIVATION_CANCELLED",
        ] {
            assert_eq!(next_of_activations(&mut socket).await, kind);
        }
        let audit = "query($a: ID!) { account(id: $a) { auditLog(first: 20) { nodes { action outcome } } } }";
        let audit = world.tv_tube.client.query(audit, json!({ "a": world.tv_tube.account })).await;
        let audit = audit["account"]["auditLog"]["nodes"].as_array().unwrap();
        assert!(audit.contains(&json!({ "action": "cancelActivation", "outcome": "ALLOWED" })), "{audit:?}");
        assert!(audit.contains(&json!({ "action": "resumeActivation", "outcome": "DENIED" })), "{audit:?}");

        world.receiver.otherwise(|_| Reply::status(200));
        let again = world.activate().await;
        world.until(&again, |a| a["status"] == "DELIVERED").await;
    }
}

on_both_databases! {
    async fn progress_is_told_to_whoever_follows_the_job(kind: Kind) {
        let world = World::of_people(kind, 134_000).await;
        world.receiver.otherwise(|_| Reply::status(200).delay(Duration::from_millis(20)));
        let document = "mutation($input: ActivateAudienceInput!) { activateAudience(input: $input) {
            job { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": world.tv_tube.account, "sentAudienceId": world.sent, "destinationId": world.destination,
            "on": today(),
        });
        let job = world.tv_tube.client.mutate(document, input).await["job"]["id"].clone();
        let follow = "subscription($a: ID!, $j: ID!) { jobProgress(accountId: $a, jobId: $j) {
            state progress { rows totalRows } } }";
        let variables = json!({ "a": world.tv_tube.account, "j": job });
        let mut socket = Socket::subscribe(&world.gateway.url, &world.tv_tube.client.token, follow, variables).await;
        let mut told = Vec::new();
        while let Some(mut payload) = socket.next().await {
            told.push(payload["data"]["jobProgress"].take());
        }
        let rows: Vec<_> = told.iter().filter_map(|job| job["progress"]["rows"].as_u64()).collect();
        assert!(rows.is_sorted(), "{told:?}");
        let batch = json!({ "rows": 65_536, "totalRows": rows.last() });
        assert!(told.contains(&json!({ "state": "RUNNING", "progress": batch })), "after its first batch: {told:?}");
        let all = json!({ "rows": rows.last(), "totalRows": rows.last() });
        assert_eq!(told.last(), Some(&json!({ "state": "DONE", "progress": all })));
        assert_eq!(rows.last().copied(), Some(posted(&world.receiver).len() as u64));
    }
}

on_both_databases! {
    async fn rejected_rows_are_downloaded_by_the_receiver_alone(kind: Kind) {
        let world = World::start(kind).await;
        world.receiver.otherwise(|request| {
            let message: Value = serde_json::from_slice(&request.body).unwrap();
            let rows = message["rows"].as_array().map_or(0, Vec::len);
            let rejected: Vec<_> = (0..rows * 3 / 4)
                .map(|row| json!({ "row": row, "code": "NOT_KNOWN", "reason": "=not \"known\", here" }))
                .collect();
            Reply::status(200).json(&json!({ "rejected": rejected }))
        });
        let activation = world.activate().await;
        world.until(&activation, |a| a["status"] == "DELIVERED").await;
        let query = "query($id: ID!) { node(id: $id) { ... on Activation {
            deliveries { nodes { id rejected rejectedRowsUrl } } } } }";
        let data = world.tv_tube.client.query(query, json!({ "id": activation })).await;
        let delivery = &data["node"]["deliveries"]["nodes"][0];
        let rejected = delivery["rejected"].as_u64().unwrap() as usize;
        assert!(rejected > 2_000, "more than are read at once: {delivery}");
        let url = delivery["rejectedRowsUrl"].as_str().unwrap();

        let get = async |url: &str, token: &str| {
            let request = world.tv_tube.client.http().get(url);
            let request = if token.is_empty() { request } else { request.bearer_auth(token) };
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        };
        let (status, csv) = get(url, &world.tv_tube.client.token).await;
        assert_eq!(status, 200, "{csv}");
        let lines: Vec<_> = csv.split_terminator("\r\n").collect();
        assert_eq!((lines.len(), lines[0]), (rejected + 1, "row,code,reason"));
        let mut rows = Vec::new();
        for line in &lines[1..] {
            let (row, rest) = line.split_once(',').unwrap();
            assert_eq!(rest, r#""NOT_KNOWN","'=not ""known"", here""#);
            rows.push(row.parse::<u64>().unwrap());
        }
        assert!(rows.is_sorted_by(|a, b| a < b), "each row once");

        assert_eq!(get(url, "").await.0, 401);
        assert_eq!(get(url, "eu_none").await.0, 401);
        let unknown = url.replace(url.split('/').nth(4).unwrap(), "01890f3c-0000-7000-8000-000000000000");
        let answers = [(url, &world.luma), (&unknown, &world.tv_tube), (&unknown, &world.luma)];
        for (url, party) in answers {
            let (status, body) = get(url, &party.client.token).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, &body["code"]), (404, &json!("NOT_FOUND")), "{url}");
        }
    }
}
