//! A gateway with nothing that runs beside it, for tests.

use crate::{
    destinations::{allow_list::AllowList, process::Workers, registry::Registry},
    gateway::Gateway,
    identities::Identities,
    rates::Rates,
    secrets::{GatewayKey, KeyPlace, Secrets},
    settings::Settings,
};
use entente_store::Store;
use std::{num::NonZeroU32, sync::Arc};

/// Opens a gateway with a key of its own and without destination types.
pub async fn gateway(settings: Settings) -> Result<Arc<Gateway>, Box<dyn std::error::Error + Send + Sync>> {
    let store = Store::open(&settings.database()).await?;
    let secrets = Secrets::open(&KeyPlace::Environment(GatewayKey::random()), &store).await?;
    let allow_list = AllowList::new(settings.allow_list());
    let destinations = Arc::new(Registry::new(vec![], allow_list, Workers::of_this_program()?));
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let rates = Rates::new(NonZeroU32::new(settings.requests_per_minute).unwrap_or(NonZeroU32::MIN));
    let identities = Identities::new(&settings, &secrets);
    let address = "http://gateway.example".to_owned();
    Ok(Gateway::new(settings, address, store, secrets, identities, destinations, rates, metrics))
}
