//! The next generation of an account's identity index: merged from the current runs of its data connections, through its
//! crosswalks and without those on its list of opt-outs, written aside, and published by the caller.

use super::Fault;
use crate::{background, gateway::Gateway, identities::key_name};
use entente_domain::{AccountId, CrosswalkId, DataConnectionId, GenerationId, crosswalk::Crosswalk};
use entente_identity::{
    crosswalk::CrosswalkSource,
    generation::{Generation, RunSource, write_generation_without},
};
use entente_store::{AudienceSizes, Run};
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
    /// Distinct identities of each of its audiences.
    pub audience_sizes: AudienceSizes,
}

/// What takes the place of what is current.
#[derive(Clone)]
pub enum Replacement {
    /// A run of a data connection.
    Run(DataConnectionId, RunSource),
    /// Links of a crosswalk, by the name of their folder.
    Links(CrosswalkId, String),
}

/// Builds the next generation of an account.
pub async fn build(
    gateway: &Arc<Gateway>,
    account: AccountId,
    replacement: Option<Replacement>,
) -> Result<Built, Fault> {
    // The order counts: what is published after this line makes what is read below newer than `built_from`, a conflict.
    let built_from = gateway.store().current_generations(&[account]).await?.remove(&account).map(|g| g.id);
    let runs = gateway.store().runs(account).await?;
    let crosswalks = gateway.store().all_crosswalks(account).await?;
    let opt_outs = gateway.store().opt_outs_of_accounts(&[account]).await?.remove(&account);
    let opt_outs = opt_outs.map(|list| gateway.identities().opt_outs(account).join(list.files));
    let (run, links) = match replacement {
        Some(Replacement::Run(id, source)) => (Some((id, source)), None),
        Some(Replacement::Links(id, links)) => (None, Some((id, links))),
        None => (None, None),
    };
    let crosswalks = crosswalk_sources(&crosswalks, &gateway.identities().crosswalks(account), links.as_ref());
    let sources = sources(&runs, &gateway.identities().runs(account), run);
    let id = GenerationId::new();
    let out = gateway.identities().generation(account, id);
    let written = background::run(move || {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)?;
        }
        write_generation_without(opt_outs.as_deref(), &sources, &crosswalks, &out)
    });
    let written = written.await.map_err(Fault::new)?.map_err(Fault::new)?;
    let identities = written.keys.iter().map(|k| (k.key.to_string(), k.identities)).collect();
    Ok(Built { id, built_from, identities, audience_sizes: audience_sizes(&written) })
}

fn audience_sizes(written: &Generation) -> AudienceSizes {
    let mut sizes = AudienceSizes::new();
    for key in &written.keys {
        for (slot, identities) in &key.slots {
            sizes.entry(*slot).or_default().insert(key.key.to_string(), *identities);
        }
    }
    sizes
}

/// The crosswalks that have links, or get them now.
fn crosswalk_sources(
    crosswalks: &[Crosswalk],
    folder: &Path,
    replacement: Option<&(CrosswalkId, String)>,
) -> Vec<CrosswalkSource> {
    let source = |crosswalk: &Crosswalk| {
        let new = replacement.filter(|(id, _)| *id == crosswalk.id).map(|(_, links)| links);
        Some(CrosswalkSource {
            crosswalk: folder.join(new.or(crosswalk.links.as_ref())?),
            join: key_name(&crosswalk.join.match_key),
            linked: key_name(&crosswalk.linked.match_key),
        })
    };
    crosswalks.iter().filter_map(source).collect()
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
