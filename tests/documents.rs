//! The README and `docs/workflows.md`, step by step as they stand there, against the demo.

use crate::{
    harness::{Client, Gateway, Kind},
    stories::{Party, today},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::Mutex,
};

/// The GraphQL operations of the documents by name, and which of them were run.
struct Operations {
    documents: BTreeMap<String, String>,
    run: Mutex<BTreeSet<String>>,
}

impl Operations {
    fn read() -> Self {
        let mut documents = BTreeMap::new();
        for file in ["README.md", "docs/workflows.md"] {
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
            for block in text.split("```graphql\n").skip(1) {
                let document = block.split("```").next().unwrap();
                let name = document.split_whitespace().nth(1).unwrap().split('(').next().unwrap();
                let former = documents.insert(name.to_owned(), document.to_owned());
                assert!(former.is_none(), "{name} is there twice");
            }
        }
        Self { documents, run: Mutex::default() }
    }

    /// Runs an operation as it stands; the value of its field.
    async fn press(&self, client: &Client, name: &str, variables: Value) -> Value {
        self.run.lock().unwrap().insert(name.to_owned());
        let answer = client.ask_or_subscribe(&self.documents[name], variables).await;
        assert!(answer.get("errors").is_none(), "{name}: {answer}");
        let field = answer["data"].as_object().unwrap().values().next().unwrap().clone();
        assert!(field.get("userErrors").is_none_or(|errors| *errors == json!([])), "{name}: {field}");
        field
    }
}

/// A gateway that was started with `--demo`, and what it printed.
struct Demo {
    process: Child,
    lines: Vec<String>,
}

impl Demo {
    fn start(gateway: &Gateway) -> Self {
        let mut process = gateway.command().args(["serve", "--demo"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut printed = vec![];
        for line in lines {
            let last = line.contains("fit-apparel-conversions.csv");
            printed.push(line);
            if last {
                break;
            }
        }
        Self { process, lines: printed }
    }

    fn line(&self, with: &str) -> &str {
        self.lines.iter().find(|l| l.contains(with)).unwrap_or_else(|| panic!("{with} is not in {:?}", self.lines))
    }

    fn url(&self) -> &str {
        self.line("GraphQL API").split_whitespace().last().unwrap().trim_end_matches("/graphql")
    }

    /// Who acts with the key that was printed for a company.
    async fn company(&self, name: &str, operations: &Operations) -> Party {
        let token = self.line(&format!("  {name}  ")).split("Bearer ").nth(1).unwrap().split('"').next().unwrap();
        let client = Client::new(self.url(), token);
        let viewer = operations.press(&client, "Start", json!({})).await;
        let account = &viewer["accounts"]["nodes"][0];
        assert_eq!(account["name"], name);
        Party { account: text(&account["id"]), collaborator: String::new(), client }
    }

    /// First and last day of TV Tube's campaign.
    fn days(&self) -> (String, String) {
        let words: Vec<_> = self.line("luma-run-further").split_whitespace().collect();
        (words[words.len() - 3].to_owned(), words[words.len() - 1].to_owned())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Uploads a file as the documents say; the upload's id.
async fn upload(operations: &Operations, party: &Party, bytes: Vec<u8>) -> String {
    let payload = operations.press(&party.client, "Upload", json!({ "me": party.account })).await;
    let received = party.client.upload(&text(&payload["upload"]["url"]), bytes).await;
    assert_eq!(received.status(), 201);
    text(&payload["upload"]["id"])
}

/// The README: from the first query to what two companies have in common; the connection and the project.
async fn readme(operations: &Operations, luma: &Party, tv_tube: &Party) -> (String, String) {
    let directory = operations.press(&luma.client, "Directory", json!({ "me": luma.account })).await;
    let found = directory["nodes"].as_array().unwrap().iter().find(|c| c["name"] == "TV Tube").unwrap();
    assert!(!found["publicAudiences"]["nodes"].as_array().unwrap().is_empty());
    let invited = json!({ "me": luma.account, "tvTube": found["id"] });
    let connection = operations.press(&luma.client, "Invite", invited).await;
    let connection = text(&connection["connection"]["id"]);
    let of = |party: &Party| json!({ "me": party.account, "connection": connection });
    operations.press(&tv_tube.client, "Accept", of(tv_tube)).await;
    operations.press(&luma.client, "Propose", of(luma)).await;
    let agreed = operations.press(&tv_tube.client, "Agree", of(tv_tube)).await;
    assert_eq!(agreed["connection"]["state"], "ACTIVE");
    let project = operations.press(&luma.client, "Project", of(luma)).await;
    let project = text(&project["project"]["id"]);
    discover(operations, luma, &project).await;
    (connection, project)
}

async fn discover(operations: &Operations, party: &Party, project: &str) {
    let variables = json!({ "me": party.account, "project": project });
    let discovered = &operations.press(&party.client, "Discover", variables).await["discover"];
    assert_eq!(discovered["compare"]["__typename"], "Overlap", "{discovered}");
    assert!(!discovered["relevantAudiences"].as_array().unwrap().is_empty(), "{discovered}");
}

/// What the demo has done already: an account, its customers, its destination.
async fn from_nothing(operations: &Operations, operator: &Client) {
    let user = operations.press(operator, "User", json!({})).await;
    let client = Client::new(operator.base(), &text(&user["token"]));
    let account = operations.press(&client, "Account", json!({})).await;
    let ada = Party { account: text(&account["account"]["id"]), collaborator: String::new(), client };
    let rows = "email,phone,audience\nada@example.com,+12025550123,Running\nnobody,,Running\n";
    let upload = upload(operations, &ada, rows.into()).await;
    let variables = json!({ "me": ada.account, "upload": upload });
    let preview = operations.press(&ada.client, "Preview", variables.clone()).await;
    assert_eq!(preview["columns"][0]["name"], "email");
    let sourced = operations.press(&ada.client, "Source", variables).await;
    let job = text(&sourced["job"]["id"]);
    operations.press(&ada.client, "Progress", json!({ "me": ada.account, "job": job })).await;
    ada.job(&job).await;
    let variables = json!({ "dataConnection": sourced["dataConnection"]["id"] });
    let refresh = &operations.press(&ada.client, "Sourced", variables).await["lastRefresh"];
    assert_eq!((&refresh["rows"], &refresh["acceptedRows"]), (&json!(2), &json!(1)), "{refresh}");
    link(operations, &ada).await;
    let types = operations.press(&ada.client, "DestinationTypes", json!({})).await;
    assert_eq!((&types[0]["id"], &types[1]["id"]), (&json!("landing-zone"), &json!("webhook")));
    operations.press(&ada.client, "Zone", json!({ "me": ada.account })).await;
    let variables = json!({ "me": ada.account, "name": "Luma" });
    let gone = operations.press(&ada.client, "DeleteAccount", variables).await;
    assert_eq!(gone["deletedAccountId"], json!(ada.account));
}

/// Edits audiences, and deletes a project after reading what goes with it.
async fn tidy_up(operations: &Operations, luma: &Party, project: &str) {
    let ids: Vec<_> = luma.audiences().await.into_values().collect();
    let edited = operations.press(&luma.client, "EditAudiences", json!({ "me": luma.account, "audiences": ids })).await;
    assert!(edited["audiences"][0]["categories"].as_array().unwrap().contains(&json!("Spring")), "{edited}");
    let variables = json!({ "me": luma.account, "project": project });
    let shown = operations.press(&luma.client, "WhatGoes", variables.clone()).await["deletionPreview"].clone();
    assert_eq!(shown["allowed"], true, "{shown}");
    operations.press(&luma.client, "DeleteProject", variables.clone()).await;
    let went = operations.press(&luma.client, "WhatWent", variables).await;
    let entry = &went["auditLog"]["nodes"][0];
    assert_eq!(entry["action"], "deleteProject");
    let counts = |parts: &Value| parts.as_array().unwrap().iter().map(|p| p["count"].clone()).collect::<Vec<_>>();
    for of in ["goes", "stays"] {
        assert_eq!(counts(&entry["deletion"][of]), counts(&shown[of]), "{of}");
    }
}

/// A crosswalk from CRM ids to addresses.
async fn link(operations: &Operations, ada: &Party) {
    let rows = "customer_id,email\nC1,ada@example.com\nC2,ada@example.com\nC3,nobody\n";
    let upload = upload(operations, ada, rows.into()).await;
    let made = operations.press(&ada.client, "Crosswalk", json!({ "me": ada.account, "upload": upload })).await;
    ada.job(&text(&made["job"]["id"])).await;
    let linked = operations.press(&ada.client, "Linked", json!({ "crosswalk": made["crosswalk"]["id"] })).await;
    let counts = json!({ "links": 2, "joinIdentities": 2, "linkedIdentities": 1, "oneToMany": 0, "manyToOne": 1 });
    assert_eq!((&linked["status"], &linked["counts"]), (&json!("ACTIVE"), &counts), "{linked}");
}

async fn send_and_activate(operations: &Operations, luma: &Party, tv_tube: &Party, project: &str) {
    let lumas = operations.press(&luma.client, "Mine", json!({ "me": luma.account })).await;
    let sent = json!({ "me": luma.account, "project": project, "audience": lumas["audiences"]["nodes"][0]["id"] });
    operations.press(&luma.client, "Send", sent).await;
    let received = operations.press(&tv_tube.client, "Received", json!({ "me": tv_tube.account })).await;
    let tv_tubes = operations.press(&tv_tube.client, "Mine", json!({ "me": tv_tube.account })).await;
    let variables = json!({
        "me": tv_tube.account, "sent": received["receivedAudiences"]["nodes"][0]["id"],
        "destination": tv_tubes["destinations"]["nodes"][0]["id"], "today": today(),
    });
    let activated = operations.press(&tv_tube.client, "Activate", variables).await;
    assert_eq!(tv_tube.job(&text(&activated["job"]["id"])).await["state"], "DONE");
}

/// Uploads one of the demo's files of events and loads it; the data set's id.
async fn load(operations: &Operations, party: &Party, name: &str, file: &Path, project: &str) -> String {
    let upload = upload(operations, party, std::fs::read(file).unwrap()).await;
    let variables = json!({ "me": party.account, "project": project, "upload": upload });
    let payload = operations.press(&party.client, name, variables).await;
    let id = text(&payload["eventDataSet"]["id"]);
    party.loaded(&id).await;
    id
}

async fn measure(operations: &Operations, demo: &Demo, luma: &Party, tv_tube: &Party, project: &str, files: &Path) {
    let variables = json!({ "me": tv_tube.account, "project": project, "campaignInFile": "luma-run-further" });
    let campaign = operations.press(&tv_tube.client, "Campaign", variables).await;
    load(operations, tv_tube, "Exposures", &files.join("tv-tube-exposures.csv"), project).await;
    let conversions = load(operations, luma, "Conversions", &files.join("luma-conversions.csv"), project).await;
    let (from, until) = demo.days();
    let variables = |party: &Party| {
        json!({ "me": party.account, "project": project, "campaign": campaign["campaign"]["id"],
            "conversions": conversions, "from": from, "until": until })
    };
    for (party, name) in [(tv_tube, "Summary"), (luma, "Summary"), (luma, "Attribution")] {
        let mut variables = variables(party);
        if name == "Summary" {
            variables.as_object_mut().unwrap().remove("conversions");
        }
        let scheduled = operations.press(&party.client, name, variables).await;
        let id = text(&scheduled["report"]["id"]);
        party.finished(&id).await;
        let report = operations.press(&party.client, "Report", json!({ "report": id })).await;
        assert!(report["summary"]["reach"]["value"].as_u64().unwrap() > 1_000, "{report}");
        let credited = &report["attribution"]["perEvent"][0]["credited"]["conversions"]["value"];
        assert_eq!(credited.is_u64(), name == "Attribution", "{report}");
        let linked = operations.press(&party.client, "Link", json!({ "me": party.account, "report": id })).await;
        let page = party.client.http().get(linked["link"]["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(page.status(), 200);
    }
    let variables = json!({ "me": luma.account, "project": project });
    let budget = operations.press(&luma.client, "Budget", variables).await;
    assert!(budget["privacyBudget"]["spent"].as_f64().unwrap() > 0.0, "{budget}");
}

/// Luma drafts and proposes a change of the settings, TV Tube reads what it changes and accepts it.
async fn change(operations: &Operations, luma: &Party, tv_tube: &Party, connection: &str) {
    let of = |party: &Party| json!({ "me": party.account, "connection": connection });
    let with = |party: &Party, name: &str, version: &Value| {
        let mut variables = of(party);
        variables[name] = version.clone();
        variables
    };
    let draft = &operations.press(&luma.client, "SaveDraft", of(luma)).await["draft"];
    let variables = with(luma, "draftVersion", &draft["settings"]["version"]);
    operations.press(&luma.client, "ProposeChange", variables).await;
    let change = &operations.press(&tv_tube.client, "Change", of(tv_tube)).await["proposedChange"];
    let differences = json!({
        "useCases": null, "matchKeys": null, "activators": { "before": "RECIPIENT", "after": "BOTH" }, "counts": null,
    });
    assert_eq!(change["differences"], differences);
    let variables = with(tv_tube, "settingsVersion", &change["settings"]["version"]);
    let agreed = operations.press(&tv_tube.client, "AcceptChange", variables).await;
    assert_eq!(agreed["connection"]["settings"]["activators"], "BOTH");
}

async fn brand_to_brand(operations: &Operations, fit: &Party, luma: &Party, files: &Path) {
    let code = operations.press(&luma.client, "Code", json!({ "me": luma.account })).await;
    let with_code = json!({ "me": fit.account, "code": code["connectCode"] });
    assert_eq!(operations.press(&fit.client, "Whose", with_code.clone()).await["name"], "Luma");
    let invited = operations.press(&fit.client, "InviteByCode", with_code).await;
    let of = |party: &Party| json!({ "me": party.account, "connection": invited["connection"]["id"] });
    operations.press(&luma.client, "Accept", of(luma)).await;
    operations.press(&fit.client, "ProposeBoth", of(fit)).await;
    operations.press(&luma.client, "Agree", of(luma)).await;
    let project = operations.press(&fit.client, "Project", of(fit)).await;
    let project = text(&project["project"]["id"]);
    discover(operations, fit, &project).await;
    let variables = json!({ "me": fit.account, "project": project, "campaignInFile": "fit-together" });
    operations.press(&fit.client, "Campaign", variables).await;
    let exposures = load(operations, fit, "PlainExposures", &files.join("fit-apparel-exposures.csv"), &project).await;
    let set = operations.press(&fit.client, "DataSet", json!({ "eventDataSet": exposures })).await;
    assert_eq!((&set["status"], &set["faultsByReason"]), (&json!("ACTIVE"), &json!([])), "{set}");
}

/// What a second start must not change.
async fn loaded(party: &Party) -> Value {
    let query = "query($a: ID!) { account(id: $a) { audiences { nodes { id identityCount } }
        dataConnections { totalCount } destinations { totalCount } } }";
    party.client.query(query, json!({ "a": party.account })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_runs_as_it_is_written() {
    let mut gateway = Gateway::start(Kind::Sqlite).await;
    let operator = gateway.operator();
    gateway.stop();
    let demo = Demo::start(&gateway);
    let operations = Operations::read();
    let [luma, tv_tube, fit] = ["Luma", "TV Tube", "Fit Apparel"].map(|name| demo.company(name, &operations));
    let (luma, tv_tube, fit) = (luma.await, tv_tube.await, fit.await);

    from_nothing(&operations, &operator.at(demo.url())).await;
    let (connection, project) = readme(&operations, &luma, &tv_tube).await;
    let events = json!({ "me": luma.account, "after": "ZTA" });
    operations.press(&luma.client, "Events", events).await;
    let variables = json!({ "me": luma.account, "project": project });
    let overlaps = operations.press(&luma.client, "Overlaps", variables).await;
    assert!(overlaps["discover"]["overlaps"]["nodes"].as_array().unwrap().len() > 2, "{overlaps}");
    send_and_activate(&operations, &luma, &tv_tube, &project).await;
    let files = gateway.data().join("demo");
    measure(&operations, &demo, &luma, &tv_tube, &project, &files).await;
    change(&operations, &luma, &tv_tube, &connection).await;
    brand_to_brand(&operations, &fit, &luma, &files).await;
    tidy_up(&operations, &luma, &project).await;
    let run = operations.run.lock().unwrap().clone();
    let left: Vec<_> = operations.documents.keys().filter(|name| !run.contains(*name)).collect();
    assert!(left.is_empty(), "not run: {left:?}");

    let before = loaded(&luma).await;
    drop(demo);
    let again = Demo::start(&gateway);
    let operations = Operations::read();
    let same = again.company("Luma", &operations).await;
    assert_eq!((same.account.clone(), loaded(&same).await), (luma.account, before));
}
