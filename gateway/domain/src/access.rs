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

/// Kinds of act, by the least role that may do them. An API key may be limited to some; it reads whatever else it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Act {
    /// Read what the account may see.
    Read,
    /// Create, edit, run and delete reports.
    RunReports,
    /// Uploads, data connections, crosswalks, opt-outs, audiences, exposures and conversions.
    ManageData,
    /// Connections, the connect code, projects and campaigns.
    ManageConnections,
    /// Destinations, sent audiences and activations.
    ManageDeliveries,
    /// The account itself: its profile, its privacy level, its audit log, and whatever is not among the others.
    ManageAccount,
    /// Users, API keys, deleting the account.
    Administer,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::RunReports,
        Self::ManageData,
        Self::ManageConnections,
        Self::ManageDeliveries,
        Self::ManageAccount,
        Self::Administer,
    ];
}

impl MemberRole {
    /// Whether this role may do it.
    pub fn may(self, act: Act) -> bool {
        match act {
            Act::Read | Act::RunReports => true,
            Act::ManageData | Act::ManageConnections | Act::ManageDeliveries | Act::ManageAccount => {
                self >= Self::Manager
            }
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
    /// Those of them that are clients for which it acts as one of their agency, with that agency.
    pub agencies: Vec<(AccountId, AccountId)>,
    /// What an API key is limited to beside reading; none: to nothing but its role.
    pub limits: Option<Vec<Act>>,
}

impl Viewer {
    /// The role in one account, when there is any.
    pub fn role_in(&self, account: AccountId) -> Option<MemberRole> {
        self.memberships.iter().find(|(id, _)| *id == account).map(|(_, role)| *role)
    }

    /// The agency as one of which the viewer acts for an account; none where it acts for the account alone.
    pub fn agency_for(&self, account: AccountId) -> Option<AccountId> {
        self.agencies.iter().find(|(client, _)| *client == account).map(|(_, agency)| *agency)
    }

    /// Whether the viewer may do this for this account. Someone else's account reads like one that does not exist.
    pub fn authorise(&self, account: AccountId, act: Act) -> Result<MemberRole, Refusal> {
        let role = self.role_in(account).ok_or_else(|| Refusal::not_found("account").at("accountId"))?;
        if !role.may(act) {
            let message = match act {
                Act::Administer => "Only an ADMIN of the account may do this.",
                _ => "Only an ADMIN or a MANAGER of the account may do this.",
            };
            return Err(Refusal::new(Code::Forbidden, message));
        }
        if act != Act::Read && self.limits.as_ref().is_some_and(|limits| !limits.contains(&act)) {
            return Err(Refusal::new(Code::Forbidden, "Neither the scopes nor the purpose of this API key allow it."));
        }
        Ok(role)
    }

    /// Whether the viewer still has all memberships of before, each with its role, and the same limits. Memberships may have
    /// come.
    pub fn keeps(&self, before: &Self) -> bool {
        let has = |(account, role): &(AccountId, MemberRole)| self.role_in(*account) == Some(*role);
        self.limits == before.limits && before.memberships.iter().all(has)
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
    fn memberships_are_kept_with_their_roles_and_limits() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let admin = (luma, MemberRole::Admin);
        let viewer = |memberships, limits| Viewer { actor: Actor::Gateway, memberships, agencies: vec![], limits };
        for (has, had, keeps) in [
            (vec![admin], vec![admin], true),
            (vec![(tv_tube, MemberRole::Admin), admin], vec![admin], true),
            (vec![admin], vec![], true),
            (vec![(luma, MemberRole::Manager)], vec![admin], false),
            (vec![admin], vec![(luma, MemberRole::Analyst)], false),
            (vec![admin], vec![admin, (tv_tube, MemberRole::Analyst)], false),
            (vec![], vec![admin], false),
        ] {
            let (now, before) = (viewer(has, None), viewer(had, None));
            assert_eq!(now.keeps(&before), keeps, "{now:?}, {before:?}");
        }
        let data = Some(vec![Act::ManageData]);
        for (has, had, keeps) in [
            (data.clone(), data.clone(), true),
            (None, data.clone(), false),
            (data.clone(), None, false),
            (Some(vec![Act::ManageData, Act::Administer]), data, false),
        ] {
            let (now, before) = (viewer(vec![admin], has), viewer(vec![admin], had));
            assert_eq!(now.keeps(&before), keeps, "{now:?}, {before:?}");
        }
    }
}
