//! The texts of a set-up in the form in which a gateway keeps them, so that they differ in what they say only.

use super::format::{Account, AudienceSource, Connection, DataConnection, Destination, MatchKey, SetUp};

/// Brings all texts of a set-up into that form.
pub fn tidy(set_up: &mut SetUp) {
    for account in &mut set_up.accounts {
        self::account(account);
        account.data_connections.iter_mut().for_each(data_connection);
        account.destinations.iter_mut().for_each(destination);
        account.connections.iter_mut().for_each(connection);
    }
}

fn account(account: &mut Account) {
    trim(&mut account.name);
    trim(&mut account.contact_email);
    account.region = account.region.trim().to_ascii_uppercase();
    account.description.iter_mut().chain(&mut account.industry).for_each(trim);
    account.match_keys.iter_mut().for_each(|key| provider(&mut key.provider));
    account.members.iter_mut().for_each(|member| member.email = member.email.trim().to_lowercase());
}

fn data_connection(data: &mut DataConnection) {
    trim(&mut data.name);
    data.categories.iter_mut().flatten().for_each(trim);
    match &mut data.mapping.audience {
        AudienceSource::Column(text) | AudienceSource::Name(text) => trim(text),
    }
    data.mapping.fields.iter_mut().for_each(|field| match_key(&mut field.match_key));
}

fn destination(destination: &mut Destination) {
    trim(&mut destination.name);
    destination.match_keys.iter_mut().for_each(match_key);
}

fn connection(connection: &mut Connection) {
    connection.note.iter_mut().for_each(trim);
    if let Some(settings) = &mut connection.settings {
        settings.match_keys.iter_mut().for_each(match_key);
        for named in &mut settings.advertiser_names {
            trim(&mut named.name);
            trim(&mut named.advertiser_id);
        }
    }
}

fn match_key(key: &mut MatchKey) {
    provider(&mut key.provider);
}

fn provider(named: &mut Option<String>) {
    named.iter_mut().for_each(|name| *name = name.trim().to_ascii_lowercase());
}

fn trim(text: &mut String) {
    *text = text.trim().to_owned();
}
