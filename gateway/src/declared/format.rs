//! The file of a set-up, as a team keeps it. Its JSON Schema comes from these types. Values are spelt as in the API.
//! What is left out stays as it is, and is the API's default where something is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What should be there. What is there and not in here stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// Where editors find this schema.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Accounts, by name.
    #[serde(default)]
    pub accounts: Vec<Account>,
}

/// An account of whoever applies the file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// By which it is found. Unique in the file.
    pub name: String,
    /// What it is. Fixed once the account exists.
    pub role: Role,
    /// ISO 3166-1 alpha-2. Fixed once the account exists.
    pub region: String,
    /// A team address, shown to others.
    pub contact_email: String,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its industry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// How its people are protected. It can be raised, not lowered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_level: Option<PrivacyLevel>,
    /// What it can match on. Keys that it has beside these stay.
    pub match_keys: Vec<AccountMatchKey>,
    /// Users who may act for it; read and set by an ADMIN.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Where its audiences come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_connections: Vec<DataConnection>,
    /// Where audiences are delivered to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Destination>,
    /// Its agreements with other accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<Connection>,
}

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    Advertiser,
    Publisher,
    Agency,
    DataPartner,
}

/// How an account's people are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
    Standard,
    Strong,
}

/// Kinds of identifier that two accounts can match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MatchKeyKind {
    HashedEmail,
    HashedPhone,
    CrmId,
    LoyaltyId,
    #[serde(rename = "HASHED_IPV_4")]
    HashedIpv4,
    Idfa,
    Gaid,
    Ecid,
    PartnerId,
}

/// A match key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchKey {
    /// The kind of identifier.
    pub kind: MatchKeyKind,
    /// The provider of a partner id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// A match key as an account has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountMatchKey {
    /// The kind of identifier.
    pub kind: MatchKeyKind,
    /// The provider of a partner id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The account's id at the provider. Only, and always, for partner ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_account_id: Option<String>,
}

/// A user of the gateway in an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The user's e-mail address.
    pub email: String,
    /// What the user may do in the account.
    pub role: MemberRole,
}

/// What a user may do in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberRole {
    Admin,
    Manager,
    Analyst,
}

/// A configured source of audiences. It keeps what it was made with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConnection {
    /// By which it is found: 1 to 100 characters, unique in the account.
    pub name: String,
    /// What it is sourced from when it is made. Later files are uploaded for refreshes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// Where it reads by itself, in the place of an upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DataSource>,
    /// When it reads its source by itself; once, when it is made, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// That the people in the data have consented to its use; must be true when it is made. Who says so is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_acknowledged: Option<bool>,
    /// What its audiences are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// Who may see its audiences by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Which figures about its audiences others may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// How its files are read.
    pub mapping: Mapping,
}

/// A file of whoever applies the set-up, CSV or Parquet.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Its path, relative to the set-up.
    pub file: PathBuf,
}

/// A place that is read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The id of a source type. It keeps it.
    #[serde(rename = "type")]
    pub source_type: String,
    /// As the type's settings are. A value `${NAME}` is the environment variable NAME, and a table `{ file = "…" }` is
    /// what that file holds; secrets are written in no other way.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

/// Every few days between two days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Days from one run to the next: 1 to 6.
    pub every_days: u8,
    /// The first UTC day, `YYYY-MM-DD`.
    pub from: String,
    /// The last UTC day, which is included.
    pub until: String,
}

/// Who may see audiences by name, besides their own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Access {
    /// Nobody.
    Private,
    /// Every active connection, and the directory.
    Public,
}

/// Which figures about audiences others may see.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Visibility {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_count: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_percentage: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience_index: Option<bool>,
}

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Which audience a row belongs to.
    pub audience: AudienceSource,
    /// What separates the columns of CSV.
    #[serde(default = "comma")]
    pub delimiter: String,
    /// The columns that hold identities.
    pub fields: Vec<FieldMapping>,
}

fn comma() -> String {
    ",".to_owned()
}

/// Says which audience a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudienceSource {
    /// The column that names it.
    Column(String),
    /// All rows belong to the audience of this name.
    Name(String),
}

/// A column that feeds a match key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldMapping {
    /// Its name in the file.
    pub column: String,
    /// The match key that it feeds.
    pub match_key: MatchKey,
    /// How its values are read.
    pub transformation: Transformation,
}

/// How the values of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Transformation {
    AlreadyHashed,
    NormaliseAndHash,
}

/// A configured place that audiences are delivered to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// By which it is found: 1 to 100 characters, unique in the account.
    pub name: String,
    /// The id of a destination type. It keeps it.
    #[serde(rename = "type")]
    pub destination_type: String,
    /// Match keys that it takes.
    pub match_keys: Vec<MatchKey>,
    /// As the type's settings are. A value `${NAME}` is the environment variable NAME, and a table `{ file = "…" }` is
    /// what that file holds; secrets are written in no other way.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

/// An agreement with another account, as far as this side makes it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The other account.
    pub with: With,
    /// OWNER sends the invite and proposes the settings; RECIPIENT accepts the invite, and settings that are these.
    pub side: Side,
    /// What the owner writes to the invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What should be agreed on. Left out, none are proposed or accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
}

/// Names the other account of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum With {
    /// An account of this file, by its name.
    Account(String),
    /// The id by which others know the account, such as the directory shows it.
    CollaboratorId(String),
    /// Its connect code, a secret: `${NAME}` for the environment variable NAME, or `{ file = "…" }`.
    ConnectCode(Reference),
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a secret is written as \"${NAME}\" or { file = \"…\" }")]
pub enum Reference {
    /// `${NAME}`: in the environment variable NAME.
    Environment(#[schemars(regex(pattern = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"))] String),
    /// In a file.
    File(SecretFile),
}

/// A file that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// Its path, relative to the set-up.
    pub file: PathBuf,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    Owner,
    Recipient,
}

/// What two accounts agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What projects may do; at least one.
    pub use_cases: Vec<UseCase>,
    /// What the two sides match on; at least one, out of those both accounts have.
    pub match_keys: Vec<MatchKey>,
    /// Who may deliver to its destinations.
    pub activators: Activators,
    /// Who pays for the matching of activations.
    pub activation_payer: ActivationPayer,
    /// Who pays for measurement.
    pub measurement_payer: Side,
    /// By which a publisher knows the advertiser. The recipient's file may have more, which it adds when it accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advertiser_names: Vec<AdvertiserName>,
    /// Whether counts are protected or exact.
    #[serde(default)]
    pub counts: Counts,
}

/// What a project may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UseCase {
    Discover,
    Activate,
    Measure,
}

/// Who may deliver to its destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Activators {
    Owner,
    Recipient,
    Both,
}

/// Who pays for the matching of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivationPayer {
    Owner,
    Recipient,
    EachOwn,
}

/// Whether counts are protected or exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Counts {
    #[default]
    Protected,
    Exact,
}

/// A name and id by which a publisher knows the advertiser.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvertiserName {
    /// 1 to 100 characters.
    pub name: String,
    /// The publisher's id for it.
    pub advertiser_id: String,
}

/// The JSON Schema of the file, as it is published.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(SetUp).to_value();
    schema["title"] = "A set-up of Entente, for `entente apply`".into();
    format!("{schema:#}\n")
}
