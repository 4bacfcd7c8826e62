//! What is there, as the API tells it, in the terms of the file.

use super::{
    api::{Api, ApiError, in_the_file},
    format::{
        Access, Account, AccountMatchKey, AudienceSource, DataConnection, DataSource, Destination, Mapping, MatchKey,
        Member, MemberRole, PrivacyLevel, Role, Settings, Side, Visibility,
    },
};
use entente_domain::connection::State;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What an account is like.
#[derive(Debug, Deserialize)]
pub struct Profile {
    pub id: String,
    pub collaborator_id: String,
    pub name: String,
    pub role: Role,
    pub region: String,
    pub contact_email: String,
    pub description: String,
    pub industry: String,
    pub privacy_level: PrivacyLevel,
    pub match_keys: Vec<AccountMatchKey>,
}

/// An account with all that a set-up may say of it.
#[derive(Debug)]
pub struct PresentAccount {
    pub profile: Profile,
    /// Who belongs to it; `None` to whoever is no ADMIN.
    pub members: Option<Vec<Member>>,
    /// Who was invited and has not accepted.
    pub invited: Vec<Member>,
    pub data_connections: Vec<PresentDataConnection>,
    pub destinations: Vec<PresentDestination>,
    pub connections: Vec<PresentConnection>,
}

/// A data connection, with the settings of its source as they are shown.
#[derive(Debug)]
pub struct PresentDataConnection {
    pub id: String,
    /// Its source's type is empty where the gateway no longer has it.
    pub declared: DataConnection,
}

/// A destination, whose settings are as they are shown.
#[derive(Debug)]
pub struct PresentDestination {
    pub id: String,
    /// Its type is empty where the gateway no longer has it.
    pub declared: Destination,
}

/// Settings that were proposed, accepted or drafted, and which version.
#[derive(Clone, Debug)]
pub struct Version {
    pub version: u64,
    pub settings: Settings,
}

/// A connection as one of its sides sees it.
#[derive(Clone, Debug)]
pub struct PresentConnection {
    pub id: String,
    pub side: Side,
    pub other_id: String,
    pub other_name: String,
    pub state: State,
    pub note: String,
    /// In force.
    pub settings: Option<Version>,
    /// What waits for an answer, or was rejected.
    pub proposed: Option<Version>,
    /// Why it was rejected.
    pub rejection: Option<String>,
    /// What the owner works on, and who saved it.
    pub draft: Option<(Version, String)>,
}

/// What is there.
#[derive(Debug, Default)]
pub struct Present {
    /// The accounts that were asked for and are there, by name.
    pub accounts: BTreeMap<String, PresentAccount>,
    /// Names of others of whoever asks.
    pub other_accounts: Vec<String>,
    /// Names that several accounts have.
    pub ambiguous: Vec<String>,
    /// The schemas of the settings of destination types.
    pub destination_types: BTreeMap<String, Value>,
    /// The schemas of the settings of source types.
    pub source_types: BTreeMap<String, Value>,
    /// Whether an API key asks, which belongs to one account and makes none.
    pub is_of_key: bool,
}

const ACCOUNTS: &str = "query($after: String) { viewer { accounts(first: 50, after: $after) {
    nodes { id collaboratorId name role region contactEmail description industry privacyLevel
        matchKeys { kind provider providerAccountId } }
    pageInfo { hasNextPage endCursor } } } }";

const TYPES: &str = "{ viewer { kind } destinationTypes { id settingsSchema } sourceTypes { id settingsSchema } }";

const MEMBERS: &str = "query($a: ID!, $after: String) { account(id: $a) { members(first: 50, after: $after) {
    nodes { role user { email } } pageInfo { hasNextPage endCursor } } } }";

const INVITATIONS: &str = "query($a: ID!, $after: String) { account(id: $a) { invitations(first: 50, after: $after) {
    nodes { role email } pageInfo { hasNextPage endCursor } } } }";

const DATA_CONNECTIONS: &str =
    "query($a: ID!, $after: String) { account(id: $a) { dataConnections(first: 50, after: $after) {
    nodes { id name categories access { kind } visibility { identityCount overlapPercentage audienceIndex }
        source { sourceType { id } settings } schedule { everyDays from until }
        mapping { audienceColumn audienceName delimiter
            fields { column transformation matchKey { kind provider } } } }
    pageInfo { hasNextPage endCursor } } } }";

const DESTINATIONS: &str = "query($a: ID!, $after: String) { account(id: $a) { destinations(first: 50, after: $after) {
    nodes { id name settings destinationType { id } matchKeys { kind provider } }
    pageInfo { hasNextPage endCursor } } } }";

const CONNECTIONS: &str = "query($a: ID!, $after: String) { account(id: $a) { connections(first: 50, after: $after) {
    nodes { id state note rejectionReason
        counterparty(accountId: $a) { side collaborator { id name } }
        settings { ...S } proposedSettings { ...S } draft(accountId: $a) { savedBy settings { ...S } } }
    pageInfo { hasNextPage endCursor } } } }
    fragment S on ConnectionSettings { version useCases matchKeys { kind provider } activators activationPayer
        measurementPayer advertiserNames { name advertiserId } counts }";

impl Present {
    /// Reads what is there of accounts of these names, or of all of whoever asks.
    pub async fn read(api: &Api, names: Option<&[&str]>) -> Result<Self, ApiError> {
        let types = api.ask(TYPES, &json!({})).await?;
        let mut present = Self { is_of_key: types["viewer"]["kind"] == "API_KEY", ..Self::default() };
        let schemas = |types: &Value| {
            let schema = |described: Value| (text(&described["id"]), described["settingsSchema"].clone());
            list(types).into_iter().map(schema).collect()
        };
        present.destination_types = schemas(&types["destinationTypes"]);
        present.source_types = schemas(&types["sourceTypes"]);
        for node in pages(api, ACCOUNTS, "/viewer/accounts", None).await? {
            let profile: Profile = typed(in_the_file(node))?;
            if names.is_some_and(|names| !names.contains(&profile.name.as_str())) {
                present.other_accounts.push(profile.name);
            } else if present.accounts.contains_key(&profile.name) {
                present.ambiguous.push(profile.name);
            } else {
                let account = account(api, profile).await?;
                present.accounts.insert(account.profile.name.clone(), account);
            }
        }
        Ok(present)
    }
}

async fn account(api: &Api, profile: Profile) -> Result<PresentAccount, ApiError> {
    let id = Some(profile.id.as_str());
    let (members, invited) = match members(api, id).await {
        Ok(read) => read,
        // A key whose scopes are narrower than its role.
        Err(ApiError::Refused { code, .. }) if code == "FORBIDDEN" => (None, Vec::new()),
        Err(other) => return Err(other),
    };
    let data = pages(api, DATA_CONNECTIONS, "/account/dataConnections", id).await?;
    let destinations = pages(api, DESTINATIONS, "/account/destinations", id).await?;
    let connections = pages(api, CONNECTIONS, "/account/connections", id).await?;
    Ok(PresentAccount {
        profile,
        members,
        invited,
        data_connections: data.into_iter().map(data_connection).collect::<Result<_, _>>()?,
        destinations: destinations.into_iter().map(destination).collect::<Result<_, _>>()?,
        connections: connections.into_iter().map(connection).collect::<Result<_, _>>()?,
    })
}

/// Who belongs to an account, and who is invited to it, as far as whoever asks may know.
async fn members(api: &Api, account: Option<&str>) -> Result<(Option<Vec<Member>>, Vec<Member>), ApiError> {
    let role = "query($a: ID!) { viewer { roleIn(accountId: $a) } }";
    let role = api.ask(role, &json!({ "a": account })).await?["viewer"]["roleIn"].clone();
    if typed::<Option<MemberRole>>(role)? != Some(MemberRole::Admin) {
        return Ok((None, Vec::new()));
    }
    let members = pages(api, MEMBERS, "/account/members", account).await?;
    let member = |node: Value| typed(json!({ "email": node["user"]["email"], "role": node["role"] }));
    let invited = pages(api, INVITATIONS, "/account/invitations", account).await?;
    let members = members.into_iter().map(member).collect::<Result<_, _>>()?;
    Ok((Some(members), invited.into_iter().map(typed).collect::<Result<_, _>>()?))
}

/// All items of a paged list.
async fn pages(api: &Api, document: &str, at: &str, account: Option<&str>) -> Result<Vec<Value>, ApiError> {
    let (mut items, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = api.ask(document, &json!({ "a": account, "after": after })).await?;
        let page = data.pointer(at).cloned().unwrap_or_default();
        items.extend(list(&page["nodes"]));
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            return Ok(items);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn data_connection(node: Value) -> Result<PresentDataConnection, ApiError> {
    let id = text(&node["id"]);
    let source = match &node["source"] {
        Value::Null => None,
        source => Some(DataSource {
            source_type: text(&source["sourceType"]["id"]),
            settings: typed(source["settings"].clone())?,
        }),
    };
    let mut node = in_the_file(node);
    let mapping = &mut node["mapping"];
    let audience = match (mapping["audience_column"].as_str(), mapping["audience_name"].as_str()) {
        (Some(column), _) => AudienceSource::Column(column.to_owned()),
        (None, name) => AudienceSource::Name(name.unwrap_or_default().to_owned()),
    };
    let declared = DataConnection {
        name: text(&node["name"]),
        upload: None,
        source,
        schedule: typed(node["schedule"].clone())?,
        consent_acknowledged: None,
        categories: typed(node["categories"].clone())?,
        access: typed::<Access>(node["access"]["kind"].clone()).ok(),
        visibility: Some(typed::<Visibility>(node["visibility"].clone())?),
        mapping: Mapping {
            audience,
            delimiter: text(&node["mapping"]["delimiter"]),
            fields: typed(node["mapping"]["fields"].clone())?,
        },
    };
    Ok(PresentDataConnection { id, declared })
}

fn destination(node: Value) -> Result<PresentDestination, ApiError> {
    let match_keys: Vec<MatchKey> = typed(node["matchKeys"].clone())?;
    let declared = Destination {
        name: text(&node["name"]),
        destination_type: text(&node["destinationType"]["id"]),
        match_keys,
        settings: typed(node["settings"].clone())?,
    };
    Ok(PresentDestination { id: text(&node["id"]), declared })
}

fn connection(node: Value) -> Result<PresentConnection, ApiError> {
    let node = in_the_file(node);
    let other = &node["counterparty"];
    let side = match typed(other["side"].clone())? {
        Side::Owner => Side::Recipient,
        Side::Recipient => Side::Owner,
    };
    let draft = version(&node["draft"]["settings"])?;
    Ok(PresentConnection {
        id: text(&node["id"]),
        side,
        other_id: text(&other["collaborator"]["id"]),
        other_name: text(&other["collaborator"]["name"]),
        state: typed(node["state"].clone())?,
        note: text(&node["note"]),
        settings: version(&node["settings"])?,
        proposed: version(&node["proposed_settings"])?,
        rejection: typed(node["rejection_reason"].clone())?,
        draft: draft.map(|draft| (draft, text(&node["draft"]["saved_by"]))),
    })
}

fn version(node: &Value) -> Result<Option<Version>, ApiError> {
    let Value::Object(mut fields) = node.clone() else { return Ok(None) };
    let version = fields.remove("version").and_then(|version| version.as_u64()).unwrap_or_default();
    Ok(Some(Version { version, settings: typed(Value::Object(fields))? }))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| ApiError::Refused {
        code: "UNEXPECTED".to_owned(),
        message: format!("something that this version does not know: {error}"),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

impl PresentAccount {
    /// The account as a file says it, without what hangs below it.
    pub fn declared(&self) -> Account {
        let Profile { name, role, region, contact_email, description, industry, privacy_level, match_keys, .. } =
            &self.profile;
        Account {
            name: name.clone(),
            role: *role,
            region: region.clone(),
            contact_email: contact_email.clone(),
            description: Some(description.clone()),
            industry: Some(industry.clone()),
            privacy_level: Some(*privacy_level),
            match_keys: match_keys.clone(),
            members: self.members.clone().unwrap_or_default(),
            data_connections: Vec::new(),
            destinations: Vec::new(),
            connections: Vec::new(),
        }
    }
}
