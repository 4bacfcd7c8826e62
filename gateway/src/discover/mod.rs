//! Discover: compares the people of two connected accounts through the view that the observed one grants. Everything
//! that leaves here was released by the rules; what was counted stays here.

pub mod audiences;
mod question;
pub mod remembered;
mod view;

use crate::{gateway::Gateway, identities::IdentitiesError, secrets::SecretsError, traces};
use entente_domain::{
    AccountId, ConnectionId, GenerationId, MatchKey, PrivacyLevel, Refusal, Timestamp,
    audience::Audience,
    connection::Connection,
    discover::{self, Answer, Choice, NotPicked, Rated, Shown, Unavailable},
    release::{self, Figure, KeyCount, Rules},
    settings::Settings,
    slot::Slot,
};
use entente_identity::{
    AccountSecret, SlotSet,
    count::{Selection, Target},
};
use entente_store::StoreError;
use question::{Question, Tally};
use std::sync::Arc;
use tracing::Instrument;

/// How often a comparison is begun again because an account switched to a new generation meanwhile.
const ATTEMPTS: usize = 5;

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Counting failed.
    #[error(transparent)]
    Identities(#[from] IdentitiesError),
    /// A coin secret cannot be opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// An account lacks what every account has.
    #[error("an account has no {0}")]
    Incomplete(&'static str),
    /// The indexes changed faster than they could be read.
    #[error("the identity indexes changed again and again")]
    Restless,
}

/// One account's part of a comparison.
struct Party {
    account: AccountId,
    audiences: Arc<[Audience]>,
    active: SlotSet,
}

impl Party {
    fn new(account: AccountId, audiences: Arc<[Audience]>, now: Timestamp) -> Self {
        let active = audiences.iter().filter(|a| a.is_active(now)).map(|a| a.slot).collect();
        Self { account, audiences, active }
    }
}

/// What two accounts may find out about each other in one connection, seen by one of them.
pub struct Discovery {
    gateway: Arc<Gateway>,
    connection: ConnectionId,
    mine: Party,
    theirs: Party,
    keys: Vec<MatchKey>,
    rules: Rules,
    level: PrivacyLevel,
    secret: Arc<AccountSecret>,
    /// When it was opened; mine, then theirs.
    generations: [Option<GenerationId>; 2],
    now: Timestamp,
}

impl Discovery {
    /// Prepares comparisons by `keys`, which both sides agreed on, for `account`, a side of the active connection.
    pub async fn open(
        gateway: &Arc<Gateway>,
        connection: &Connection,
        settings: &Settings,
        account: AccountId,
        keys: Vec<MatchKey>,
    ) -> Result<Self, DiscoverError> {
        let (store, now) = (gateway.store(), crate::clock::now());
        let other = if connection.owner == account { connection.recipient } else { connection.owner };
        let mut standings = store.standings(&[account, other]).await?;
        let mut standing = |account| standings.remove(&account).ok_or(DiscoverError::Incomplete("row"));
        let (my_standing, their_standing) = (standing(account)?, standing(other)?);
        let mine = gateway.known_audiences().of(store, account, my_standing.audiences).await?;
        let theirs = gateway.known_audiences().of(store, other, their_standing.audiences).await?;
        let secret = gateway.secrets().coin_secret(other, &their_standing.coin_secret_sealed)?;
        Ok(Self {
            gateway: gateway.clone(),
            connection: connection.id,
            mine: Party::new(account, mine, now),
            theirs: Party::new(other, theirs, now),
            keys,
            rules: Rules { minimum: gateway.settings.threshold, counts: settings.counts },
            level: their_standing.privacy_level,
            generations: [my_standing.generation, their_standing.generation],
            secret: Arc::new(secret),
            now,
        })
    }

    /// The rules under which answers are released.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Their audiences that this side may see, newest first, of a category when one is asked for.
    pub fn visible(&self, category: Option<&str>) -> Vec<Audience> {
        let is_wanted =
            |a: &Audience| category.is_none_or(|wanted| a.categories.iter().any(|c| c.eq_ignore_ascii_case(wanted)));
        let mut visible: Vec<_> = self.seen().filter(|a| is_wanted(a)).cloned().collect();
        visible.sort_by_key(|a| std::cmp::Reverse(a.id));
        visible
    }

    fn seen(&self) -> impl Iterator<Item = &Audience> {
        self.theirs.audiences.iter().filter(|a| discover::is_visible(a, self.connection, self.now))
    }

    /// What a selection of mine and one of theirs have in common.
    pub async fn compare(&self, mine: &Choice, theirs: &Choice) -> Result<Result<Answer, Refusal>, DiscoverError> {
        let selection = match self.selection(mine) {
            Ok(Ok(selection)) => selection,
            Ok(Err(reason)) => return Ok(Ok(Answer::Unavailable(reason))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (target, shown) = match self.target(theirs) {
            Ok(Ok(target)) => target,
            Ok(Err(reason)) => return Ok(Ok(Answer::Unavailable(reason))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !shown.overlap {
            return Ok(Ok(Answer::Unavailable(Unavailable::NotShown)));
        }
        let counts = self.count(selection, vec![target]).await?;
        Ok(Ok(match counts.of_targets.first() {
            Some(keys) if counts.have_common_key => discover::answer(keys, shown, self.rules),
            _ => Answer::Unavailable(Unavailable::NoCommonKey),
        }))
    }

    /// Each of some audiences of theirs, all visible, against a selection of mine: one count for the whole list.
    pub async fn rate(
        &self,
        mine: &Choice,
        audiences: Vec<Audience>,
    ) -> Result<Result<Vec<Rated>, Refusal>, DiscoverError> {
        let nothing = |reason, audiences: Vec<Audience>| -> Vec<Rated> {
            let rated = |audience| Rated { audience, answer: Answer::Unavailable(reason), index: None };
            audiences.into_iter().map(rated).collect()
        };
        let selection = match self.selection(mine) {
            Ok(Ok(selection)) => selection,
            Ok(Err(reason)) => return Ok(Ok(nothing(reason, audiences))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let targets = std::iter::once(Target::All).chain(audiences.iter().map(|a| Target::One(a.slot))).collect();
        let counts = self.count(selection, targets).await?;
        let Some((all, of_audiences)) = counts.of_targets.split_first().filter(|_| counts.have_common_key) else {
            return Ok(Ok(nothing(Unavailable::NoCommonKey, audiences)));
        };
        let rate = |(audience, keys): (Audience, &Vec<KeyCount>)| {
            if !audience.is_active(self.now) {
                let answer = Answer::Unavailable(Unavailable::TheirAudienceExpired);
                return Rated { audience, answer, index: None };
            }
            let answer = discover::answer(keys, Shown::of(&[&audience]), self.rules);
            let index = discover::index(&audience, self.theirs.active.len(), keys, all, self.rules);
            Rated { audience, answer, index }
        };
        Ok(Ok(audiences.into_iter().zip(of_audiences).map(rate).collect()))
    }

    /// Whom an audience of mine reaches by each key when it is sent, whole or within audiences of theirs; nothing by keys that
    /// do not meet the threshold.
    pub async fn released_keys(
        &self,
        audience: Slot,
        within: &[Slot],
    ) -> Result<Vec<(MatchKey, Option<Figure>)>, DiscoverError> {
        let counts = self.count(Selection::Any(vec![audience]), vec![target_of(within)]).await?;
        let keys = counts.of_targets.into_iter().flatten();
        Ok(keys.map(|k| (k.key.clone(), release::released(&k, self.rules))).collect())
    }

    /// My selection; an id that is not one of mine is refused.
    fn selection(&self, mine: &Choice) -> Result<Result<Selection, Unavailable>, Refusal> {
        let all: Vec<_> = self.mine.audiences.iter().collect();
        Ok(match discover::pick(mine, &all, self.now) {
            Ok(_) if *mine == Choice::All => Ok(Selection::All),
            Ok(picked) => Ok(Selection::Any(picked.iter().map(|a| a.slot).collect())),
            Err(NotPicked::Expired) => Err(Unavailable::OwnAudienceExpired),
            Err(NotPicked::Empty) => Err(Unavailable::NoOwnAudience),
            Err(NotPicked::Unknown) => return Err(Refusal::not_found("audience").at("mine.audienceIds")),
        })
    }

    /// What of theirs is asked for, and what of it is shown. An id that is not visible reads like one that does not
    /// exist.
    fn target(&self, theirs: &Choice) -> Result<Result<(Target, Shown), Unavailable>, Refusal> {
        let (list, is_all): (Vec<_>, _) = match theirs {
            Choice::All => (self.theirs.audiences.iter().collect(), true),
            Choice::Audiences(_) => (self.seen().collect(), false),
        };
        Ok(match discover::pick(theirs, &list, self.now) {
            Ok(_) if is_all => Ok((Target::All, Shown::ALL)),
            Ok(picked) => {
                let slots: Vec<_> = picked.iter().map(|a| a.slot).collect();
                Ok((target_of(&slots), Shown::of(&picked)))
            }
            Err(NotPicked::Expired) => Err(Unavailable::TheirAudienceExpired),
            Err(NotPicked::Empty) => Err(Unavailable::NoTheirAudience),
            Err(NotPicked::Unknown) => return Err(Refusal::not_found("audience").at("theirs.audienceIds")),
        })
    }

    /// Counts one selection against many targets: one merge for each match key, unless it was counted before.
    async fn count(&self, selection: Selection, targets: Vec<Target>) -> Result<Tally, DiscoverError> {
        let mut generations = self.generations;
        for _ in 0..ATTEMPTS {
            let question = self.question(generations, selection.clone(), targets.clone());
            if let Some(counts) = question.remembered() {
                return Ok(counts);
            }
            let counted = self.gateway.identities().compute(self.mine.account, move || question.answer());
            match counted.instrument(traces::counting()).await? {
                Ok(counts) => return Ok(counts),
                // A generation that is replaced goes.
                Err(fault) => match self.current_generations().await? {
                    current if current == generations => return Err(fault.into()),
                    current => generations = current,
                },
            }
        }
        Err(DiscoverError::Restless)
    }

    async fn current_generations(&self) -> Result<[Option<GenerationId>; 2], StoreError> {
        let accounts = [self.mine.account, self.theirs.account];
        let current = self.gateway.store().current_generations(&accounts).await?;
        Ok(accounts.map(|account| current.get(&account).map(|generation| generation.id)))
    }

    fn question(&self, generations: [Option<GenerationId>; 2], selection: Selection, targets: Vec<Target>) -> Question {
        Question {
            gateway: self.gateway.clone(),
            accounts: [self.mine.account, self.theirs.account],
            generations,
            active: [self.mine.active.clone(), self.theirs.active.clone()],
            keys: self.keys.clone(),
            selection,
            targets,
            rules: self.rules,
            level: self.level,
            secret: self.secret.clone(),
            now: self.now,
        }
    }
}

fn target_of(slots: &[Slot]) -> Target {
    match slots {
        [] => Target::All,
        [one] => Target::One(*one),
        several => Target::Any(several.to_vec()),
    }
}
