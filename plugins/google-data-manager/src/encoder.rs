//! What is sent: up to 10,000 people, one identifier each.
//! <https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest>,
//! <https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/remove>
//!
//! ```json
//! {
//!   "destinations": [{"operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": "1"}, "productDestinationId": "2"}],
//!   "audienceMembers": [{"userData": {"userIdentifiers": [{"emailAddress": "ba7816bf…"}]}}],
//!   "consent": {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"},
//!   "encoding": "HEX",
//!   "termsOfService": {"customerMatchTermsOfServiceStatus": "ACCEPTED"},
//!   "validateOnly": false
//! }
//! ```
//!
//! Consent and terms are not said of people who are removed.

use entente_destination::rows::{Change, Row};
use entente_destination::{DestinationError, IdentityFormat};
use serde::Serialize;

use crate::config::{AccountType, Consent, Identifier, KEYS, Settings};

/// The most people in one request.
/// <https://developers.google.com/data-manager/api/devguides/limits>
pub const MOST_ROWS: usize = 10_000;

/// A request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Members<'a> {
    destinations: [&'a Audience; 1],
    audience_members: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentFacts>,
    encoding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service: Option<Terms>,
    validate_only: bool,
}

/// Where people go.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    operating_account: Account,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_account: Option<Account>,
    product_destination_id: String,
    #[serde(skip)]
    consent: ConsentFacts,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    account_type: AccountType,
    account_id: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsentFacts {
    ad_user_data: Consent,
    ad_personalization: Consent,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Terms {
    customer_match_terms_of_service_status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    user_data: UserData,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserData {
    user_identifiers: [UserIdentifier; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum UserIdentifier {
    EmailAddress(String),
    PhoneNumber(String),
}

impl Audience {
    /// The audience of these settings.
    pub fn new(settings: &Settings) -> Self {
        let account = |account_type, id: &String| Account { account_type, account_id: id.clone() };
        let login_type = settings.login_account_type.unwrap_or(settings.account_type);
        Self {
            operating_account: account(settings.account_type, &settings.account_id),
            login_account: settings.login_account_id.as_ref().map(|id| account(login_type, id)),
            product_destination_id: settings.audience_id.clone(),
            consent: ConsentFacts {
                ad_user_data: settings.ad_user_data,
                ad_personalization: settings.ad_personalization,
            },
        }
    }

    /// The request that adds or removes people.
    ///
    /// # Errors
    /// `Config` for a match key that Google does not take.
    pub fn members<'a>(
        &self,
        change: Change,
        rows: impl Iterator<Item = Row<'a>>,
        validate_only: bool,
    ) -> Result<Members<'_>, DestinationError> {
        let joining = change == Change::Added;
        Ok(Members {
            destinations: [self],
            audience_members: rows.map(member).collect::<Result<_, _>>()?,
            consent: joining.then_some(self.consent),
            encoding: "HEX",
            terms_of_service: joining.then_some(Terms { customer_match_terms_of_service_status: "ACCEPTED" }),
            validate_only,
        })
    }
}

fn member(row: Row<'_>) -> Result<Member, DestinationError> {
    let identity = IdentityFormat::Hex.write(row.identity);
    let identifier = match KEYS.get(row.match_key)? {
        Identifier::EmailAddress => UserIdentifier::EmailAddress(identity),
        Identifier::PhoneNumber => UserIdentifier::PhoneNumber(identity),
    };
    Ok(Member { user_data: UserData { user_identifiers: [identifier] } })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn settings(login: Value) -> Settings {
        serde_json::from_value(json!({
            "account_type": "DISPLAY_VIDEO_ADVERTISER", "account_id": "1", "audience_id": "2", "login_account_id": login,
            "login_account_type": "DATA_PARTNER", "client_id": "", "client_secret": "", "refresh_token": "",
            "ad_user_data": "granted", "ad_personalization": "denied",
        }))
        .unwrap()
    }

    fn written(login: Value, change: Change) -> Value {
        let audience = Audience::new(&settings(login));
        let row = |match_key| Row { match_key, identity: &[0xab; 32], change };
        let rows = [row("hashed_email"), row("hashed_phone")];
        serde_json::to_value(audience.members(change, rows.into_iter(), false).unwrap()).unwrap()
    }

    #[test]
    fn people_are_written_as_documented() {
        let ab = "ab".repeat(32);
        let account = json!({"accountType": "DISPLAY_VIDEO_ADVERTISER", "accountId": "1"});
        let mut expected = json!({
            "destinations": [{"operatingAccount": account, "productDestinationId": "2"}],
            "audienceMembers": [
                {"userData": {"userIdentifiers": [{"emailAddress": ab}]}},
                {"userData": {"userIdentifiers": [{"phoneNumber": ab}]}},
            ],
            "encoding": "HEX",
            "validateOnly": false,
        });
        assert_eq!(written(Value::Null, Change::Removed), expected);
        expected["consent"] = json!({"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_DENIED"});
        expected["termsOfService"] = json!({"customerMatchTermsOfServiceStatus": "ACCEPTED"});
        expected["destinations"][0]["loginAccount"] = json!({"accountType": "DATA_PARTNER", "accountId": "9"});
        assert_eq!(written(json!("9"), Change::Added), expected);
    }
}
