//! The demo's companies: their accounts, how their files are read, and where they deliver to.

use super::data::Company as Name;
use serde_json::{Value, json};

/// One company of the demo.
pub struct Company {
    /// Who it is.
    pub name: Name,
    role: &'static str,
    description: &'static str,
    industry: &'static str,
    /// Columns that hold identities, their match keys, and whether they are plain.
    fields: &'static [(&'static str, &'static str, bool)],
    /// The column that names the audience.
    audience: &'static str,
}

/// All of them.
pub static COMPANIES: [Company; 3] = [
    Company {
        name: Name::Luma,
        role: "ADVERTISER",
        description: "Sports apparel for everyone.",
        industry: "Apparel",
        fields: &[("email", "HASHED_EMAIL", true), ("phone", "HASHED_PHONE", true)],
        audience: "audience",
    },
    Company {
        name: Name::TvTube,
        role: "PUBLISHER",
        description: "Streaming for the whole family.",
        industry: "Media",
        fields: &[("hashed_email", "HASHED_EMAIL", false), ("hashed_phone", "HASHED_PHONE", false)],
        audience: "audience",
    },
    Company {
        name: Name::FitApparel,
        role: "ADVERTISER",
        description: "Sports apparel for the gym.",
        industry: "Apparel",
        fields: &[("email", "HASHED_EMAIL", true), ("mobile", "HASHED_PHONE", true)],
        audience: "segment",
    },
];

impl Company {
    /// The user's e-mail address.
    pub fn email(&self) -> String {
        format!("demo@{}.example", self.name.name().to_lowercase().replace(' ', "-"))
    }

    /// Input of `createAccount`.
    pub fn account(&self) -> Value {
        json!({
            "name": self.name.name(),
            "role": self.role,
            "description": self.description,
            "industry": self.industry,
            "region": "US",
            "contactEmail": self.email(),
            "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
            "idempotencyKey": "demo",
        })
    }

    /// Input of `createDataConnection`.
    pub fn data_connection(&self, account: &str, upload: &Value) -> Value {
        let field = |(column, key, plain): &(&str, &str, bool)| {
            let transformation = if *plain { "NORMALISE_AND_HASH" } else { "ALREADY_HASHED" };
            json!({ "column": column, "matchKey": { "kind": key }, "transformation": transformation })
        };
        json!({
            "accountId": account,
            "name": "Customers",
            "uploadId": upload,
            "mapping": {
                "fields": self.fields.iter().map(field).collect::<Vec<_>>(),
                "audience": { "column": self.audience },
            },
            "access": { "public": true },
            "consentAcknowledged": true,
        })
    }

    /// Input of `createDestination`.
    pub fn destination(&self, account: &str) -> Value {
        json!({
            "accountId": account,
            "name": "Landing zone",
            "destinationType": "landing-zone",
            "settings": { "folder": "deliveries" },
            "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }],
            "idempotencyKey": "demo",
        })
    }
}
