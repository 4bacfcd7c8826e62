use crate::{
    database::{Database, done, on_both},
    world::{account, api_key as new_key, at, change, connected, data_connection, email, hash, user},
};
use entente_domain::{
    AccountId, Code, UserId,
    access::{Act, Actor, MemberRole},
    account::Role,
    api_key::{self, Purpose},
};
use entente_store::{ApiKey, Change, Member, Outcome, Picture, User};
use std::collections::BTreeSet;

async fn a_token_is_found_in_one_statement(db: Database) {
    let by = Change { account: None, ..change(AccountId::new(), "createUser") };
    let id = UserId::new();
    let ann = User { id, email: "ann@example.com".into(), name: "Ann".into(), created_at: at(0) };
    done(db.store.create_user(by.clone(), ann, [1; 32]).await);
    let (luma, tv) = (account(&db, "Luma", Role::Advertiser).await, account(&db, "TV Tube", Role::Publisher).await);
    for (at_account, role) in [(luma, MemberRole::Manager), (tv, MemberRole::Analyst)] {
        let rule = move |members: &[Member]| {
            let mut members = members.to_vec();
            members.push(Member { account: at_account, user: id, role, created_at: at(1) });
            Ok(Outcome::of(members))
        };
        done(db.store.change_members(change(at_account, "addMember"), at_account, Box::new(rule)).await);
    }
    let key = ApiKey { expires_at: Some(at(100)), ..new_key(luma) };
    done(db.store.create_api_key(change(luma, "createApiKey"), key.clone(), [2; 32]).await);
    db.store.set_operator_token([3; 32]).await.unwrap();

    let before = db.store.statements();
    let viewer = db.store.viewer_by_token_hash([1; 32], at(5)).await.unwrap().unwrap();
    assert_eq!(db.store.statements() - before, 1);
    assert_eq!(viewer.actor, Actor::User(id));
    assert_eq!(viewer.role_in(luma), Some(MemberRole::Manager));
    assert_eq!(viewer.role_in(tv), Some(MemberRole::Analyst));

    let holder = |hash, seconds| {
        let store = db.store.clone();
        async move { store.viewer_by_token_hash(hash, at(seconds)).await.unwrap() }
    };
    let machine = holder([2; 32], 99).await.unwrap();
    assert_eq!((machine.actor, machine.memberships), (Actor::ApiKey(key.id), vec![(luma, MemberRole::Analyst)]));
    assert_eq!(holder([2; 32], 100).await, None, "it has expired");
    assert!(holder([3; 32], 0).await.unwrap().is_operator());
    assert_eq!(holder([4; 32], 0).await, None);
    let all = db.store.viewers_by_token_hashes(vec![[1; 32], [2; 32], [3; 32], [4; 32]], at(100)).await.unwrap();
    assert_eq!(all.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([[1; 32], [3; 32]]));
    assert_eq!(all[&[1; 32]], viewer);

    db.store.touch_api_key(key.id, at(50)).await.unwrap();
    assert_eq!(db.store.api_keys_by_ids(&[key.id]).await.unwrap()[&key.id].last_used_at, Some(at(50)));
    let foreign = db.store.revoke_api_key(change(tv, "revokeApiKey"), tv, key.id).await.unwrap();
    assert_eq!(foreign.unwrap_err().code, Code::NotFound);
    done(db.store.revoke_api_key(change(luma, "revokeApiKey"), luma, key.id).await);
    assert_eq!(holder([2; 32], 0).await, None, "it is revoked");
    done(db.store.replace_user_token(by, id, [5; 32]).await);
    assert_eq!((holder([1; 32], 0).await.is_none(), holder([5; 32], 0).await.is_some()), (true, true));
}

/// For one overlap at a time; revoking stops both secrets, and an expiry holds for both.
async fn a_rotated_key_has_two_secrets_for_a_while(db: Database) {
    let (luma, tv) = (account(&db, "Luma", Role::Advertiser).await, account(&db, "TV Tube", Role::Publisher).await);
    let key = ApiKey {
        role: MemberRole::Admin,
        purpose: Purpose::Service,
        scopes: Some(vec![Act::Read, Act::ManageData]),
        expires_at: Some(at(500)),
        ..new_key(luma)
    };
    let id = key.id;
    let [first, second, third, fourth] = [hash(), hash(), hash(), hash()];
    done(db.store.create_api_key(change(luma, "createApiKey"), key, first).await);
    let rotate = async |by: AccountId, secret, seconds, until| {
        let change = Change { now: at(seconds), ..change(by, "rotateApiKey") };
        let rule = move |key: &ApiKey| api_key::rotate(key.life(), Some(at(until)), at(seconds)).map(Outcome::of);
        db.store.rotate_api_key(change, by, id, secret, Box::new(rule)).await.unwrap().map_err(|refusal| refusal.code)
    };
    let works = async |secret, seconds| {
        let viewer = db.store.viewer_by_token_hash(secret, at(seconds)).await.unwrap();
        assert!(viewer.as_ref().is_none_or(|v| v.limits == Some(vec![Act::Read, Act::ManageData])), "{viewer:?}");
        viewer.is_some()
    };
    assert_eq!(rotate(tv, second, 1, 100).await, Err(Code::NotFound));
    let rotated = rotate(luma, second, 1, 100).await.unwrap();
    assert_eq!((rotated.rotated_at, rotated.old_works_until), (Some(at(1)), Some(at(100))));
    assert_eq!(db.store.api_keys_by_ids(&[id]).await.unwrap()[&id], rotated);
    for (secret, seconds, expected) in
        [(first, 99, true), (first, 100, false), (second, 99, true), (second, 499, true), (second, 500, false)]
    {
        assert_eq!(works(secret, seconds).await, expected, "{seconds}");
    }
    assert_eq!(rotate(luma, third, 50, 100).await, Err(Code::WrongState), "one overlap at a time");
    rotate(luma, third, 50, 0).await.unwrap();
    assert_eq!((works(first, 51).await, works(second, 51).await, works(third, 51).await), (false, false, true));
    rotate(luma, fourth, 60, 900).await.unwrap();
    assert_eq!((works(third, 499).await, works(third, 500).await), (true, false), "it expires with its key");
    assert!(works(third, 61).await && works(fourth, 61).await);
    done(db.store.revoke_api_key(change(luma, "revokeApiKey"), luma, id).await);
    assert!(!works(third, 61).await && !works(fourth, 61).await);
}

/// However many leave at once, one ADMIN stays.
async fn admins_who_leave_at_once_leave_one(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let mut admins = vec![db.store.members_of_accounts(&[luma]).await.unwrap()[&luma][0].user];
    for name in ["Ann", "Ben", "Cem"] {
        let user = user(&db, name).await;
        let joins =
            move |m: &[Member]| Ok(Outcome::of(m.iter().cloned().chain([Member { user, ..m[0].clone() }]).collect()));
        done(db.store.change_members(change(luma, "setMember"), luma, Box::new(joins)).await);
        admins.push(user);
    }
    let leave = admins.into_iter().map(|user| {
        let store = db.store.clone();
        tokio::spawn(async move {
            let rule = move |m: &[Member]| Ok(Outcome::of(m.iter().filter(|m| m.user != user).cloned().collect()));
            store.change_members(change(luma, "leaveAccount"), luma, Box::new(rule)).await.unwrap()
        })
    });
    let left = futures::future::join_all(leave.collect::<Vec<_>>()).await;
    let refused: Vec<_> = left.into_iter().filter_map(|left| left.unwrap().err()).map(|refusal| refusal.code).collect();
    assert_eq!(refused, [Code::LastAdmin]);
    let members = db.store.members_of_accounts(&[luma]).await.unwrap();
    assert_eq!(members[&luma].iter().map(|m| m.role).collect::<Vec<_>>(), [MemberRole::Admin]);
}

async fn the_last_admin_stays(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = user(&db, "Ben").await;
    let nobody = |_: &[Member]| Ok(Outcome::of(Vec::new()));
    let refused = db.store.change_members(change(luma, "removeMember"), luma, Box::new(nobody)).await.unwrap();
    assert_eq!(refused.unwrap_err().code, Code::LastAdmin);
    let hand_over = move |m: &[Member]| Ok(Outcome::of(vec![Member { user: other, ..m[0].clone() }]));
    done(db.store.change_members(change(luma, "addMember"), luma, Box::new(hand_over)).await);
    let members = db.store.members_of_accounts(&[luma]).await.unwrap();
    assert_eq!(members[&luma].iter().map(|m| m.user).collect::<Vec<_>>(), [other]);
    let stranger = |m: &[Member]| Ok(Outcome::of(vec![Member { user: UserId::new(), ..m[0].clone() }]));
    let refused = db.store.change_members(change(luma, "addMember"), luma, Box::new(stranger)).await.unwrap();
    assert_eq!(refused.unwrap_err().code, Code::NotFound);
}

async fn a_refreshed_connect_code_replaces_the_old_one(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let (first, second) = (hash(), hash());
    let refresh = |hash| db.store.refresh_connect_code(change(luma, "refreshConnectCode"), luma, hash, vec![9]);
    done(refresh(first).await);
    assert_eq!(db.store.account_by_connect_code_hash(first).await.unwrap().unwrap().id, luma);
    done(refresh(second).await);
    assert!(db.store.account_by_connect_code_hash(first).await.unwrap().is_none());
    assert_eq!(db.store.connect_codes_sealed(&[luma]).await.unwrap()[&luma], [9]);
    assert_eq!(db.store.standings(&[luma]).await.unwrap()[&luma].coin_secret_sealed, [2]);
}

/// Coins belong to the account, not to who acts for it: a client that changes hands takes its secret along.
async fn the_coin_secret_stays_whoever_the_members_are(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    for (account, secret) in [(luma, "0a"), (other, "0b")] {
        let literal = if db.url.starts_with("postgres") { format!("'\\x{secret}'") } else { format!("x'{secret}'") };
        db.execute(&format!("UPDATE accounts SET coin_secret_sealed = {literal} WHERE id = '{account}'"))
            .await
            .unwrap();
    }
    let names = ["Runners", "Cyclists"];
    let slots = |account| db.store.slots_for(change(account, "refresh"), account, names.map(str::to_owned).to_vec());
    let before = done(slots(luma).await);
    let agency = user(&db, "Agency").await;
    let hand_over = move |m: &[Member]| Ok(Outcome::of(vec![Member { user: agency, ..m[0].clone() }]));
    done(db.store.change_members(change(luma, "addMember"), luma, Box::new(hand_over)).await);
    done(db.store.refresh_connect_code(change(luma, "refreshConnectCode"), luma, hash(), vec![9]).await);
    assert_eq!(db.store.standings(&[luma]).await.unwrap()[&luma].coin_secret_sealed, [0x0a]);
    assert_eq!(db.store.standings(&[other]).await.unwrap()[&other].coin_secret_sealed, [0x0b]);
    assert_eq!(done(slots(luma).await), before);
}

async fn pictures_are_kept(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let header = Picture { content_type: "image/png".into(), bytes: vec![1, 2, 3] };
    done(db.store.set_logo(change(luma, "setLogo"), luma, Some("<svg/>".into())).await);
    assert_eq!(db.store.pictured_accounts(&[luma]).await.unwrap()[&luma], (true, false));
    done(db.store.set_header_picture(change(luma, "setHeader"), luma, Some(header.clone())).await);
    assert_eq!(db.store.logo(luma).await.unwrap().as_deref(), Some("<svg/>"));
    assert_eq!(db.store.header_picture(luma).await.unwrap(), Some(header));
    done(db.store.set_header_picture(change(luma, "setHeader"), luma, None).await);
    assert_eq!(db.store.header_picture(luma).await.unwrap(), None);
    let unknown = db.store.set_logo(change(luma, "setLogo"), AccountId::new(), None).await.unwrap();
    assert_eq!(unknown.unwrap_err().code, Code::NotFound);
}

async fn keys_are_in_use_by_mappings_and_connections(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    assert!(db.store.keys_in_use(luma).await.unwrap().is_empty());
    data_connection(&db, luma).await;
    assert_eq!(db.store.keys_in_use(luma).await.unwrap(), [email()]);
    assert!(db.store.keys_in_use(tv).await.unwrap().is_empty());
    connected(&db, luma, tv).await;
    assert_eq!(db.store.keys_in_use(tv).await.unwrap(), [email()]);
}

on_both!(
    a_token_is_found_in_one_statement,
    a_rotated_key_has_two_secrets_for_a_while,
    admins_who_leave_at_once_leave_one,
    the_last_admin_stays,
    a_refreshed_connect_code_replaces_the_old_one,
    the_coin_secret_stays_whoever_the_members_are,
    pictures_are_kept,
    keys_are_in_use_by_mappings_and_connections,
);
