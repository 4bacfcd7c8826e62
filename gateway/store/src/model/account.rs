//! What an account has beside its profile.

use super::AudienceEdition;
use entente_domain::{
    GenerationId, MatchKey, PrivacyLevel,
    account::{Account, Role},
    connection::Connection,
};

/// What an account starts with, besides what everybody may read. Sealed bytes were encrypted by the gateway.
#[derive(Clone)]
pub struct AccountSecrets {
    /// SHA-256 of the connect code, by which it is found.
    pub connect_code_hash: [u8; 32],
    /// The connect code, to be shown to its account.
    pub connect_code_sealed: Vec<u8>,
    /// The secret that its people's coins are made from.
    pub coin_secret_sealed: Vec<u8>,
}

/// A connect code to be, sealed by the gateway.
#[derive(Clone)]
pub struct NewConnectCode {
    /// SHA-256 of the code, by which it is found.
    pub hash: [u8; 32],
    /// The code, to be shown to its account.
    pub sealed: Vec<u8>,
}

/// What the rule for a new client asks for.
#[derive(Clone, Debug)]
pub struct LoadedAgency {
    /// The agency.
    pub agency: Account,
    /// How many clients it has.
    pub clients: u64,
}

/// What a comparison depends on besides the identities, as it is at one moment.
#[derive(Clone)]
pub struct Standing {
    /// The level of the account's coins.
    pub privacy_level: PrivacyLevel,
    /// The secret that they are made from, encrypted by the gateway.
    pub coin_secret_sealed: Vec<u8>,
    /// The current generation; `None` before anything was sourced.
    pub generation: Option<GenerationId>,
    /// Which audiences it has.
    pub audiences: AudienceEdition,
}

/// A picture as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its media type.
    pub content_type: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What the rules for an account ask for.
#[derive(Clone, Debug)]
pub struct LoadedAccount {
    /// The account.
    pub account: Account,
    /// Keys that its data connections map and that its live connections name.
    pub keys_in_use: Vec<MatchKey>,
}

/// What the rule for an account's deletion asks for.
#[derive(Clone, Debug)]
pub struct LoadedDeletion {
    /// The account.
    pub account: Account,
    /// Its connections that are not over.
    pub live: Vec<Connection>,
    /// How many deliveries to its destinations are under way.
    pub running_deliveries: u64,
    /// How many clients it has, where it is an agency.
    pub clients: u64,
}

/// What a deletion leaves of an account and its connections.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletedAccount {
    /// What is left of it.
    pub account: Account,
    /// All its connections that were not over, as they ended: each one version further.
    pub connections: Vec<Connection>,
}

/// Which accounts of the directory. The directory has publishers and data partners.
#[derive(Clone, Debug, Default)]
pub struct DirectoryFilter {
    /// Part of the name, in any case.
    pub search: Option<String>,
    /// Only this role.
    pub role: Option<Role>,
    /// Only this industry.
    pub industry: Option<String>,
}
