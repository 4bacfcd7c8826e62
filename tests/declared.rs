//! Set-ups in files: what `entente apply` makes of them, and what `entente export` writes.

use crate::{
    harness::{Client, Gateway, Kind, Options, on_both_databases},
    schedules::day,
    stories::Party,
};
use entente_destination::testkit::FakeServer;
use entente_test_servers::s3::{S3, SECRET};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

const NOTHING: i32 = 0;
const FAILED: i32 = 1;
const SOMETHING: i32 = 2;

const CUSTOMERS: &str =
    "email,phone,audience\nana@example.com,+12025550101,Running\nben@example.com,+12025550102,Yoga\n";

/// A team with its files, its token and what is in its environment.
struct Team<'a> {
    gateway: &'a Gateway,
    client: Client,
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl<'a> Team<'a> {
    async fn new(gateway: &'a Gateway, name: &str) -> Self {
        Self::of(gateway, gateway.user(name).await)
    }

    fn of(gateway: &'a Gateway, client: Client) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("customers.csv"), CUSTOMERS).unwrap();
        Self { gateway, client, folder, environment: Vec::new() }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.gateway.command();
        command.args(arguments).args(["--url", &self.gateway.url]).env("ENTENTE_TOKEN", &self.client.token);
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command; what it ended with, and all that it said.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    /// Runs a command that has to end so; what it said.
    fn ends(&self, with: i32, arguments: &[&str]) -> String {
        let (code, said) = self.run(arguments);
        assert_eq!(code, with, "{arguments:?}\n{said}");
        said
    }

    fn plan(&self, with: i32, file: &str) -> String {
        self.ends(with, &["apply", file, "--plan"])
    }

    fn apply(&self, with: i32, file: &str) -> String {
        self.ends(with, &["apply", file, "--yes"])
    }

    /// What is there, written as a set-up by the program.
    fn export(&self, file: &str) {
        let _ = std::fs::remove_file(self.folder.path().join(file));
        self.ends(NOTHING, &["export", "--out", file]);
    }

    /// What is there as an export says it, which does nothing when it is applied.
    fn exported(&self) -> Value {
        for file in ["exported.toml", "exported.json"] {
            self.export(file);
            self.plan(NOTHING, file);
            assert!(!self.apply(NOTHING, file).contains("done:"));
        }
        self.read("exported.json")
    }

    fn read(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join(file)).unwrap()).unwrap()
    }

    /// A field of the account of a name.
    async fn account(&self, name: &str, field: &str) -> Value {
        let query = format!("{{ viewer {{ accounts(first: 100) {{ nodes {{ name {field} }} }} }} }}");
        let data = self.client.query(&query, json!({})).await;
        let accounts = data["viewer"]["accounts"]["nodes"].as_array().unwrap();
        let mut found = accounts.iter().filter(|account| account["name"] == name);
        let account = found.next().unwrap_or_else(|| panic!("{name} is not there"));
        assert!(found.next().is_none(), "{name} is there twice");
        account.clone()
    }
}

/// The files of docs/setup-in-git.md by their names.
fn documented(name: &str) -> String {
    let page = include_str!("../docs/setup-in-git.md");
    let mut blocks = page.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.find(|block| block.starts_with(&format!("# {name}\n"))).expect("the page has it").to_owned()
}

/// Both files in one, for a user of both accounts.
fn both() -> String {
    let luma = documented("luma.toml").replace("connect_code = \"${TV_TUBE_CONNECT_CODE}\"", "account = \"TV Tube\"");
    let tv_tube = documented("tv-tube.toml").replace("collaborator_id = \"LUMA\"", "account = \"Luma\"");
    luma + &tv_tube
}

#[test]
fn the_published_schema_is_what_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_entente-under-test")).args(["apply", "--schema"]).output().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/entente-apply.schema.json");
    let stored = std::fs::read(path).unwrap_or_default();
    assert!(
        printed.stdout == stored,
        "it is out of date: run `entente apply --schema > docs/entente-apply.schema.json`"
    );
}

on_both_databases! {
    /// The page's example, each company with its own file.
    async fn two_teams_connect_by_their_files(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let (mut luma, tv_tube) = (Team::new(&gateway, "Luma").await, Team::new(&gateway, "TV Tube").await);
        luma.write("luma.toml", &documented("luma.toml"));
        tv_tube.write("tv-tube.toml", &documented("tv-tube.toml"));

        let said = tv_tube.apply(NOTHING, "tv-tube.toml");
        assert!(said.contains("waits for the collaborator \"LUMA\" to invite"), "{said}");
        let mut stranger = luma.command(&["apply", "luma.toml", "--plan"]);
        let said = stranger.env("ENTENTE_TOKEN", "of-nobody").output().unwrap().stderr;
        assert!(String::from_utf8(said).unwrap().contains("it does not know this token"));
        let said = luma.apply(FAILED, "luma.toml");
        let missing = "accounts[0].connections[0]: the environment variable TV_TUBE_CONNECT_CODE is not set";
        assert!(said.contains(&format!("luma.toml:24:1 {missing}")), "{said}");
        let accounts = luma.client.query("{ viewer { accounts { totalCount } } }", json!({})).await;
        assert_eq!(accounts["viewer"]["accounts"]["totalCount"], 0, "nothing was done");

        let code = tv_tube.account("TV Tube", "connectCode").await["connectCode"].as_str().unwrap().to_owned();
        luma.environment.push(("TV_TUBE_CONNECT_CODE", code.clone()));
        let plan = luma.plan(SOMETHING, "luma.toml");
        for told in ["access PUBLIC, categories: Sports", "\"NORMALISE_AND_HASH\"", "description: \"Sports apparel\""] {
            assert!(plan.contains(told), "{told}\n{plan}");
        }
        let said = luma.apply(NOTHING, "luma.toml");
        assert!(said.contains("\"TV Tube\" to accept the invite") && !said.contains(&code), "{said}");
        luma.plan(NOTHING, "luma.toml");

        let id = luma.account("Luma", "collaboratorId").await["collaboratorId"].as_str().unwrap().to_owned();
        let theirs = documented("tv-tube.toml").replace("\"LUMA\"", &format!("{id:?}"));
        tv_tube.write("tv-tube.toml", &theirs);
        tv_tube.plan(SOMETHING, "tv-tube.toml");
        assert!(!tv_tube.exported()["accounts"][0].to_string().contains("RECIPIENT"), "applying it would accept");
        assert!(tv_tube.apply(NOTHING, "tv-tube.toml").contains("waits for \"Luma\" to propose settings"));
        assert!(luma.apply(NOTHING, "luma.toml").contains("\"TV Tube\" to accept the settings"));

        tv_tube.write("other.toml", &theirs.replace("EACH_OWN", "OWNER"));
        assert!(tv_tube.apply(SOMETHING, "other.toml").contains("nothing is accepted"));
        tv_tube.apply(NOTHING, "tv-tube.toml");
        for (team, file) in [(&luma, "luma.toml"), (&tv_tube, "tv-tube.toml")] {
            assert!(team.plan(NOTHING, file).contains("Everything is as the file says."));
            let settings = &team.exported()["accounts"][0]["connections"][0]["settings"];
            assert_eq!(settings["advertiser_names"], json!([{ "name": "Luma", "advertiser_id": "adv-17" }]));
        }
        let state = luma.account("Luma", "connections { nodes { state } } audiences { nodes { name } }").await;
        assert_eq!(state["connections"]["nodes"], json!([{ "state": "ACTIVE" }]));

        let one_key = "match_keys = [{ kind = \"HASHED_EMAIL\" }]\nactivators";
        let two_keys = "match_keys = [{ kind = \"HASHED_EMAIL\" }, { kind = \"HASHED_PHONE\" }]\nactivators";
        luma.write("luma.toml", &documented("luma.toml").replace(one_key, two_keys));
        let plan = luma.plan(SOMETHING, "luma.toml");
        for told in [
            "settings to: DISCOVER, ACTIVATE, MEASURE by HASHED_EMAIL, HASHED_PHONE;",
            "in force until then: DISCOVER, ACTIVATE, MEASURE by HASHED_EMAIL;",
        ] {
            assert!(plan.contains(told), "{told}\n{plan}");
        }
        assert!(luma.apply(NOTHING, "luma.toml").contains("\"TV Tube\" to accept the change of the settings"));
        assert!(tv_tube.apply(NOTHING, "tv-tube.toml").contains("Everything is"), "its file does not say so");
        tv_tube.write("tv-tube.toml", &theirs.replace(one_key, two_keys));
        tv_tube.apply(NOTHING, "tv-tube.toml");
        luma.plan(NOTHING, "luma.toml");
        luma.write("less.toml", &documented("luma.toml"));
        assert!(luma.plan(SOMETHING, "less.toml").contains("HASHED_PHONE would go"));
    }
}

on_both_databases! {
    async fn what_was_stopped_half_way_ends_alike(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let mut ends = Vec::new();
        for steps in [usize::MAX, 1, 3, 6] {
            let team = Team::new(&gateway, "Ana").await;
            team.write("both.toml", &both());
            let mut applying = team.command(&["apply", "both.toml", "--yes"]).spawn().unwrap();
            let lines = BufReader::new(applying.stdout.take().unwrap()).lines();
            let done = lines.map_while(Result::ok).filter(|line| line.starts_with("done:")).take(steps).count();
            assert_eq!(done, steps.min(8), "{steps}");
            if steps != usize::MAX {
                applying.kill().unwrap();
            }
            applying.wait().unwrap();
            team.apply(NOTHING, "both.toml");
            team.plan(NOTHING, "both.toml");
            for (account, data, destinations) in [("Luma", 1, 0), ("TV Tube", 0, 1)] {
                let counts = "dataConnections { totalCount } destinations { totalCount } connections { totalCount }";
                let there = team.account(account, counts).await;
                let count = |list: &str| there[list]["totalCount"].as_i64().unwrap();
                let counted = [count("dataConnections"), count("destinations"), count("connections")];
                assert_eq!(counted, [data, destinations, 1], "{account} after {steps}");
            }
            if steps == 1 {
                let delete = "mutation($input: DeleteDestinationInput!) { deleteDestination(input: $input) {
                    userErrors { code } } }";
                let there = team.account("TV Tube", "id destinations { nodes { id } }").await;
                let destination = &there["destinations"]["nodes"][0]["id"];
                team.client.mutate(delete, json!({ "accountId": there["id"], "destinationId": destination })).await;
                team.apply(NOTHING, "both.toml");
            }
            team.export("exported.json");
            let mut exported = team.read("exported.json");
            for account in exported["accounts"].as_array_mut().unwrap() {
                assert_eq!(account.as_object_mut().unwrap().remove("members").unwrap()[0]["role"], "ADMIN");
            }
            ends.push(exported);
        }
        assert!(ends.windows(2).all(|two| two[0] == two[1]), "{ends:#?}");
    }
}

const LUMA: &str = r#"
[[accounts]]
name = "Luma"
role = "ADVERTISER"
region = "US"
contact_email = "team@example.com"
match_keys = [{ kind = "HASHED_EMAIL" }, { kind = "HASHED_PHONE" }]

[[accounts.destinations]]
name = "Hook"
type = "webhook"
match_keys = [{ kind = "HASHED_EMAIL" }]
[accounts.destinations.settings]
url = "URL"
secret = "${HOOK_SECRET}"
allow_plain_http = true
"#;

on_both_databases! {
    async fn differences_are_told_and_applied(kind: Kind) {
        let receiver = FakeServer::start().unwrap();
        let networks = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings: networks }).await;
        let party = Party::create(&gateway, "Luma", "ADVERTISER").await;
        party.create_destination().await;
        let mut luma = Team::of(&gateway, party.client.clone());
        let file = LUMA.replace("URL", &receiver.url("/hook"));
        luma.write("luma.toml", &file);

        let plan = luma.plan(SOMETHING, "luma.toml");
        for told in ["+ \"Luma\": destination \"Hook\"", "\"Where it goes\": not in the file"] {
            assert!(plan.contains(told), "{told}\n{plan}");
        }
        assert!(luma.apply(FAILED, "luma.toml").contains("HOOK_SECRET is not set"));
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        luma.environment.push(("HOOK_SECRET", secret.to_owned()));
        luma.apply(NOTHING, "luma.toml");
        luma.plan(NOTHING, "luma.toml");
        let exported = luma.exported();
        assert!(!exported.to_string().contains(secret));
        assert_eq!(exported["accounts"][0]["destinations"].as_array().unwrap().len(), 2, "{exported}");
        assert!(exported.to_string().contains("${LUMA_HOOK_SECRET}"), "{exported}");

        let tried = receiver.requests().len();
        assert!(luma.ends(SOMETHING, &["apply", "luma.toml", "--plan", "--send-secrets"]).contains("secrets: changed"));
        luma.ends(NOTHING, &["apply", "luma.toml", "--yes", "--send-secrets"]);
        assert_eq!(receiver.requests().len(), tried + 1, "they are tried again");
        let moved = file.replace("/hook", "/moved").replace("team@", "data@");
        let moved = moved.replace("[{ kind = \"HASHED_EMAIL\" }, {", "[{ kind = \"CRM_ID\" }, {");
        luma.write("luma.toml", &moved);
        let plan = luma.plan(SOMETHING, "luma.toml");
        for told in [
            "contact e-mail: \"team@example.com\" → \"data@example.com\"", "match key CRM_ID is added",
            "match key HASHED_EMAIL: not in the file", "settings.url: \"http://", "/hook\" → \"http://", "/moved\"",
            "secrets: changed", "To make: 0. To change: 2.",
        ] {
            assert!(plan.contains(told), "{told}\n{plan}");
        }
        assert!(!plan.contains(secret));
        luma.apply(NOTHING, "luma.toml");
        luma.plan(NOTHING, "luma.toml");

        for (from, to, told) in [
            ("ADVERTISER", "PUBLISHER", "luma.toml:4:8 accounts[0].role"),
            ("\"webhook\"", "\"landing-zone\"", "luma.toml:11:8 accounts[0].destinations[0].type"),
            ("\"webhook\"", "\"nothing\"", "luma.toml:11:8 accounts[0].destinations[0].type"),
            ("${HOOK_SECRET}", "written out", "luma.toml:15:10 accounts[0].destinations[0].settings.secret"),
        ] {
            luma.write("other.toml", &moved.replace(from, to));
            let said = luma.plan(SOMETHING, "other.toml").replace("other.toml", "luma.toml");
            assert!(said.contains(told) && said.contains("cannot be"), "{to}: {said}");
            assert!(!said.contains("written out"));
        }
        let before = luma.exported();
        luma.write("bad.toml", &moved.replace("data@example.com", "nobody"));
        let said = luma.apply(FAILED, "bad.toml");
        assert!(said.contains("bad.toml:6:17 accounts[0].contact_email: ") && said.contains("(INVALID)"), "{said}");
        luma.write("bad.toml", &moved.replace("region", "Region"));
        assert!(luma.apply(FAILED, "bad.toml").contains("bad.toml:5:1: unknown field `Region`"));
        assert_eq!(luma.exported(), before, "bad files change nothing");
    }
}

on_both_databases! {
    async fn members_are_for_those_who_administer(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let party = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let ben = gateway.user("Ben").await;
        let email = ben.query("{ viewer { user { email } } }", json!({})).await["viewer"]["user"]["email"].clone();
        let luma = Team::of(&gateway, party.client.clone());
        let account = LUMA.split("[[accounts.destinations]]").next().unwrap();
        let with = |role: &str| format!("{account}members = [{{ email = {email}, role = \"{role}\" }}]\n");
        luma.write("luma.toml", &with("ANALYST"));
        luma.apply(NOTHING, "luma.toml");
        luma.write("luma.toml", &with("MANAGER"));
        assert!(luma.plan(SOMETHING, "luma.toml").contains("role: \"ANALYST\" → \"MANAGER\""));
        luma.apply(NOTHING, "luma.toml");
        assert!(luma.plan(NOTHING, "luma.toml").contains("not in the file"), "who made the account stays");

        let bens = Team::of(&gateway, ben);
        bens.write("luma.toml", &with("MANAGER"));
        assert!(bens.plan(SOMETHING, "luma.toml").contains("by an ADMIN of the account"));
        assert!(bens.exported()["accounts"][0].get("members").is_none());
        luma.write("luma.toml", &with("ANALYST").replace(email.as_str().unwrap(), "nobody@example.com"));
        let said = luma.apply(FAILED, "luma.toml");
        assert!(said.contains("accounts[0].members[0]: ") && said.contains("(NOT_FOUND)"), "{said}");

        let (_, key) = party.api_key(json!({ "role": "ADMIN", "scopes": ["MANAGE_ACCOUNT"] })).await;
        let by_key = Team::of(&gateway, key);
        by_key.write("luma.toml", &account.replace("team@", "key@"));
        by_key.write("token", &format!("{}\n", by_key.client.token));
        let mut command = by_key.command(&["apply", "luma.toml", "--yes", "--token-file", "token"]);
        assert!(command.env_remove("ENTENTE_TOKEN").output().unwrap().status.success());
        assert_eq!(luma.account("Luma", "contactEmail").await["contactEmail"], "key@example.com");
    }
}

/// An account with keys of providers, and with all that names them.
const PARTNERS: &str = r#"
[[accounts]]
name = "Luma"
role = "ADVERTISER"
region = "us"
contact_email = "team@example.com"
match_keys = [
  { kind = "HASHED_EMAIL" },
  { kind = "PARTNER_ID", provider = "RampId", provider_account_id = "luma-1" },
]
[[accounts.data_connections]]
name = "Partners"
upload = { file = "partners.csv" }
consent_acknowledged = true
[accounts.data_connections.mapping]
audience = { name = "Everybody" }
fields = [
  { column = "id", match_key = { kind = "PARTNER_ID", provider = "RampId" }, transformation = "ALREADY_HASHED" },
]
[[accounts.destinations]]
name = "Zone"
type = "landing-zone"
match_keys = [{ kind = "PARTNER_ID", provider = "RampId" }]
settings = { folder = "${FOLDER}" }
"#;

on_both_databases! {
    async fn match_keys_are_those_of_their_providers(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let mut luma = Team::new(&gateway, "Luma").await;
        luma.environment.push(("FOLDER", "deliveries".to_owned()));
        luma.write("partners.csv", &format!("id\n{:064}\n", 1));
        luma.write("luma.toml", PARTNERS);
        let plan = luma.plan(SOMETHING, "luma.toml");
        assert!(plan.contains("\"${FOLDER}\"") && !plan.contains("deliveries"), "{plan}");
        luma.apply(NOTHING, "luma.toml");
        luma.plan(NOTHING, "luma.toml");
        let key = json!({ "kind": "PARTNER_ID", "provider": "rampid" });
        let account = luma.exported()["accounts"][0].clone();
        assert_eq!(account["match_keys"][1]["provider_account_id"], "luma-1");
        assert_eq!(account["data_connections"][0]["mapping"]["fields"][0]["match_key"], key);
        assert_eq!(account["destinations"][0]["match_keys"], json!([key]));

        let other = "{ kind = \"PARTNER_ID\", provider = \"other\", provider_account_id = \"9\" }";
        luma.write("luma.toml", &PARTNERS.replace("\"luma-1\" },\n", &format!("\"luma-1\" }}, {other}\n")));
        assert!(luma.plan(SOMETHING, "luma.toml").contains("match key PARTNER_ID other 9 is added"));
        luma.apply(NOTHING, "luma.toml");
        luma.write("luma.toml", &PARTNERS.replace("luma-1", "luma-2"));
        let plan = luma.plan(SOMETHING, "luma.toml");
        assert!(plan.contains("match key: \"PARTNER_ID rampid luma-1\" → \"PARTNER_ID rampid luma-2\""), "{plan}");
        assert!(plan.contains("match key PARTNER_ID other 9: not in the file"), "{plan}");
        let said = luma.apply(FAILED, "luma.toml");
        assert!(said.contains("luma.toml:7:14 accounts[0].match_keys: "), "{said}");
        assert!(said.contains("(MATCH_KEY_IN_USE)"), "{said}");
    }
}

on_both_databases! {
    async fn data_connections_need_a_file_and_keep_what_they_were_made_with(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Team::new(&gateway, "Luma").await;
        let file = documented("luma.toml");
        let file = file.split("[[accounts.connections]]").next().unwrap();
        let at = "accounts[0].data_connections[0]";
        for (from, to, told) in [
            ("upload = { file = \"customers.csv\" }\n", "", "made from a file or a source: say `upload` or `source`"),
            ("customers.csv", "missing.csv", "there is no file missing.csv"),
            ("consent_acknowledged = true", "", "(CONSENT_MISSING)"),
        ] {
            luma.write("luma.toml", &file.replace(from, to));
            let said = luma.apply(SOMETHING, "luma.toml");
            assert!(said.contains(told) && said.contains(&format!("luma.toml:10:1 {at}")), "{said}");
        }
        luma.write("luma.toml", file);
        assert!(luma.apply(NOTHING, "luma.toml").contains("from customers.csv, which is uploaded"));
        std::fs::remove_file(luma.folder.path().join("customers.csv")).unwrap();
        luma.plan(NOTHING, "luma.toml");
        for (from, to, told) in [
            ("\"Sports\"", "\"Music\"", "categories: \"Sports\" → \"Music\""),
            ("\"PUBLIC\"", "\"PRIVATE\"", "access: PUBLIC → PRIVATE"),
            ("access =", "visibility.audience_index = false\naccess =", "audience index: true → false"),
            ("{ column = \"audience\" }", "{ name = \"All\" }", "mapping: "),
        ] {
            luma.write("luma.toml", &file.replace(from, to));
            let said = luma.apply(SOMETHING, "luma.toml");
            assert!(said.contains(told) && said.contains("keeps what it was made with"), "{said}");
        }
    }
}

/// An account whose customers are in a bucket.
const IN_A_BUCKET: &str = r#"
[[accounts]]
name = "Luma"
role = "ADVERTISER"
region = "US"
contact_email = "team@example.com"
match_keys = [{ kind = "HASHED_EMAIL" }]
[[accounts.data_connections]]
name = "Customers"
consent_acknowledged = true
schedule = { every_days = 2, from = "FROM", until = "UNTIL" }
source.type = "s3"
source.settings = { bucket = "luma", prefix = "audiences", endpoint = "ENDPOINT", credentials = { type = "access_key", access_key_id = "AKIALUMA", secret_access_key = "${KEY}" } }
[accounts.data_connections.mapping]
audience = { name = "Everybody" }
fields = [{ column = "email", match_key = { kind = "HASHED_EMAIL" }, transformation = "NORMALISE_AND_HASH" }]
"#;

on_both_databases! {
    async fn sources_have_the_settings_and_the_schedule_of_the_file(kind: Kind) {
        let server = S3::start();
        for folder in ["audiences", "others"] {
            std::fs::create_dir_all(server.file(folder)).unwrap();
            std::fs::write(server.file(&format!("{folder}/a.csv")), CUSTOMERS).unwrap();
        }
        let settings = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let mut luma = Team::new(&gateway, "Luma").await;
        let [from, until] = [30, 90].map(|after| day(after).to_string());
        let file = IN_A_BUCKET.replace("ENDPOINT", &server.url()).replace("FROM", &from).replace("UNTIL", &until);
        luma.write("luma.toml", &file);
        let said = luma.apply(FAILED, "luma.toml");
        assert!(said.contains("the environment variable KEY is not set"), "{said}");
        luma.environment.push(("KEY", SECRET.to_owned()));
        let said = luma.apply(NOTHING, "luma.toml");
        let schedule = format!("every 2 days from {from} to {until}");
        for told in ["from a source of type \"s3\"", "secrets: sent", &schedule] {
            assert!(said.contains(told) && !said.contains(SECRET), "{told}\n{said}");
        }
        luma.plan(NOTHING, "luma.toml");
        luma.environment.push(("LUMA_CUSTOMERS_SECRET_ACCESS_KEY", SECRET.to_owned()));
        let exported = luma.exported()["accounts"][0]["data_connections"][0].clone();
        assert_eq!(exported["schedule"]["every_days"], 2, "{exported}");
        let secret = &exported["source"]["settings"]["credentials"]["secret_access_key"];
        assert_eq!(secret, "${LUMA_CUSTOMERS_SECRET_ACCESS_KEY}");

        let elsewhere = file.replace("prefix = \"audiences\"", "prefix = \"others\"").replace("days = 2", "days = 3");
        luma.write("luma.toml", &elsewhere);
        let said = luma.plan(SOMETHING, "luma.toml");
        for told in ["settings.prefix: \"audiences\" → \"others\"", "every 2 days", "every 3 days", "secrets: changed"] {
            assert!(said.contains(told), "{told}\n{said}");
        }
        luma.apply(NOTHING, "luma.toml");
        luma.plan(NOTHING, "luma.toml");
        for (from, to, told, at) in [
            ("\"s3\"", "\"local_folder\"", "keeps its source's type", "source.type"),
            ("\"s3\"", "\"ftp\"", "type: \"s3\" → \"ftp\"", "source.type"),
            ("\"${KEY}\"", "\"s3cret\"", "it is a secret", "source.settings.credentials.secret_access_key"),
            ("\"Customers\"", "\"More\"\nupload = { file = \"customers.csv\" }", "not from both", ""),
        ] {
            luma.write("luma.toml", &elsewhere.replace(from, to));
            let said = luma.apply(SOMETHING, "luma.toml");
            assert!(said.contains(told) && !said.contains("s3cret"), "{told}\n{said}");
            assert!(said.contains(&format!("accounts[0].data_connections[0]{}{at}", if at.is_empty() { "" } else { "." })));
        }
    }
}

on_both_databases! {
    async fn an_api_key_applies_what_is_of_its_account(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let (_, key) = luma.api_key(json!({ "role": "ADMIN" })).await;
        let mut by_key = Team::of(&gateway, key);
        by_key.environment.push(("TV_TUBE_CONNECT_CODE", tv_tube.connect_code().await));
        by_key.write("luma.toml", &documented("luma.toml"));
        assert!(by_key.apply(NOTHING, "luma.toml").contains("waits for \"TV Tube\" to accept the invite"));
        by_key.plan(NOTHING, "luma.toml");
        assert_eq!(by_key.exported()["accounts"][0]["members"][0]["role"], "ADMIN");
        by_key.write("both.toml", &both());
        let said = by_key.apply(SOMETHING, "both.toml");
        assert!(said.contains("it is not the account of the API key"), "{said}");
        for at in ["both.toml:36:1 accounts[1]", "both.toml:25:8 accounts[0].connections[0].with"] {
            assert!(said.contains(at), "{at}\n{said}");
        }

        let (_, reader) = luma.api_key(json!({ "role": "ANALYST" })).await;
        let by_reader = Team::of(&gateway, reader);
        assert!(by_reader.exported()["accounts"][0].get("members").is_none());
        by_reader.write("luma.toml", &documented("luma.toml").replace("data@", "other@"));
        let said = by_reader.apply(FAILED, "luma.toml");
        assert!(said.contains("luma.toml:2:1 accounts[0]: ") && said.contains("(FORBIDDEN)"), "{said}");
        let email = by_key.account("Luma", "contactEmail").await["contactEmail"].clone();
        assert_eq!(email, "data@luma.example");
    }
}
