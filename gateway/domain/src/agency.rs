//! Agencies and their clients: accounts of advertisers, each with secrets, audiences and connections of its own, for
//! which an agency acts until it hands them over.

use crate::{
    AccountId, Code, Refusal, Timestamp,
    account::{self, Account, NewAccount, Role},
    connection::{self, Connection},
    invitation::{self, Invitation},
};

/// Clients that an agency may have at once.
pub const MOST: u64 = 500;

/// Makes an account for a client. `clients` is how many the agency has.
pub fn create_client(
    agency: &Account,
    clients: u64,
    id: AccountId,
    new: NewAccount,
    now: Timestamp,
) -> Result<Account, Refusal> {
    if agency.role != Role::Agency {
        return Err(Refusal::invalid("accountId", "Only an agency has clients."));
    }
    if clients >= MOST {
        return Err(Refusal::new(
            Code::LimitReached,
            format!("An agency has up to {MOST} clients. Hand one over first."),
        ));
    }
    let client = account::create(id, NewAccount { role: Role::Advertiser, ..new }, now)?;
    Ok(Account { agency: Some(agency.id), ..client })
}

/// What is known when a client is offered to somebody.
#[derive(Clone, Debug)]
pub struct Offering {
    /// The client.
    pub client: Account,
    /// The agency of which an ADMIN offers it.
    pub by: Option<AccountId>,
    /// Whether a user with this address belongs to its agency.
    pub is_in_agency: bool,
    /// How many others are invited to the client.
    pub waiting: u64,
}

/// Whether a client may be offered to somebody, who becomes its ADMIN when accepting.
pub fn offer(known: &Offering) -> Result<(), Refusal> {
    if known.client.agency.is_none() {
        return Err(Refusal::new(Code::WrongState, "This account is its own: no agency acts for it.").at("accountId"));
    }
    if known.by != known.client.agency {
        return Err(Refusal::new(Code::Forbidden, "Only an ADMIN of its agency hands a client over."));
    }
    if known.is_in_agency {
        return Err(belongs_to_agency("email"));
    }
    invitation::may_wait(known.waiting)
}

/// What is known when somebody takes a client over.
#[derive(Clone, Debug)]
pub struct TakingOver {
    /// The client.
    pub client: Account,
    /// The invitation.
    pub invitation: Invitation,
    /// The address of who accepts, in lower case.
    pub email: String,
    /// Whether that user belongs to its agency.
    pub is_in_agency: bool,
    /// The client's connections that are not over.
    pub live: Vec<Connection>,
}

/// A client that became an account of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct HandedOver {
    /// The account.
    pub account: Account,
    /// Its connections that are not over, each one version further.
    pub connections: Vec<Connection>,
}

/// Makes a client an account of its own.
pub fn take_over(known: &TakingOver, now: Timestamp) -> Result<HandedOver, Refusal> {
    let TakingOver { client, invitation, email, is_in_agency, live } = known;
    invitation::may_answer(invitation, email, now)?;
    if !invitation.hands_over {
        let message = "This invitation hands nothing over: accept it with acceptInvitation.";
        return Err(Refusal::new(Code::WrongState, message).at("token"));
    }
    if client.agency.is_none() {
        return Err(invitation::token_invalid());
    }
    if *is_in_agency {
        return Err(belongs_to_agency("token"));
    }
    let account = Account { agency: None, version: client.version + 1, updated_at: now, ..client.clone() };
    let connections = live.iter().map(|connection| connection::handed_over(connection, now)).collect();
    Ok(HandedOver { account, connections })
}

fn belongs_to_agency(field: &'static str) -> Refusal {
    let message = "Whoever takes a client over is not a user of its agency, which acts for it no more then.";
    Refusal::new(Code::WrongState, message).at(field)
}

/// Whether an agency may be deleted: not while it has clients.
pub fn may_go(clients: u64) -> Result<(), Refusal> {
    if clients == 0 {
        return Ok(());
    }
    let message = "This agency has clients; hand them over or delete them first.";
    Err(Refusal::new(Code::WrongState, message).at("accountId"))
}

/// As what two accounts meet in a connection. A client meets publishers and data partners as its agency does; an agency
/// by itself meets neither, nor its own clients.
pub fn meeting(one: &Account, other: &Account) -> Result<(Role, Role), Refusal> {
    if one.agency == Some(other.id) || other.agency == Some(one.id) {
        return Err(Refusal::new(
            Code::PatternNotAllowed,
            "An agency acts for its clients; it is not connected with them.",
        ));
    }
    let sells = |account: &Account| matches!(account.role, Role::Publisher | Role::DataPartner);
    let is_agency = |account: &Account| account.role == Role::Agency;
    if is_agency(one) && sells(other) || is_agency(other) && sells(one) {
        let message = "An agency meets publishers and data partners for its clients: the client is the one to connect.";
        return Err(Refusal::new(Code::PatternNotAllowed, message));
    }
    let role = |account: &Account, other: &Account| {
        if account.agency.is_some() && sells(other) { Role::Agency } else { account.role }
    };
    Ok((role(one, other), role(other, one)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        ConnectionId, InvitationId, MatchKey, MatchKeyKind, PrivacyLevel,
        access::MemberRole,
        account::Profile,
        connection::{CollaborationPattern as P, pattern},
        match_key::AccountMatchKey,
    };
    use chrono::DateTime;

    fn of(role: Role) -> NewAccount {
        let profile = Profile {
            name: "Agency99".to_owned(),
            description: String::new(),
            industry: String::new(),
            contact_email: "team@agency99.example".to_owned(),
        };
        let match_keys =
            vec![AccountMatchKey { key: MatchKey::of(MatchKeyKind::HashedEmail), provider_account_id: None }];
        NewAccount { profile, role, region: "US".to_owned(), match_keys, privacy_level: PrivacyLevel::Standard }
    }

    fn account(role: Role) -> Account {
        account::create(AccountId::new(), of(role), DateTime::UNIX_EPOCH).unwrap()
    }

    fn client(agency: &Account) -> Account {
        create_client(agency, 0, AccountId::new(), of(Role::Publisher), DateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn an_agency_has_advertisers_as_clients() {
        let agency = account(Role::Agency);
        let client = client(&agency);
        assert_eq!((client.role, client.agency), (Role::Advertiser, Some(agency.id)));
        for (role, clients, expected) in [
            (Role::Agency, MOST - 1, None),
            (Role::Agency, MOST, Some(Code::LimitReached)),
            (Role::Advertiser, 0, Some(Code::Invalid)),
            (Role::Publisher, 0, Some(Code::Invalid)),
            (Role::DataPartner, 0, Some(Code::Invalid)),
        ] {
            let new = of(Role::Advertiser);
            let made = create_client(&account(role), clients, AccountId::new(), new, DateTime::UNIX_EPOCH);
            assert_eq!(made.err().map(|refusal| refusal.code), expected, "{role:?} {clients}");
        }
        assert_eq!((may_go(0).is_ok(), may_go(1).is_ok()), (true, false));
    }

    #[test]
    fn a_client_is_offered_to_somebody_outside_its_agency() {
        let agency = account(Role::Agency);
        let own = account(Role::Advertiser);
        let client = client(&agency);
        let by = Some(agency.id);
        for (client, by, is_in_agency, waiting, expected) in [
            (&client, by, false, 0, Ok(())),
            (&client, by, false, invitation::MOST - 1, Ok(())),
            (&client, by, false, invitation::MOST, Err(Code::LimitReached)),
            (&client, by, true, 0, Err(Code::WrongState)),
            (&client, None, false, 0, Err(Code::Forbidden)),
            (&client, Some(own.id), false, 0, Err(Code::Forbidden)),
            (&own, None, false, 0, Err(Code::WrongState)),
            (&agency, by, false, 0, Err(Code::WrongState)),
        ] {
            let known = Offering { client: client.clone(), by, is_in_agency, waiting };
            assert_eq!(offer(&known).map_err(|refusal| refusal.code), expected, "{known:?}");
        }
    }

    #[test]
    fn a_client_is_taken_over_by_its_invitation() {
        let agency = account(Role::Agency);
        let client = client(&agency);
        let [now, later] = [0, 8].map(|days| DateTime::UNIX_EPOCH + chrono::TimeDelta::days(days));
        let email = "lea@luma.example";
        let invitation = Invitation {
            id: InvitationId::new(),
            account: client.id,
            email: email.to_owned(),
            role: MemberRole::Admin,
            hands_over: true,
            created_at: now,
            expires_at: now + invitation::LIFETIME,
        };
        let ordinary = Invitation { hands_over: false, ..invitation.clone() };
        let own = Account { agency: None, ..client.clone() };
        for (client, invitation, email, is_in_agency, at, expected) in [
            (&client, &invitation, email, false, now, None),
            (&client, &invitation, email, true, now, Some(Code::WrongState)),
            (&client, &invitation, "ben@luma.example", false, now, Some(Code::InvitationInvalid)),
            (&client, &invitation, email, false, later, Some(Code::InvitationInvalid)),
            (&client, &ordinary, email, false, now, Some(Code::WrongState)),
            (&own, &invitation, email, false, now, Some(Code::InvitationInvalid)),
        ] {
            let known = TakingOver {
                client: client.clone(),
                invitation: invitation.clone(),
                email: email.to_owned(),
                is_in_agency,
                live: vec![],
            };
            assert_eq!(take_over(&known, at).err().map(|refusal| refusal.code), expected, "{known:?}");
        }
    }

    /// A client that is its own meets its partners as any advertiser does: all else of its connections is as it was.
    #[test]
    fn connections_stay_when_a_client_is_taken_over() {
        let agency = account(Role::Agency);
        let client = client(&agency);
        let now = DateTime::UNIX_EPOCH;
        let others = [Role::Publisher, Role::DataPartner, Role::Advertiser, Role::Agency].map(account);
        let live: Vec<Connection> = others
            .iter()
            .map(|other| {
                let (one, role) = meeting(&client, other).unwrap();
                let sides = ((client.id, one), (other.id, role));
                connection::invite(ConnectionId::new(), sides.0, sides.1, "", None, now).unwrap().0
            })
            .collect();
        let invitation = Invitation {
            id: InvitationId::new(),
            account: client.id,
            email: "lea@luma.example".to_owned(),
            role: MemberRole::Admin,
            hands_over: true,
            created_at: now,
            expires_at: now + invitation::LIFETIME,
        };
        let email = invitation.email.clone();
        let known = TakingOver { client: client.clone(), invitation, email, is_in_agency: false, live };
        let HandedOver { account, connections } = take_over(&known, now).unwrap();
        assert_eq!(account, Account { agency: None, version: client.version + 1, ..client });
        let patterns = [P::AdvertiserToPublisher, P::AdvertiserToDataPartner, P::BrandToBrand, P::AdvertiserToAgency];
        for (((before, after), other), pattern) in known.live.iter().zip(&connections).zip(&others).zip(patterns) {
            assert_eq!(*after, Connection { pattern, version: before.version + 1, ..before.clone() });
            let (one, role) = meeting(&account, other).unwrap();
            assert_eq!(Some(pattern), connection::pattern(one, role), "as if it were invited now");
        }
    }

    #[test]
    fn agencies_meet_others_through_their_clients() {
        let (agency, other_agency) = (account(Role::Agency), account(Role::Agency));
        let (client, sister) = (client(&agency), client(&agency));
        let [brand, tube, data] = [Role::Advertiser, Role::Publisher, Role::DataPartner].map(account);
        for (one, other, expected) in [
            (&client, &tube, Some(P::AgencyToPublisher)),
            (&client, &data, Some(P::AgencyToDataPartner)),
            (&client, &brand, Some(P::BrandToBrand)),
            (&client, &sister, Some(P::BrandToBrand)),
            (&client, &other_agency, Some(P::AdvertiserToAgency)),
            (&client, &agency, None),
            (&agency, &tube, None),
            (&agency, &data, None),
            (&agency, &other_agency, None),
            (&agency, &brand, Some(P::AdvertiserToAgency)),
            (&brand, &tube, Some(P::AdvertiserToPublisher)),
            (&brand, &data, Some(P::AdvertiserToDataPartner)),
            (&tube, &data, None),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let met = meeting(one, other).ok().and_then(|(one, other)| pattern(one, other));
                assert_eq!(met, expected, "{one:?} {other:?}");
            }
        }
    }
}
