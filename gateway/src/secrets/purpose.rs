//! What is sealed is sealed for a purpose: a text that names what it is and whose, authenticated with it, so that nobody who
//! writes to the database can put one secret in the place of another.

use entente_domain::{AccountId, ConsentId, DeliveryId, DestinationId, EventWebhookId, UploadId};
use entente_store::Sealed;

/// The purpose of a lasting secret of the gateway.
pub fn of_gateway_secret(name: &str) -> String {
    format!("gateway secret: {name}")
}

/// The purpose of an account's connect code.
pub fn of_connect_code(account: AccountId) -> String {
    format!("connect code of {account}")
}

/// The purpose of the secret that the coins of an account's people are made from.
pub fn coin_purpose(account: AccountId) -> String {
    format!("coin secret of {account}")
}

/// The purpose of the key of an upload's file.
pub fn of_upload_key(upload: UploadId) -> String {
    format!("upload {upload}")
}

/// The purpose of a destination's settings.
pub fn of_destination_settings(destination: DestinationId) -> String {
    format!("destination {destination}")
}

/// The purpose of the settings of a source, by the id of what is read from it. Data connections were the first of these.
pub fn of_source_settings(id: &str) -> String {
    format!("source of data connection {id}")
}

/// The purpose of what a plugin keeps of a delivery.
pub fn of_delivery_state(delivery: DeliveryId) -> String {
    format!("state of delivery {delivery}")
}

/// The purpose of what a consent was begun with, and of what came of it.
pub fn of_consent(consent: ConsentId) -> String {
    format!("consent {consent}")
}

/// The purpose of the secrets that an event webhook is signed with.
pub fn of_event_webhook_secret(webhook: EventWebhookId) -> String {
    format!("secret of event webhook {webhook}")
}

/// The purpose of what goes with a browser that signs in.
pub const OF_SIGN_INS: &str = "sign-in of a browser";

/// The purpose of the address of a report.
pub const OF_REPORT_LINKS: &str = "link to a report";

/// The purpose of a value of the database.
pub fn of(sealed: &Sealed) -> String {
    match sealed {
        Sealed::GatewaySecret(name) => of_gateway_secret(name),
        Sealed::ConnectCode(account) => of_connect_code(*account),
        Sealed::CoinSecret(account) => coin_purpose(*account),
        Sealed::UploadKey(upload) => of_upload_key(*upload),
        Sealed::DestinationSettings(destination) => of_destination_settings(*destination),
        Sealed::SourceSettings(id) => of_source_settings(id),
        Sealed::DeliveryState(delivery) => of_delivery_state(*delivery),
        Sealed::Consent(consent) => of_consent(*consent),
        Sealed::EventWebhookSecret(webhook) => of_event_webhook_secret(*webhook),
    }
}
