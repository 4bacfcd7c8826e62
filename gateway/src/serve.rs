//! Starting and stopping the gateway.

use crate::{
    destinations::{allow_list::AllowList, confinement::Limits, process::Workers, registry::Registry},
    figures,
    gateway::Gateway,
    http::{self, documents::Documents},
    identities::Identities,
    rates::Rates,
    secrets::{self, KeyPlace, Secrets},
    settings::Settings,
    subscriptions, telemetry, work,
};
use entente_store::Store;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{future::Future, num::NonZeroU32, os::unix::fs::DirBuilderExt, pin::Pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// What is done right after the start, such as loading the demo.
pub type AfterStart = fn(Arc<Gateway>) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How starting and stopping end.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Work in hand has this long to end after a signal; then it is handed back.
const GRACE: Duration = Duration::from_secs(7);

/// Takes as many open files as the system grants, as far as it does. Connections that plugins have yet to take from the
/// gateway count as well: one that lets them lie must not use up what the others need.
fn allow_many_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Runs the gateway until it is told to stop.
pub async fn serve(settings: Settings, after_start: Option<AfterStart>) -> Outcome {
    let telemetry = telemetry::start(&settings)?;
    allow_many_open_files();
    let documents = Documents::read(&settings)?;
    let key_place = KeyPlace::of(&settings)?;
    // Everything in it is for the gateway alone.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&settings.data)?;
    let store = Store::open(&settings.database()).await?;
    store.log_slow_statements(Duration::from_millis(settings.slow_statement_ms));
    let secrets = Secrets::open(&key_place, &store).await?;
    let chained = store.chain_earlier_audit().await?;
    if chained > 0 {
        tracing::info!(message = "the audit log from before is chained", entries = chained);
    }
    let listener =
        TcpListener::bind(settings.listen).await.map_err(|e| format!("cannot listen on {}: {e}", settings.listen))?;
    let base_url = settings.base_url(listener.local_addr()?);
    let new_operator_token = operator_token(&store).await?;
    let destinations = Arc::new(destination_types(&settings).await?);
    let metrics = figures::record()?;
    let rates = Rates::new(NonZeroU32::new(settings.requests_per_minute).unwrap_or(NonZeroU32::MIN));
    let identities = Identities::new(&settings, &secrets);
    let gateway = Gateway::new(settings, base_url, store, secrets, identities, destinations, rates, metrics);

    let stop = stop_signal()?;
    announce(&gateway, new_operator_token.as_deref());
    let (destinations, stopping) = (gateway.destinations().clone(), gateway.stopping().clone());
    tokio::spawn(async move { destinations.keep_up(stopping).await });
    tokio::spawn(subscriptions::keep_up(gateway.clone()));
    tokio::spawn(figures::keep_up(gateway.metrics().clone(), gateway.stopping().clone()));
    let runner = tokio::spawn(work::run(gateway.clone()));
    let server = axum::serve(listener, http::router(gateway.clone(), documents))
        .with_graceful_shutdown(gateway.stopping().clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    let after = after_start.map(|run| tokio::spawn(run(gateway.clone())));
    let told = async {
        if let Some(after) = after
            && let Ok(Err(error)) = after.await
        {
            eprintln!("entente: {error}");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        signal = stop => signal?,
        () = gateway.stopping().cancelled() => {}
        () = told => {}
    }
    tracing::info!("stopping");
    gateway.stopping().cancel();
    let (worked, _) = tokio::join!(tokio::time::timeout(GRACE, runner), tokio::time::timeout(GRACE, server));
    telemetry.end().await;
    match worked {
        Ok(Ok(Err(sealed))) => Err(format!("{sealed} by now: it was rotated. Start the gateway again").into()),
        _ => Ok(()),
    }
}

/// The operator's token, when this is the first start. Only its hash is kept.
async fn operator_token(store: &Store) -> Result<Option<String>, entente_store::StoreError> {
    let token = secrets::new_token("eo");
    let made = store.set_first_operator_token(secrets::token_hash(&token)).await?;
    Ok(made.then_some(token))
}

async fn destination_types(settings: &Settings) -> Result<Registry, Box<dyn std::error::Error + Send + Sync>> {
    let folders = settings.plugin_folders();
    let list = AllowList::new(settings.allow_list());
    for allowed in list.begin(&folders, crate::clock::now())? {
        tracing::info!(message = "a bundled plugin is allowed", file = allowed.file, sha256 = %allowed.sha256);
    }
    let registry = Registry::new(folders, list, workers(settings).await?);
    let found = registry.refresh().await?;
    tracing::info!(message = "destination types", types = ?found.types);
    for file in &found.not_allowed {
        println!("Not allowed: {0}\n  To use it: entente plugin allow {0}", file.display());
    }
    Ok(registry)
}

/// How plugins are run; what keeps them within their bounds is said once, here.
async fn workers(settings: &Settings) -> Result<Workers, Box<dyn std::error::Error + Send + Sync>> {
    let workers = Workers {
        user: settings.worker_user.find()?,
        limits: Limits { memory: settings.worker_memory, ..Limits::default() },
        ..Workers::of_this_program()?
    };
    workers.probe().await?.tell();
    Ok(workers)
}

fn announce(gateway: &Gateway, operator_token: Option<&str>) {
    println!("Entente {} is ready.", env!("CARGO_PKG_VERSION"));
    println!("  GraphQL page  {}/graphiql", gateway.base_url);
    if !http::graphiql::BUNDLED {
        println!("                (built without Node: the page loads its scripts from the network)");
    }
    println!("  GraphQL API   {}/graphql", gateway.base_url);
    if let Some(token) = operator_token {
        println!("  Operator key  {token}");
        println!("                (shown this once; it creates users)");
    }
    println!("Stop it with Ctrl-C.");
}

/// Listens for signals from now on; ends with the first.
fn stop_signal() -> std::io::Result<impl Future<Output = std::io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    })
}
