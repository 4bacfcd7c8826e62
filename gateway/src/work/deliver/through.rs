//! Delivering matched identities as another key of the receiver, through its crosswalks.

use super::{files, sources::Sources};
use crate::{gateway::Gateway, work::Fault};
use entente_domain::{MatchKey, crosswalk};
use entente_identity::{
    crosswalk::{Direction, LinkedSet, MatchedSet, links_path, write_linked_set},
    opt_out::OptOuts,
    source::DEFAULT_MEMORY,
};
use std::path::{Path, PathBuf};

/// The key that is delivered, and how each matched key leads to it.
pub struct Through {
    /// The key that is delivered.
    pub key: MatchKey,
    /// By matched key, the links to follow; none where it is the key that is delivered.
    links: Vec<(MatchKey, Option<PathBuf>)>,
}

impl Through {
    /// `None` when matched identities are delivered as they are.
    pub fn of(gateway: &Gateway, sources: &Sources) -> Option<Self> {
        let activation = &sources.activation;
        let key = activation.deliver_as.clone()?;
        let folder = gateway.identities().crosswalks(activation.account);
        let links = |matched: &MatchKey| {
            let crosswalk = crosswalk::between(&sources.crosswalks, matched, &key)?;
            let direction = if crosswalk.join.match_key == *matched { Direction::ToLinked } else { Direction::ToJoin };
            Some(links_path(&folder.join(crosswalk.links.as_ref()?), direction))
        };
        let links = activation.match_keys.iter().map(|matched| (matched.clone(), links(matched))).collect();
        Some(Self { key, links })
    }

    /// Makes the set that is delivered from those that were matched, which go. Those who opted out are left out.
    pub fn write(&self, gateway: &Gateway, folder: &Path, opt_outs: Option<&OptOuts>) -> Result<LinkedSet, Fault> {
        let matched: Vec<MatchedSet> = self
            .links
            .iter()
            .map(|(key, links)| MatchedSet { set: files::matched(folder, key), links: links.clone() })
            .collect();
        let scratch = gateway.identities().scratch()?;
        let out = files::set(folder, &self.key);
        let linked = write_linked_set(&matched, opt_outs, &scratch, DEFAULT_MEMORY, &out).map_err(Fault::new)?;
        for matched in matched {
            std::fs::remove_file(matched.set)?;
        }
        Ok(linked)
    }
}
