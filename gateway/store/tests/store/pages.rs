use crate::{
    database::{Database, on_both},
    world::{account, connected, invite, project},
};
use entente_domain::{AccountId, account::Role};
use entente_store::{ConnectionFilter, DirectoryFilter, Page, PageRequest};

fn ids(page: &Page<entente_domain::account::Account>) -> Vec<AccountId> {
    page.items.iter().map(|(_, a)| a.id).collect()
}

async fn pages_go_forward_and_backward(db: Database) {
    let mut all = Vec::new();
    for n in 0..7 {
        all.push(account(&db, &format!("TV Tube {n}"), Role::Publisher).await);
    }
    account(&db, "Luma", Role::Advertiser).await;
    all.reverse();
    let read = |request| db.store.directory(DirectoryFilter::default(), request);

    let (mut forward, mut request) = (Vec::new(), PageRequest::first(3));
    loop {
        let page = read(request).await.unwrap();
        assert_eq!((page.total, page.has_previous), (7, !forward.is_empty()));
        forward.extend(ids(&page));
        if !page.has_next {
            break;
        }
        request = PageRequest::first(3).after(page.items.last().unwrap().0.clone());
    }
    assert_eq!(forward, all);

    let (mut backward, mut request) = (Vec::new(), PageRequest::last(3));
    loop {
        let page = read(request).await.unwrap();
        assert_eq!(page.has_next, !backward.is_empty());
        backward.splice(0..0, ids(&page));
        if !page.has_previous {
            break;
        }
        request = PageRequest::last(3).before(page.items[0].0.clone());
    }
    assert_eq!(backward, all);

    let nul = PageRequest::first(3).after(entente_store::Cursor("a\0b".into()));
    read(nul).await.unwrap();
    let beyond = PageRequest::first(1_000_000).after(entente_store::Cursor("no such place".into()));
    assert!(read(beyond).await.unwrap().items.len() <= 7, "a made-up cursor is harmless");
}

async fn the_directory_is_searched_literally(db: Database) {
    let tv = account(&db, "100% TV_Tube Ä", Role::Publisher).await;
    account(&db, "1000 TVxTube", Role::DataPartner).await;
    for (search, role, found) in [
        ("100%", None, vec![tv]),
        ("tv_tube", None, vec![tv]),
        ("tube Ä", None, vec![tv]),
        ("TV_TUBE", Some(Role::Publisher), vec![tv]),
        ("tv_tube", Some(Role::DataPartner), vec![]),
        ("", Some(Role::Advertiser), vec![]),
        ("tv\0_tube", None, vec![tv]),
        ("\\", None, vec![]),
    ] {
        let filter = DirectoryFilter { search: Some(search.into()), role, ..DirectoryFilter::default() };
        assert_eq!(ids(&db.store.directory(filter, PageRequest::first(9)).await.unwrap()), found, "{search}");
    }
}

/// The sixth connection is only invited, so it can have none.
fn projects_of(n: usize) -> usize {
    if n == 5 { 0 } else { n }
}

async fn nested_lists_take_a_fixed_number_of_statements(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let mut connections = Vec::new();
    for n in 0..6 {
        let tv = account(&db, &format!("TV Tube {n}"), Role::Publisher).await;
        let id = if n == 5 { invite(&db, luma, tv).await } else { connected(&db, luma, tv).await };
        for _ in 0..projects_of(n) {
            project(&db, id, luma).await;
        }
        connections.push(id);
    }
    let mut taken = Vec::new();
    for count in [1, 6] {
        let before = db.store.statements();
        let page = db.store.connections_of_account(luma, ConnectionFilter::default(), PageRequest::first(count));
        let page = page.await.unwrap().into_values();
        let ids: Vec<_> = page.iter().map(|c| c.id).collect();
        let accounts: Vec<_> = page.iter().flat_map(|c| [c.owner, c.recipient]).collect();
        db.store.accounts_by_ids(&accounts).await.unwrap();
        db.store.newest_projects_of_connections(&ids, 2, true).await.unwrap();
        db.store.newest_public_audiences_of_accounts(&accounts, crate::world::at(0), 2, true).await.unwrap();
        taken.push(db.store.statements() - before);
    }
    assert_eq!(taken, [7, 7]);

    let lists = db.store.newest_projects_of_connections(&connections, 2, true).await.unwrap();
    for (n, id) in connections.iter().enumerate() {
        let page = &lists[id];
        let made = projects_of(n);
        assert_eq!((page.items.len(), page.total, page.has_next), (made.min(2), made as u64, made > 2), "{n}");
    }
}

on_both!(
    pages_go_forward_and_backward,
    the_directory_is_searched_literally,
    nested_lists_take_a_fixed_number_of_statements,
);
