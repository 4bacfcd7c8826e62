//! Who may do what: the one table of rights.

use crate::{AccountId, ApiKeyId, Code, Refusal, UserId};
use serde::{Deserialize, Serialize};

/// What a user or an API key may do in one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberRole {
    /// Reads, runs reports.
    Analyst,
    /// Everything but users, API keys and deleting the account.
    Manager,
    /// Everything.
    Admin,
}

/// Kinds of act, by the least role that may do them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Read what the account may see.
    Read,
    /// Create, edit, run and delete reports.
    RunReports,
    /// Everything that changes audiences, connections, projects, destinations and the account's profile.
    Manage,
    /// Users, API keys, deleting the account.
    Administer,
}

impl MemberRole {
    /// Whether this role may do it.
    pub fn may(self, act: Act) -> bool {
        match act {
            Act::Read | Act::RunReports => true,
            Act::Manage => self >= Self::Manager,
            Act::Administer => self >= Self::Admin,
        }
    }
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Actor {
    /// A signed-in user.
    User(UserId),
    /// An API key of one account.
    ApiKey(ApiKeyId),
    /// The gateway's operator, outside all accounts.
    Operator,
    /// The gateway itself: schedules, expiry.
    Gateway,
}

/// An actor together with the accounts that it may act for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Who acts.
    pub actor: Actor,
    /// The accounts it may act for, and as what.
    pub memberships: Vec<(AccountId, MemberRole)>,
}

impl Viewer {
    /// The role in one account, when there is any.
    pub fn role_in(&self, account: AccountId) -> Option<MemberRole> {
        self.memberships.iter().find(|(id, _)| *id == account).map(|(_, role)| *role)
    }

    /// Whether the viewer may do this for this account. Someone else's account reads like one that does not exist.
    pub fn authorise(&self, account: AccountId, act: Act) -> Result<MemberRole, Refusal> {
        let role = self.role_in(account).ok_or_else(|| Refusal::not_found("account").at("accountId"))?;
        if role.may(act) {
            return Ok(role);
        }
        Err(Refusal::new(
            Code::Forbidden,
            match act {
                Act::Administer => "Only an ADMIN of the account may do this.",
                _ => "Only an ADMIN or a MANAGER of the account may do this.",
            },
        ))
    }

    /// Whether the viewer still has all of these memberships, each with its role. Others may have come.
    pub fn keeps(&self, memberships: &[(AccountId, MemberRole)]) -> bool {
        memberships.iter().all(|(account, role)| self.role_in(*account) == Some(*role))
    }

    /// Whether the viewer is the gateway's operator.
    pub fn is_operator(&self) -> bool {
        self.actor == Actor::Operator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_are_kept_with_their_roles() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let admin = (luma, MemberRole::Admin);
        for (has, had, keeps) in [
            (vec![admin], vec![admin], true),
            (vec![(tv_tube, MemberRole::Admin), admin], vec![admin], true),
            (vec![admin], vec![], true),
            (vec![(luma, MemberRole::Manager)], vec![admin], false),
            (vec![admin], vec![(luma, MemberRole::Analyst)], false),
            (vec![admin], vec![admin, (tv_tube, MemberRole::Analyst)], false),
            (vec![], vec![admin], false),
        ] {
            let viewer = Viewer { actor: Actor::Gateway, memberships: has };
            assert_eq!(viewer.keeps(&had), keeps, "{viewer:?}, {had:?}");
        }
    }
}
