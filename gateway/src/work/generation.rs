//! The next generation of an account's identity index: merged from the current runs of its data connections, written
//! aside, and published by the caller.

use super::Fault;
use crate::{background, gateway::Gateway};
use entente_domain::{AccountId, DataConnectionId, GenerationId};
use entente_identity::generation::{RunSource, write_generation};
use entente_store::Run;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// How often a generation is built anew because another one was published meanwhile.
pub const ATTEMPTS: usize = 5;

/// A generation that nobody reads yet.
pub struct Built {
    /// Its id, which names its folder.
    pub id: GenerationId,
    /// The generation that was current before the runs were looked up.
    pub built_from: Option<GenerationId>,
    /// Distinct identities of the whole account, by match key name.
    pub identities: BTreeMap<String, u64>,
}

/// Builds the next generation of an account. `replacement` takes the place of a data connection's current run.
pub async fn build(
    gateway: &Arc<Gateway>,
    account: AccountId,
    replacement: Option<(DataConnectionId, RunSource)>,
) -> Result<Built, Fault> {
    // The order counts: what is published after this line makes the runs below newer than `built_from`, a conflict.
    let built_from = gateway.store().current_generations(&[account]).await?.remove(&account).map(|g| g.id);
    let runs = gateway.store().runs(account).await?;
    let sources = sources(&runs, &gateway.identities().runs(account), replacement);
    let id = GenerationId::new();
    let out = gateway.identities().generation(account, id);
    let written = background::run(move || {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)?;
        }
        write_generation(&sources, &out)
    });
    let written = written.await.map_err(Fault::new)?.map_err(Fault::new)?;
    let identities = written.keys.into_iter().map(|k| (k.key.to_string(), k.identities)).collect();
    Ok(Built { id, built_from, identities })
}

fn sources(runs: &[Run], folder: &Path, replacement: Option<(DataConnectionId, RunSource)>) -> Vec<RunSource> {
    let replaced = replacement.as_ref().map(|(id, _)| *id);
    let others = runs
        .iter()
        .filter(|run| Some(run.data_connection) != replaced)
        .map(|run| RunSource { run: folder.join(&run.run), slots: run.slots.iter().copied().map(Some).collect() });
    others.chain(replacement.map(|(_, source)| source)).collect()
}

/// Removes a generation that was not published.
pub async fn discard(gateway: &Gateway, account: AccountId, built: &Built) -> Result<(), Fault> {
    let folder = gateway.identities().generation(account, built.id);
    Ok(tokio::fs::remove_dir_all(folder).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_domain::slot::Slot;
    use std::path::PathBuf;

    fn run(data_connection: DataConnectionId, run: &str, slot: u16) -> Run {
        Run {
            data_connection,
            run: run.to_owned(),
            slots: vec![Slot(slot)],
            keys: vec![],
            refreshed_at: entente_domain::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_new_run_takes_the_place_of_its_predecessor_only() {
        let (customers, visitors) = (DataConnectionId::new(), DataConnectionId::new());
        let runs = [run(customers, "old", 1), run(visitors, "other", 2)];
        let read = |replacement| -> Vec<_> {
            sources(&runs, Path::new("runs"), replacement).into_iter().map(|s| (s.run, s.slots)).collect()
        };
        let other = (PathBuf::from("runs/other"), vec![Some(Slot(2))]);
        let new = RunSource { run: "runs/new".into(), slots: vec![Some(Slot(1)), Some(Slot(3))] };
        assert_eq!(read(None), [("runs/old".into(), vec![Some(Slot(1))]), other.clone()]);
        assert_eq!(
            read(Some((customers, new.clone()))),
            [other.clone(), ("runs/new".into(), vec![Some(Slot(1)), Some(Slot(3))])]
        );
        let first = read(Some((DataConnectionId::new(), new)));
        assert_eq!(first.len(), 3);
    }
}
