//! Accounts: one collaborator, a brand in one role.

use crate::{
    AccountId, Code, PrivacyLevel, Refusal, Timestamp,
    match_key::{self, AccountMatchKey, MatchKey},
    refusal::text,
};
use serde::{Deserialize, Serialize};

/// What a collaborator is. Fixed once the account exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Has customers and wants to reach people.
    Advertiser,
    /// Has an audience and runs campaigns.
    Publisher,
    /// Acts for advertisers.
    Agency,
    /// Has data about people.
    DataPartner,
}

/// What can be edited about an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// 1 to 100 characters.
    pub name: String,
    /// Up to 2,000 characters.
    pub description: String,
    /// Up to 100 characters.
    pub industry: String,
    /// A team address; people outside the account may see it.
    pub contact_email: String,
}

impl Profile {
    /// Trims and checks every field.
    pub fn checked(self) -> Result<Self, Refusal> {
        Ok(Self {
            name: text("name", &self.name, 1, 100)?,
            description: text("description", &self.description, 0, 2_000)?,
            industry: text("industry", &self.industry, 0, 100)?,
            contact_email: email_address("contactEmail", &self.contact_email)?,
        })
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What can be edited.
    pub profile: Profile,
    /// Fixed.
    pub role: Role,
    /// ISO 3166-1 alpha-2, upper-case. Fixed. Phone numbers without a country code are read as of this region.
    pub region: String,
    /// The agency that acts for it; none: it is its own.
    pub agency: Option<AccountId>,
    /// What it can match on.
    pub match_keys: Vec<AccountMatchKey>,
    /// How its people are protected.
    pub privacy_level: PrivacyLevel,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// What it can match on, without its ids at providers.
    pub fn keys(&self) -> Vec<MatchKey> {
        self.match_keys.iter().map(|of_account| of_account.key.clone()).collect()
    }
}

/// What is needed to create an account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Name, description, industry, contact.
    pub profile: Profile,
    /// Fixed from here on.
    pub role: Role,
    /// ISO 3166-1 alpha-2.
    pub region: String,
    /// At least one.
    pub match_keys: Vec<AccountMatchKey>,
    /// STANDARD unless asked for otherwise.
    pub privacy_level: PrivacyLevel,
}

/// Creates an account.
pub fn create(id: AccountId, new: NewAccount, now: Timestamp) -> Result<Account, Refusal> {
    let region = new.region.trim().to_ascii_uppercase();
    if region.len() != 2 || !region.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Refusal::invalid("region", "A region is two letters (ISO 3166-1 alpha-2), such as US or DE."));
    }
    Ok(Account {
        id,
        profile: new.profile.checked()?,
        role: new.role,
        region,
        agency: None,
        match_keys: checked_keys(match_key::change(&[], new.match_keys, &[])?)?,
        privacy_level: new.privacy_level,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// What may be changed about an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// A new industry.
    pub industry: Option<String>,
    /// A new team address.
    pub contact_email: Option<String>,
    /// All match keys, as they should be.
    pub match_keys: Option<Vec<AccountMatchKey>>,
}

/// Changes an account. `keys_in_use` are those of its data connections, its crosswalks, its opt-outs and
/// its live connections.
pub fn update(
    account: &Account,
    change: AccountChange,
    keys_in_use: &[MatchKey],
    now: Timestamp,
) -> Result<Account, Refusal> {
    let mut next = account.clone();
    let present = account.profile.clone();
    next.profile = Profile {
        name: change.name.unwrap_or(present.name),
        description: change.description.unwrap_or(present.description),
        industry: change.industry.unwrap_or(present.industry),
        contact_email: change.contact_email.unwrap_or(present.contact_email),
    }
    .checked()?;
    if let Some(keys) = change.match_keys {
        next.match_keys = checked_keys(match_key::change(&account.match_keys, keys, keys_in_use)?)?;
    }
    next.version += 1;
    next.updated_at = now;
    Ok(next)
}

/// Raises an account's privacy level. It is never lowered: the coins of two levels are drawn apart, so who has seen the same
/// people through both knows more of them than either level tells, and an account that went back and forth would only
/// add to that. What was read under the lower level has been read.
pub fn raise_privacy_level(account: &Account, level: PrivacyLevel, now: Timestamp) -> Result<Account, Refusal> {
    if level < account.privacy_level {
        let message = "The privacy level can be raised, not lowered: others would see the same people through another set of \
                       coins, and with it more clearly than either level tells.";
        return Err(Refusal::new(Code::PrivacyLevelLowered, message).at("privacyLevel"));
    }
    Ok(Account { privacy_level: level, version: account.version + 1, updated_at: now, ..account.clone() })
}

/// What is left of an account that is deleted: its name, role and region, for the records of those who dealt with it.
pub fn deleted(account: &Account, now: Timestamp) -> Account {
    let profile = Profile {
        name: account.profile.name.clone(),
        description: String::new(),
        industry: String::new(),
        contact_email: String::new(),
    };
    Account {
        profile,
        agency: None,
        match_keys: Vec::new(),
        version: account.version + 1,
        updated_at: now,
        ..account.clone()
    }
}

/// Checks that whoever deletes an account knows which one it is.
pub fn confirmed(account: &Account, name: &str) -> Result<(), Refusal> {
    if name.trim() == account.profile.name {
        return Ok(());
    }
    Err(Refusal::invalid("accountName", "Write the name of the account that is to be deleted."))
}

fn checked_keys(keys: Vec<AccountMatchKey>) -> Result<Vec<AccountMatchKey>, Refusal> {
    keys.into_iter()
        .map(|mut k| {
            k.provider_account_id = match (&k.key.provider, k.provider_account_id) {
                (Some(_), Some(id)) => Some(text("matchKeys", &id, 1, 100)?),
                (Some(provider), None) => {
                    let message = format!("The id of this account at {provider} is missing.");
                    return Err(Refusal::invalid("matchKeys", message));
                }
                (None, _) => None,
            };
            Ok(k)
        })
        .collect()
}

/// Checks the form of an e-mail address; whether it can be reached is not known.
pub fn email_address(field: &str, value: &str) -> Result<String, Refusal> {
    let value = text(field, value, 3, 254)?;
    let well_formed = value.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.contains('@')
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if !well_formed || value.chars().any(char::is_whitespace) {
        return Err(Refusal::invalid(field, "This is not an e-mail address."));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::MatchKeyKind;
    use chrono::DateTime;

    #[test]
    fn the_privacy_level_only_rises() {
        use PrivacyLevel::{Standard, Strong};
        let now = DateTime::UNIX_EPOCH;
        for (from, to, allowed) in
            [(Standard, Standard, true), (Standard, Strong, true), (Strong, Strong, true), (Strong, Standard, false)]
        {
            let profile = Profile {
                name: "Luma".into(),
                description: String::new(),
                industry: String::new(),
                contact_email: "team@example.com".into(),
            };
            let match_keys =
                vec![AccountMatchKey { key: MatchKey::of(MatchKeyKind::HashedEmail), provider_account_id: None }];
            let new =
                NewAccount { profile, role: Role::Advertiser, region: "US".into(), match_keys, privacy_level: from };
            let luma = create(AccountId::new(), new, now).unwrap();
            match raise_privacy_level(&luma, to, now) {
                Ok(raised) => assert_eq!((allowed, raised.privacy_level, raised.version), (true, to, 2)),
                Err(refusal) => assert_eq!((allowed, refusal.code), (false, Code::PrivacyLevelLowered)),
            }
        }
    }
}
