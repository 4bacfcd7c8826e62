//! Crosswalks: which identities of one match key of an account belong with which of another.

use crate::{
    AccountId, Code, CrosswalkId, Refusal, Timestamp,
    data_connection::{Consent, FieldMapping, Transformation, checked_delimiter, checked_fields},
    match_key::MatchKey,
    refusal::text,
};
use serde::{Deserialize, Serialize};

/// How many crosswalks an account may have.
pub const MOST_CROSSWALKS: usize = 20;

/// A column that holds identities of one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// Its name in the header.
    pub column: String,
    /// How its values are read.
    pub transformation: Transformation,
}

/// One side of the links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrosswalkSide {
    /// A match key of the account.
    pub match_key: MatchKey,
    /// The columns that hold its identities; at least one.
    pub columns: Vec<KeyColumn>,
}

impl CrosswalkSide {
    /// Its columns, each with the match key that it feeds.
    pub fn fields(&self) -> Vec<FieldMapping> {
        let field = |column: &KeyColumn| FieldMapping {
            column: column.column.clone(),
            match_key: self.match_key.clone(),
            transformation: column.transformation,
        };
        self.columns.iter().map(field).collect()
    }
}

/// Where a crosswalk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CrosswalkStatus {
    /// It was not loaded yet.
    Pending,
    /// Its last load succeeded.
    Active,
    /// Its last load failed; what was there before stays.
    Failed,
}

/// How much is linked. Identities are distinct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Distinct pairs.
    pub links: u64,
    /// Identities of the join key.
    pub join_identities: u64,
    /// Identities of the linked key.
    pub linked_identities: u64,
    /// Identities of the join key with several links.
    pub one_to_many: u64,
    /// Identities of the linked key with several links.
    pub many_to_one: u64,
}

/// A crosswalk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crosswalk {
    /// Its id.
    pub id: CrosswalkId,
    /// Whose it is.
    pub account: AccountId,
    /// 1 to 100 characters.
    pub name: String,
    /// The match key by which audiences are known.
    pub join: CrosswalkSide,
    /// The match key by which they are compared as well.
    pub linked: CrosswalkSide,
    /// One ASCII character.
    pub delimiter: char,
    /// Who acknowledged consent, when.
    pub consent: Consent,
    /// Where it is.
    pub status: CrosswalkStatus,
    /// Why the last load failed: a sentence without values.
    pub failure: Option<String>,
    /// Where the links lie: a name that is safe in a path. `None` before they were loaded.
    pub links: Option<String>,
    /// How much is linked.
    pub counts: LinkCounts,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Crosswalk {
    /// Whether it links these two keys, in whichever direction.
    pub fn is_between(&self, one: &MatchKey, other: &MatchKey) -> bool {
        let (join, linked) = (&self.join.match_key, &self.linked.match_key);
        (join, linked) == (one, other) || (join, linked) == (other, one)
    }
}

/// What is needed to create a crosswalk.
#[derive(Clone, Debug)]
pub struct NewCrosswalk {
    /// Name.
    pub name: String,
    /// The match key by which audiences are known.
    pub join: CrosswalkSide,
    /// The match key by which they are compared as well.
    pub linked: CrosswalkSide,
    /// A comma unless said otherwise.
    pub delimiter: char,
    /// Must be true.
    pub consent_acknowledged: bool,
}

/// Creates a crosswalk, unless the account has one between these keys. `present` are the account's crosswalks.
pub fn create(
    id: CrosswalkId,
    (account, account_keys): (AccountId, &[MatchKey]),
    present: &[Crosswalk],
    new: NewCrosswalk,
    by: &str,
    now: Timestamp,
) -> Result<Crosswalk, Refusal> {
    if !new.consent_acknowledged {
        let message = "Acknowledge that the people in this data have consented to its use.";
        return Err(Refusal::new(Code::ConsentMissing, message).at("consentAcknowledged"));
    }
    if new.join.match_key == new.linked.match_key {
        return Err(Refusal::invalid("linked.matchKey", "The two match keys are the same."));
    }
    if present.iter().any(|c| c.is_between(&new.join.match_key, &new.linked.match_key)) {
        let message = "There is a crosswalk between these match keys already; load that one again.";
        return Err(Refusal::new(Code::AlreadyExists, message).at("linked.matchKey"));
    }
    if present.len() >= MOST_CROSSWALKS {
        let message = format!("An account has at most {MOST_CROSSWALKS} crosswalks.");
        return Err(Refusal::new(Code::LimitReached, message));
    }
    for (side, field) in [(&new.join, "join"), (&new.linked, "linked")] {
        checked_fields(side.fields(), account_keys).map_err(|refusal| of_side(refusal, field))?;
    }
    Ok(Crosswalk {
        id,
        account,
        name: checked_name(&new.name)?,
        join: new.join,
        linked: new.linked,
        delimiter: checked_delimiter(new.delimiter).map_err(|refusal| refusal.at("delimiter"))?,
        consent: Consent { by: by.to_owned(), at: now },
        status: CrosswalkStatus::Pending,
        failure: None,
        links: None,
        counts: LinkCounts::default(),
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    text("name", name, 1, 100)
}

/// Says of which side a refusal is.
fn of_side(refusal: Refusal, side: &str) -> Refusal {
    let field = if refusal.code == Code::MatchKeyUnavailable { "matchKey" } else { "columns" };
    refusal.at(&format!("{side}.{field}"))
}

/// A crosswalk with another name.
pub fn renamed(crosswalk: &Crosswalk, name: &str, now: Timestamp) -> Result<Crosswalk, Refusal> {
    Ok(changed(Crosswalk { name: checked_name(name)?, ..crosswalk.clone() }, now))
}

/// A crosswalk that is being loaded again: its links and how its last load ended stay until this one has.
pub fn loaded_again(crosswalk: &Crosswalk, now: Timestamp) -> Crosswalk {
    changed(crosswalk.clone(), now)
}

/// A crosswalk whose links were replaced.
pub fn loaded(crosswalk: &Crosswalk, links: &str, counts: LinkCounts, now: Timestamp) -> Crosswalk {
    let (status, links) = (CrosswalkStatus::Active, Some(links.to_owned()));
    changed(Crosswalk { status, failure: None, links, counts, ..crosswalk.clone() }, now)
}

/// A crosswalk that could not be loaded; the reason is a sentence without values.
pub fn failed(crosswalk: &Crosswalk, reason: &str, now: Timestamp) -> Crosswalk {
    let (status, failure) = (CrosswalkStatus::Failed, Some(reason.to_owned()));
    changed(Crosswalk { status, failure, ..crosswalk.clone() }, now)
}

fn changed(crosswalk: Crosswalk, now: Timestamp) -> Crosswalk {
    Crosswalk { version: crosswalk.version + 1, updated_at: now, ..crosswalk }
}

/// Of an account's crosswalks, the one that has links between two keys, in whichever direction.
pub fn between<'a>(crosswalks: &'a [Crosswalk], one: &MatchKey, other: &MatchKey) -> Option<&'a Crosswalk> {
    crosswalks.iter().find(|c| c.links.is_some() && c.is_between(one, other))
}

/// Which of the keys that were sent can be delivered as another key of the receiver: that key itself, and those with a
/// crosswalk to it, of which there must be one.
pub fn deliverable(
    sent: &[MatchKey],
    deliver_as: &MatchKey,
    crosswalks: &[Crosswalk],
) -> Result<Vec<MatchKey>, Refusal> {
    let is_linked = |key: &MatchKey| between(crosswalks, key, deliver_as).is_some();
    if !sent.iter().any(is_linked) {
        let message = format!("There is no crosswalk with links between {} and a match key sent.", deliver_as.name());
        return Err(Refusal::new(Code::CrosswalkMissing, message).at("deliverAs"));
    }
    Ok(sent.iter().filter(|key| *key == deliver_as || is_linked(key)).cloned().collect())
}

/// Whether every key that is matched can still be delivered as another.
pub fn delivers(matched: &[MatchKey], deliver_as: &MatchKey, crosswalks: &[Crosswalk]) -> bool {
    matched.iter().all(|key| key == deliver_as || between(crosswalks, key, deliver_as).is_some())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::MatchKeyKind::{self, CrmId, HashedEmail, HashedPhone, Idfa, LoyaltyId};
    use proptest::prelude::*;

    fn key(kind: MatchKeyKind) -> MatchKey {
        MatchKey::of(kind)
    }

    fn side(kind: MatchKeyKind, columns: &[&str]) -> CrosswalkSide {
        let column = |column: &&str| KeyColumn {
            column: (*column).to_owned(),
            transformation: Transformation::NormaliseAndHash,
        };
        CrosswalkSide { match_key: key(kind), columns: columns.iter().map(column).collect() }
    }

    fn new(join: CrosswalkSide, linked: CrosswalkSide) -> NewCrosswalk {
        NewCrosswalk { name: "Customers".to_owned(), join, linked, delimiter: ',', consent_acknowledged: true }
    }

    fn made(present: &[Crosswalk], new: NewCrosswalk) -> Result<Crosswalk, Refusal> {
        let keys = [CrmId, HashedEmail, HashedPhone, LoyaltyId].map(key);
        create(CrosswalkId::new(), (AccountId::new(), &keys), present, new, "user", Timestamp::UNIX_EPOCH)
    }

    fn linking(join: MatchKeyKind, linked: MatchKeyKind) -> Crosswalk {
        let crosswalk = made(&[], new(side(join, &["a"]), side(linked, &["b"]))).unwrap();
        loaded(&crosswalk, "links", LinkCounts::default(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_crosswalk_links_two_keys_of_the_account() {
        let sound = || new(side(CrmId, &["id"]), side(HashedEmail, &["home", "work"]));
        assert_eq!(made(&[], sound()).unwrap().status, CrosswalkStatus::Pending);
        assert!(made(&[linking(CrmId, HashedPhone)], sound()).is_ok());
        let there_and_back = [linking(CrmId, HashedEmail), linking(HashedEmail, CrmId)];
        let many = vec![linking(CrmId, HashedPhone); MOST_CROSSWALKS];
        for (present, new, code, field) in [
            (
                &[][..],
                NewCrosswalk { consent_acknowledged: false, ..sound() },
                Code::ConsentMissing,
                "consentAcknowledged",
            ),
            (&[], new(side(CrmId, &["a"]), side(CrmId, &["b"])), Code::Invalid, "linked.matchKey"),
            (&[], new(side(Idfa, &["a"]), side(CrmId, &["b"])), Code::MatchKeyUnavailable, "join.matchKey"),
            (&[], new(side(CrmId, &["a"]), side(Idfa, &["b"])), Code::MatchKeyUnavailable, "linked.matchKey"),
            (&[], new(side(CrmId, &[]), side(HashedEmail, &["b"])), Code::Invalid, "join.columns"),
            (&[], new(side(CrmId, &["a"]), side(HashedEmail, &["b", "b"])), Code::Invalid, "linked.columns"),
            (&[], NewCrosswalk { delimiter: 'x', ..sound() }, Code::Invalid, "delimiter"),
            (&[], NewCrosswalk { name: String::new(), ..sound() }, Code::Invalid, "name"),
            (&there_and_back[..1], sound(), Code::AlreadyExists, "linked.matchKey"),
            (&there_and_back[1..], sound(), Code::AlreadyExists, "linked.matchKey"),
            (&many, sound(), Code::LimitReached, ""),
        ] {
            let refusal = made(present, new).unwrap_err();
            assert_eq!((refusal.code, refusal.field.join(".").as_str()), (code, field), "{refusal}");
        }
    }

    #[test]
    fn a_load_that_fails_leaves_the_links() {
        let now = Timestamp::UNIX_EPOCH;
        let active = linking(CrmId, HashedEmail);
        let failed = failed(&loaded_again(&active, now), "The file is empty.", now);
        assert_eq!((failed.status, failed.links.as_deref()), (CrosswalkStatus::Failed, Some("links")));
        assert_eq!(failed.version, active.version + 2);
        let again = loaded(&failed, "newer", LinkCounts::default(), now);
        assert_eq!(
            (again.status, again.failure, again.links.as_deref()),
            (CrosswalkStatus::Active, None, Some("newer"))
        );
    }

    #[test]
    fn links_are_followed_in_either_direction_once_they_are_loaded() {
        let unloaded = made(&[], new(side(CrmId, &["a"]), side(HashedEmail, &["b"]))).unwrap();
        let email_and_phone = [HashedEmail, HashedPhone].map(key);
        let crosswalks = [linking(CrmId, HashedEmail)];
        for (sent, deliver_as, crosswalks, expected) in [
            (&email_and_phone[..], CrmId, &crosswalks[..], Ok(vec![key(HashedEmail)])),
            (&[key(CrmId)], HashedEmail, &crosswalks, Ok(vec![key(CrmId)])),
            (&[key(CrmId), key(HashedEmail)], CrmId, &crosswalks, Ok([CrmId, HashedEmail].map(key).to_vec())),
            (&email_and_phone, CrmId, std::slice::from_ref(&unloaded), Err(Code::CrosswalkMissing)),
            (&email_and_phone, LoyaltyId, &crosswalks, Err(Code::CrosswalkMissing)),
            (&email_and_phone, HashedEmail, &crosswalks, Err(Code::CrosswalkMissing)),
            (&[], CrmId, &crosswalks, Err(Code::CrosswalkMissing)),
        ] {
            let found = deliverable(sent, &key(deliver_as), crosswalks).map_err(|r| r.code);
            assert_eq!(found, expected, "{sent:?} as {deliver_as:?}");
            if let Ok(matched) = found {
                assert!(delivers(&matched, &key(deliver_as), crosswalks));
                assert!(!delivers(&matched, &key(deliver_as), &[]));
            }
        }
    }

    proptest! {
        /// Whatever is created one after the other, no two are between the same keys.
        #[test]
        fn one_crosswalk_between_two_keys(pairs in prop::collection::vec((0usize..4, 0usize..4), 0..40)) {
            let kinds = [CrmId, HashedEmail, HashedPhone, LoyaltyId];
            let mut present: Vec<Crosswalk> = vec![];
            for (join, linked) in pairs {
                present.extend(made(&present, new(side(kinds[join], &["a"]), side(kinds[linked], &["b"]))));
            }
            for (i, a) in present.iter().enumerate() {
                prop_assert!(a.join.match_key != a.linked.match_key);
                prop_assert!(present[..i].iter().all(|b| !a.is_between(&b.join.match_key, &b.linked.match_key)));
            }
            prop_assert!(present.len() <= 6);
        }
    }
}
