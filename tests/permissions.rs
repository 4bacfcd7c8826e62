//! `docs/permissions.md`: what each role may do, found out by trying all of it.

use crate::{
    belongings::{Objects, around, campaign, named, nobodys, type_of},
    harness::{Client, Gateway, Kind},
    introspection::{self, Field, Ids, Schema},
    stories::Party,
};
use futures::StreamExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The fields of the roots, by what they are about. A field that is not here does not get past the test.
const NOUNS: [(&str, &str); 26] = [
    ("Gateway", "gateway node nodes"),
    ("User", "viewer createUser"),
    (
        "Account",
        "account createAccount updateAccount deleteAccount raisePrivacyLevel refreshConnectCode accountEvents jobProgress",
    ),
    ("Agency", "createClient handOverClient acceptHandOver"),
    ("Member", "setMember removeMember inviteMember acceptInvitation withdrawInvitation leaveAccount"),
    ("API key", "createApiKey rotateApiKey revokeApiKey"),
    ("Upload", "createUpload uploadPreview"),
    (
        "Data connection",
        "createDataConnection updateDataConnection refreshDataConnection acceptDrift deleteDataConnection",
    ),
    ("Source", "sourceTypes checkSource previewSource"),
    ("Crosswalk", "createCrosswalk loadCrosswalk renameCrosswalk deleteCrosswalk"),
    ("Opt-outs", "loadOptOuts setOptOutSource refreshOptOuts removeOptOutSource acceptOptOutDrift"),
    ("Audience", "updateAudiences"),
    ("Collaborator", "directory connectCodeHolder"),
    (
        "Connection",
        "connection invite acceptInvite proposeSettings acceptSettings rejectSettings withdrawConnection \
         declineConnection deleteConnection connectionEvents",
    ),
    ("Invite by e-mail", "emailInvite withdrawEmailInvite acceptEmailInvite declineEmailInvite reportEmailInvite"),
    ("Settings draft", "saveSettingsDraft"),
    ("Settings change", "proposeSettingsChange withdrawSettingsChange acceptSettingsChange rejectSettingsChange"),
    ("Project", "project createProject updateProject deleteProject"),
    ("Campaign", "addCampaign"),
    ("Event data set", "loadExposures loadConversions deleteEventDataSet"),
    ("Report", "scheduleReport editReport runReportAgain deleteReport createReportLink"),
    (
        "Destination",
        "destinationTypes createDestination updateDestination checkDestination deleteDestination \
         beginDestinationConsent",
    ),
    ("Sent audience", "sendAudience revokeSentAudience"),
    (
        "Event webhook",
        "createEventWebhook updateEventWebhook rotateEventWebhookSecret replayEventWebhook replayDeadLetter \
         deleteEventWebhook",
    ),
    ("Credit", "provisionCredits"),
    ("Activation", "activateAudience pauseActivation resumeActivation cancelActivation deleteActivation"),
];

/// What an API key may be limited to.
const SCOPES: [&str; 7] =
    ["READ", "RUN_REPORTS", "MANAGE_DATA", "MANAGE_CONNECTIONS", "MANAGE_DELIVERIES", "MANAGE_ACCOUNT", "ADMINISTER"];

/// What takes those who ask, or whom they ask for, away from the account: tried last.
const LAST: [&str; 1] = ["leaveAccount"];

/// Types of which every field is tried, because some of them are for fewer roles than the object.
const TRIED_WHOLE: [&str; 2] = ["Account", "Upload"];

/// What anybody may ask who does not sign in.
const FOR_EVERYBODY: [&str; 3] = ["Mutation.declineEmailInvite", "Mutation.reportEmailInvite", "Query.gateway"];

const INTRODUCTION: &str = "\
# Who may do what

`tests/permissions.rs` asks for each field as each of these and writes this page; a test fails when it says something else than
what happened. A refusal for another reason than who asks counts as allowed. Regardless of the table, a key or a user sees only
objects of its own accounts and what others show to them; all others read like objects that do not exist.

- **ADMIN**, **MANAGER**, **ANALYST**: users of the account, by their role in it.
- **key**: an API key of the account with this role and no narrower scopes; **SERVICE**: with the role ADMIN and this purpose.
- **other**: a user of another account. **operator**: the gateway's operator. **nobody**: no key at all.
- **scopes**: each by itself is enough for a key with the role ADMIN; a key may do what both its role and its scopes allow.

Where an object has no line for a field, whoever reads the object may read it.

";

/// Somebody who tries, and what says what came of it: a column, or a word in the column of scopes.
struct Caller {
    name: String,
    is_scope: bool,
    client: Client,
}

/// A field and how it is asked for.
struct Probe {
    /// `Mutation.createProject`.
    name: String,
    noun: String,
    document: String,
    variables: Value,
}

/// A user with a role in an account.
async fn member(party: &Party, gateway: &Gateway, role: &str) -> Client {
    let user = gateway.user(role).await;
    let email = user.query("{ viewer { user { email } } }", json!({})).await["viewer"]["user"]["email"].clone();
    let document = "mutation($input: SetMemberInput!) { setMember(input: $input) { userErrors { code message } } }";
    party.client.mutate(document, json!({ "accountId": party.account, "email": email, "role": role })).await;
    user
}

/// The roles first, from the one that may most; the keys that are limited to one scope last.
async fn callers(gateway: &Gateway, party: &Party) -> Vec<Caller> {
    let mut callers = vec![];
    let mut add = |name: &str, client| callers.push(Caller { name: name.to_owned(), is_scope: false, client });
    let roles = ["ADMIN", "MANAGER", "ANALYST"];
    for role in roles {
        add(role, member(party, gateway, role).await);
    }
    for role in roles {
        add(&format!("key {role}"), party.api_key(json!({ "role": role })).await.1);
    }
    add("SERVICE", party.api_key(json!({ "role": "ADMIN", "purpose": "SERVICE" })).await.1);
    add("other", Party::create(gateway, "Hidden", "ADVERTISER").await.client);
    add("operator", gateway.operator());
    add("nobody", gateway.anonymous());
    for scope in SCOPES {
        let (_, client) = party.api_key(json!({ "role": "ADMIN", "scopes": [scope] })).await;
        callers.push(Caller { name: scope.to_owned(), is_scope: true, client });
    }
    callers
}

/// What a field of a root is about; it is the type for others.
fn noun(ty: &str, field: &str) -> String {
    if !["Query", "Mutation", "Subscription"].contains(&ty) {
        return ty.to_owned();
    }
    let found = NOUNS.iter().find(|(_, fields)| fields.split_whitespace().any(|f| f == field));
    found.unwrap_or_else(|| panic!("say in NOUNS what {ty}.{field} is about")).0.to_owned()
}

/// All that is tried: the roots' fields, whatever takes an id, and types whose fields are not all for the same roles.
fn probes(schema: &Schema, own: &Objects) -> Vec<Probe> {
    let mut probes = vec![];
    for (ty, fields) in schema.objects() {
        let operation = ty.operation();
        let is_root = ["Query", "Mutation", "Subscription"].contains(&ty.name.as_str());
        let whole = is_root || TRIED_WHOLE.contains(&ty.name.as_str());
        for field in fields.iter().filter(|field| whole || !schema.id_paths(field).is_empty()) {
            probes.push(Probe {
                name: format!("{}.{}", ty.name, field.name),
                noun: noun(&ty.name, &field.name),
                document: schema.document(operation, field, |field| around(own, &ty.name, field)),
                variables: variables(schema, operation, field, own),
            });
        }
    }
    probes.sort_by_key(|probe| LAST.iter().any(|last| probe.name.ends_with(last)));
    probes
}

/// What a field is asked with: of one's own what is read, and none of what would be changed, so that everybody finds the
/// same. Who may not ask is refused before anything is looked for.
fn variables(schema: &Schema, operation: &str, field: &Field, own: &Objects) -> Value {
    let at = |path: &str| match (operation, path) {
        ("query", "id") => own[type_for(&field.name)].clone(),
        ("query", "ids") => own["Account"].clone(),
        ("mutation", _) if !path.ends_with("accountId") => nobodys("Audience"),
        _ => named(own, path).cloned().unwrap_or_else(|| nobodys("Audience")),
    };
    let mut variables = schema.variables(field, &Ids { wanted: "", at: &at });
    if field.name == "createApiKey" {
        // A key gives no key more than it has itself, and all of them read.
        variables["input"]["scopes"] = json!(["READ"]);
    }
    if operation == "subscription" && field.args.iter().any(|argument| argument.name == "after") {
        // From the first event on, so that there is one to wait for.
        variables["after"] = json!("ZTA");
    }
    variables
}

/// The type of what a field of the query type gives for an `id`.
fn type_for(field: &str) -> &'static str {
    match field {
        "connection" => "Connection",
        "project" => "Project",
        _ => "Account",
    }
}

/// Whether who asked may; an object that is not there for somebody is one that they may not ask for. An error if the answer
/// says neither.
fn allowed(probe: &Probe, answer: &Value) -> Result<bool, String> {
    let unclear = || Err(format!("{}: {answer}\n{} {}\n", probe.name, probe.document, probe.variables));
    let field = probe.name.split('.').next_back().unwrap();
    let all = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    // Who is refused something of an object has got the object.
    if all.iter().any(|error| is_below(error, field)) {
        return Ok(true);
    }
    let errors: Vec<_> = all.iter().map(|e| (e["extensions"]["code"].as_str(), e["message"].as_str())).collect();
    let payload = answer["data"].as_object().and_then(|data| data.values().next()).unwrap_or(&Value::Null);
    let refusals = payload["userErrors"].as_array().into_iter().flatten();
    let refusals = refusals.map(|e| (e["code"].as_str(), e["message"].as_str()));
    for (code, message) in errors.iter().copied().chain(refusals) {
        match code {
            Some("UNAUTHENTICATED" | "FORBIDDEN") => return Ok(false),
            Some("NOT_FOUND") if message == Some("There is no such account.") => return Ok(false),
            Some("NOT_FOUND") if !probe.name.starts_with("Mutation") => return Ok(false),
            Some("INTERNAL") | None => return unclear(),
            _ => {}
        }
    }
    if answer.get("data").is_none() && errors.is_empty() {
        return unclear();
    }
    let is_there = match payload {
        Value::Array(items) => !items.iter().all(Value::is_null),
        payload => !payload.is_null(),
    };
    Ok(is_there || !errors.is_empty())
}

/// Whether an error is about something within a field.
fn is_below(error: &Value, field: &str) -> bool {
    let path = error["path"].as_array().map(Vec::as_slice).unwrap_or_default();
    path.iter().position(|segment| segment == field).is_some_and(|at| at + 1 < path.len())
}

/// Who may do what: for each probe what came of it, in the order of the callers.
async fn try_all(probes: &[Probe], callers: &[Caller]) -> BTreeMap<String, Vec<bool>> {
    let (mut came, mut unclear) = (BTreeMap::new(), vec![]);
    for probe in probes {
        let asked = futures::stream::iter(callers).map(|caller| async {
            let answer = caller.client.ask_or_subscribe(&probe.document, probe.variables.clone()).await;
            allowed(probe, &answer)
        });
        match asked.buffered(4).collect::<Vec<_>>().await.into_iter().collect() {
            Ok(may) => _ = came.insert(probe.name.clone(), may),
            Err(answer) => unclear.push(answer),
        }
    }
    assert!(unclear.is_empty(), "say how these are asked for:\n{}", unclear.concat());
    came
}

/// One table a noun. Fields of an object that are for whoever may read it go without a line of their own.
fn page(probes: &[Probe], callers: &[Caller], came: &BTreeMap<String, Vec<bool>>) -> String {
    let mut columns: Vec<_> = callers.iter().filter(|c| !c.is_scope).map(|c| c.name.as_str()).collect();
    columns.push("scopes");
    let mut page = INTRODUCTION.to_owned();
    let nouns: BTreeSet<_> = probes.iter().map(|probe| probe.noun.as_str()).collect();
    let order = NOUNS.iter().map(|(noun, _)| *noun);
    let others = nouns.iter().copied().filter(|noun| NOUNS.iter().all(|(known, _)| known != noun));
    for noun in order.chain(others) {
        let mut lines: Vec<_> =
            probes.iter().filter(|probe| probe.noun == noun).map(|probe| probe.name.as_str()).collect();
        lines.retain(|name| !is_as_its_object(name, came));
        lines.sort_unstable();
        if lines.is_empty() {
            continue;
        }
        page.push_str(&format!(
            "## {noun}\n\n| field | {} |\n|---|{}\n",
            columns.join(" | "),
            "---|".repeat(columns.len())
        ));
        for name in lines {
            let marks: Vec<_> = callers.iter().zip(&came[name]).collect();
            let roles =
                marks.iter().filter(|(caller, _)| !caller.is_scope).map(|(_, may)| if **may { "yes" } else { "–" });
            let scopes: Vec<_> =
                marks.iter().filter(|(c, may)| c.is_scope && **may).map(|(c, _)| c.name.as_str()).collect();
            let scopes = match scopes.len() {
                0 => "–".to_owned(),
                all if all == SCOPES.len() => "any".to_owned(),
                _ => scopes.join(", "),
            };
            let cells: Vec<_> = roles.chain([scopes.as_str()]).collect();
            page.push_str(&format!("| `{}` | {} |\n", name.trim_start_matches("Mutation."), cells.join(" | ")));
        }
        page.push('\n');
    }
    page.trim_end().to_owned() + "\n"
}

/// Whether a field of an object may be read by just those who may read the object.
fn is_as_its_object(name: &str, came: &BTreeMap<String, Vec<bool>>) -> bool {
    let ty = name.split('.').next().unwrap();
    TRIED_WHOLE.contains(&ty) && came[name] == came["Query.account"]
}

/// The page says what happens. `ENTENTE_TEST_WRITE` set writes it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_says_what_each_role_may_do() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let own = campaign((&luma, luma.belongings().await), (&tv_tube, tv_tube.belongings().await)).await;
    assert!(own.values().all(|id| own[&type_of(id)] == *id));
    let callers = callers(&gateway, &luma).await;
    let schema = Schema::of(gateway.anonymous().query(introspection::QUERY, json!({})).await);
    assert_eq!(schema.enum_values("ApiKeyScope"), SCOPES);
    let probes = probes(&schema, &own);
    let came = try_all(&probes, &callers).await;

    let column = |name: &str| callers.iter().position(|caller| caller.name == name).unwrap();
    let by = |name: &str| -> BTreeSet<&str> {
        came.iter().filter(|(_, may)| may[column(name)]).map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(by("nobody"), BTreeSet::from(FOR_EVERYBODY));
    for (more, less) in
        [("ADMIN", "MANAGER"), ("MANAGER", "ANALYST"), ("key ADMIN", "key MANAGER"), ("key ADMIN", "SERVICE")]
    {
        assert!(by(less).is_subset(&by(more)), "{less} may what a higher role may not");
    }

    let written = page(&probes, &callers, &came);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/permissions.md");
    if std::env::var_os("ENTENTE_TEST_WRITE").is_some() {
        std::fs::write(path, &written).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == stored,
        "docs/permissions.md is out of date: run this test with ENTENTE_TEST_WRITE=1\n{written}"
    );
}
