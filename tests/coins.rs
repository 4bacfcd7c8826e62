//! Coins stay what they are: through a restored backup, in other hands, and through audiences that go and come back. Slots are never given
//! to another name, and the level of protection only rises.

use crate::{
    harness::{Client, Gateway, Kind, on_both_databases},
    people::{self, Form},
    stories::Party,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Luma and TV Tube, who have sourced audiences and a project.
pub struct Pair {
    pub luma: Party,
    pub tv_tube: Party,
    pub project: String,
    pub luma_source: String,
    pub tv_tube_source: String,
}

impl Pair {
    pub async fn create(gateway: &Gateway) -> Self {
        let luma = Party::create(gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(gateway, "TV Tube", "PUBLISHER").await;
        let luma_source = luma.source(people::customers(0..12_000, Form::Hashed, people::luma), Form::Hashed).await;
        let theirs = people::customers(2_000..16_000, Form::Hashed, people::tv_tube);
        let tv_tube_source = tv_tube.source(theirs, Form::Hashed).await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        Self { luma, tv_tube, project, luma_source, tv_tube_source }
    }

    /// The same accounts at another address.
    pub fn at(&self, gateway: &Gateway) -> Self {
        Self {
            luma: self.luma.at(gateway),
            tv_tube: self.tv_tube.at(gateway),
            project: self.project.clone(),
            luma_source: self.luma_source.clone(),
            tv_tube_source: self.tv_tube_source.clone(),
        }
    }

    /// What Luma reads of each of TV Tube's audiences, and of all of them, for each of its own; by names.
    pub async fn answers(&self) -> BTreeMap<(String, String), Value> {
        let everything = ("*".to_owned(), json!({ "all": true }));
        let choices = |ids: BTreeMap<String, String>| -> Vec<(String, Value)> {
            let one = |(name, id)| (name, json!({ "audienceIds": [id] }));
            ids.into_iter().map(one).chain([everything.clone()]).collect()
        };
        let theirs = choices(self.luma.public_audiences_of(&self.tv_tube).await);
        let mut answers = BTreeMap::new();
        for (own, mine) in choices(self.luma.audiences().await) {
            for (their, theirs) in &theirs {
                let answer = self.luma.compare(&self.project, mine.clone(), theirs.clone()).await;
                answers.insert((own.clone(), their.clone()), answer);
            }
        }
        assert!(answers.values().any(|a| a["__typename"] == "Overlap" && a["counts"] == "PROTECTED"), "{answers:?}");
        answers
    }
}

on_both_databases! {
    /// Database, key and identities are all that a backup needs.
    async fn a_restored_backup_answers_as_before(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let pair = Pair::create(&gateway).await;
        let (before, code) = (pair.answers().await, pair.luma.connect_code().await);
        gateway.stop();
        let mut restored = gateway.restored();

        gateway.start_again();
        let gone_on = pair.at(&gateway);
        let fewer = people::customers(2_000..9_000, Form::Hashed, people::tv_tube);
        let job = gone_on.tv_tube.refresh(&pair.tv_tube_source, fewer).await;
        assert_eq!(gone_on.tv_tube.job(&job).await["state"], "DONE");
        assert_ne!(gone_on.answers().await, before);
        gateway.stop();

        restored.start_again();
        let pair = pair.at(&restored);
        assert_eq!(pair.answers().await, before);
        assert_eq!(pair.luma.connect_code().await, code);
        // What is sourced after it lands on the same index keys and coins as well.
        let same = people::customers(0..12_000, Form::Hashed, people::luma);
        let job = pair.luma.refresh(&pair.luma_source, same).await;
        assert_eq!(pair.luma.job(&job).await["state"], "DONE");
        assert_eq!(pair.answers().await, before);
    }
}

async fn delete(party: &Party, data_connection: &str) {
    let document = "mutation($input: DeleteDataConnectionInput!) { deleteDataConnection(input: $input) {
        deletedDataConnectionId userErrors { code message } } }";
    let input = json!({ "accountId": party.account, "dataConnectionId": data_connection });
    party.client.mutate(document, input).await;
}

on_both_databases! {
    /// An audience that comes back under its name has its old coins; the same people under another name have others.
    async fn slots_are_kept_by_their_name_for_ever(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let pair = Pair::create(&gateway).await;
        let before = pair.answers().await;
        let people = |named: fn(u32) -> Vec<&'static str>| people::customers(2_000..16_000, Form::Hashed, named);

        delete(&pair.tv_tube, &pair.tv_tube_source).await;
        let renamed = |person| {
            let names = people::tv_tube(person).into_iter();
            names.map(|name| if name == "Sports fans" { "Sports lovers" } else { name }).collect()
        };
        let other = pair.tv_tube.source(people(renamed), Form::Hashed).await;
        let others = pair.answers().await;
        let of = |answers: &BTreeMap<(String, String), Value>, their: &str| -> Vec<Value> {
            answers.iter().filter(|((_, name), _)| name == their).map(|(_, answer)| answer.clone()).collect()
        };
        assert_eq!(of(&others, "Sports lovers").len(), of(&before, "Sports fans").len());
        assert_ne!(of(&others, "Sports lovers"), of(&before, "Sports fans"), "another name has coins of its own");
        for name in ["Comedy nights", "Documentaries", "*"] {
            assert_eq!(of(&others, name), of(&before, name), "{name}");
        }

        delete(&pair.tv_tube, &other).await;
        pair.tv_tube.source(people(people::tv_tube), Form::Hashed).await;
        assert_eq!(pair.answers().await, before, "who comes back has its old coins");
    }
}

/// Gives an account into other hands: who had it has no part in it any more.
async fn hand_over(gateway: &Gateway, party: &Party) -> Party {
    let query = "query($a: ID!) { account(id: $a) { members { nodes { user { id } } } } }";
    let members = party.client.query(query, json!({ "a": party.account })).await;
    let former = &members["account"]["members"]["nodes"][0]["user"]["id"];
    let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
    let create =
        "mutation($input: CreateUserInput!) { createUser(input: $input) { token userErrors { code message } } }";
    let made = gateway.operator().mutate(create, json!({ "email": email, "name": "Their own team" })).await;
    let set = "mutation($input: SetMemberInput!) { setMember(input: $input) { userErrors { code message } } }";
    let input = json!({ "accountId": party.account, "email": email, "role": "ADMIN" });
    party.client.mutate(set, input).await;
    let next = Party { client: Client::new(&gateway.url, made["token"].as_str().unwrap()), ..party.clone() };
    let remove = "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code message } } }";
    next.client.mutate(remove, json!({ "accountId": party.account, "userId": former })).await;
    next
}

on_both_databases! {
    /// The secret is the account's, whoever runs it: were it left behind, the same people would be seen through other coins.
    async fn an_account_that_is_handed_over_takes_its_secret_along(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let pair = Pair::create(&gateway).await;
        let before = pair.answers().await;
        let theirs = hand_over(&gateway, &pair.tv_tube).await;

        let foreign = json!({ "accountId": pair.tv_tube.account, "privacyLevel": "STANDARD" });
        assert_eq!(pair.tv_tube.client.refused(RAISE, foreign).await, "NOT_FOUND", "who handed it over has no part in it");
        assert_eq!(pair.answers().await, before);
        delete(&theirs, &pair.tv_tube_source).await;
        theirs.source(people::customers(2_000..16_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
        assert_eq!(pair.answers().await, before, "what is sourced after it has the same coins");
    }
}

const RAISE: &str = "mutation($input: RaisePrivacyLevelInput!) { raisePrivacyLevel(input: $input) {
    account { privacyLevel } userErrors { code field message } } }";

on_both_databases! {
    /// The level rises at once and never falls: under two levels by turns one would be seen through two sets of coins.
    async fn the_privacy_level_only_rises(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let pair = Pair::create(&gateway).await;
        let tv_tube = &pair.tv_tube;
        let to = |level: &str| json!({ "accountId": tv_tube.account, "privacyLevel": level });
        let error_of = |answers: &BTreeMap<(String, String), Value>| {
            answers[&("*".to_owned(), "Sports fans".to_owned())]["standardError"].as_f64().unwrap()
        };
        let standard = pair.answers().await;
        tv_tube.client.mutate(RAISE, to("STANDARD")).await;
        assert_eq!(pair.answers().await, standard);

        let raised = tv_tube.client.mutate(RAISE, to("STRONG")).await;
        assert_eq!(raised["account"]["privacyLevel"], "STRONG");
        let strong = pair.answers().await;
        assert!(error_of(&strong) > 1.5 * error_of(&standard), "{} {}", error_of(&strong), error_of(&standard));
        assert_eq!(tv_tube.client.refused(RAISE, to("STANDARD")).await, "PRIVACY_LEVEL_LOWERED");
        assert_eq!(pair.answers().await, strong);
        let foreign = json!({ "accountId": tv_tube.account, "privacyLevel": "STRONG" });
        assert_eq!(pair.luma.client.refused(RAISE, foreign).await, "NOT_FOUND");

        let query = "query($a: ID!) { account(id: $a) {
            auditLog(filter: { action: \"raisePrivacyLevel\" }) { nodes { outcome code } } } }";
        let data = tv_tube.client.query(query, json!({ "a": tv_tube.account })).await;
        let expected = json!([
            { "outcome": "DENIED", "code": "PRIVACY_LEVEL_LOWERED" },
            { "outcome": "ALLOWED", "code": null },
            { "outcome": "ALLOWED", "code": null },
        ]);
        assert_eq!(data["account"]["auditLog"]["nodes"], expected);
    }
}
