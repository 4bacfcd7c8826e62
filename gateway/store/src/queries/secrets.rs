//! What an account has that is not for everybody's eyes: its connect code and its coin secret, both encrypted by the
//! gateway; and its pictures, which are too large to be read with it.

use super::{super::Conn, Changed, Done, Read, schema::accounts};
use crate::{Outcome, Picture, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, Refusal};
use std::collections::HashMap;

/// Gives an account another connect code; the old one finds nobody from now on.
pub async fn refresh_connect_code(conn: &mut Conn, id: AccountId, hash: [u8; 32], sealed: Vec<u8>) -> Changed<()> {
    let account = diesel::update(accounts::table.find(id.to_string()));
    let written = account
        .set((accounts::connect_code_hash.eq(columns::hash(&hash)), accounts::connect_code_sealed.eq(sealed)))
        .execute(conn)
        .await?;
    found(written)
}

/// The encrypted connect codes of accounts.
pub async fn connect_codes_sealed(conn: &mut Conn, ids: Vec<AccountId>) -> Read<HashMap<AccountId, Vec<u8>>> {
    let rows: Vec<(String, Vec<u8>)> = accounts::table
        .filter(accounts::id.eq_any(columns::texts(ids)))
        .select((accounts::id, accounts::connect_code_sealed))
        .load(conn)
        .await?;
    rows.into_iter().map(|(id, sealed)| Ok((columns::id(&id)?, sealed))).collect()
}

/// Sets or removes an account's logo, an SVG that was made safe before.
pub async fn set_logo(conn: &mut Conn, id: AccountId, svg: Option<String>) -> Changed<()> {
    let account = diesel::update(accounts::table.find(id.to_string()));
    found(account.set(accounts::logo_svg.eq(svg)).execute(conn).await?)
}

/// An account's logo.
pub async fn logo(conn: &mut Conn, id: AccountId) -> Read<Option<String>> {
    let svg = accounts::table.find(id.to_string()).select(accounts::logo_svg).first(conn).await.optional()?;
    Ok(svg.flatten())
}

/// Sets or removes an account's header picture.
pub async fn set_header_picture(conn: &mut Conn, id: AccountId, picture: Option<Picture>) -> Changed<()> {
    let (content_type, bytes) = picture.map(|p| (p.content_type, p.bytes)).unzip();
    let account = diesel::update(accounts::table.find(id.to_string()));
    let written = account
        .set((accounts::header_picture.eq(bytes), accounts::header_picture_type.eq(content_type)))
        .execute(conn)
        .await?;
    found(written)
}

/// An account's header picture.
pub async fn header_picture(conn: &mut Conn, id: AccountId) -> Read<Option<Picture>> {
    let row: Option<(Option<String>, Option<Vec<u8>>)> = accounts::table
        .find(id.to_string())
        .select((accounts::header_picture_type, accounts::header_picture))
        .first(conn)
        .await
        .optional()?;
    Ok(match row {
        Some((Some(content_type), Some(bytes))) => Some(Picture { content_type, bytes }),
        _ => None,
    })
}

/// Which of these accounts have a logo, and which a header picture.
pub async fn pictured(conn: &mut Conn, ids: Vec<AccountId>) -> Read<HashMap<AccountId, (bool, bool)>> {
    let rows: Vec<(String, bool, bool)> = accounts::table
        .filter(accounts::id.eq_any(columns::texts(ids)))
        .select((accounts::id, accounts::logo_svg.is_not_null(), accounts::header_picture.is_not_null()))
        .load(conn)
        .await?;
    rows.into_iter().map(|(id, logo, header)| Ok((columns::id(&id)?, (logo, header)))).collect()
}

fn found(written: usize) -> Changed<()> {
    if written == 1 { Ok(Done::now(Outcome::of(()))) } else { Err(Refusal::not_found("account").into()) }
}
