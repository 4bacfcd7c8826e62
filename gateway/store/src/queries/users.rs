//! People who sign in.

use super::{super::Conn, Changed, Done, Read, change::unless_taken, idempotency, paging::page, schema::users};
use crate::{Change, Created, Outcome, Page, PageRequest, StoreError, User, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{Code, Refusal, Timestamp, UserId};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
struct UserRow {
    id: String,
    email: String,
    name: String,
    created_at: Timestamp,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Read<Self> {
        Ok(Self { id: columns::id(&row.id)?, email: row.email, name: row.name, created_at: row.created_at })
    }
}

/// Makes a user with a token.
pub async fn create(conn: &mut Conn, change: &Change, user: User, token_hash: [u8; 32]) -> Changed<Created<UserId>> {
    if let Some(first) = idempotency::claim(conn, change, &user.id).await? {
        return Ok(Done::repeated(first));
    }
    let id = user.id;
    let row = UserRow { id: id.to_string(), email: user.email, name: user.name, created_at: user.created_at };
    let written = diesel::insert_into(users::table)
        .values((row, users::token_hash.eq(columns::hash(&token_hash))))
        .execute(conn)
        .await;
    unless_taken(written, || {
        Refusal::new(Code::AlreadyExists, "There is a user with this e-mail address already.").at("email")
    })?;
    Ok(Done::created(id, Outcome::of(())))
}

/// Gives a user another token; the old one stops working.
pub async fn replace_token(conn: &mut Conn, id: UserId, token_hash: [u8; 32]) -> Changed<()> {
    let written = diesel::update(users::table.find(id.to_string()))
        .set(users::token_hash.eq(columns::hash(&token_hash)))
        .execute(conn)
        .await?;
    if written == 0 {
        return Err(Refusal::not_found("user").into());
    }
    Ok(Done::now(Outcome::of(())))
}

/// The address of a user, in lower case.
pub async fn address(conn: &mut Conn, id: UserId) -> Result<String, Stop> {
    let email = users::table.find(id.to_string()).select(users::email).first(conn).await.optional()?;
    Ok(email.ok_or_else(|| Refusal::not_found("user"))?)
}

/// Users by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<UserId>) -> Read<HashMap<UserId, User>> {
    let rows =
        users::table.filter(users::id.eq_any(columns::texts(ids))).select(UserRow::as_select()).load(conn).await?;
    rows.into_iter().map(|row| User::try_from(row).map(|user| (user.id, user))).collect()
}

/// The user with an e-mail address.
pub async fn by_email(conn: &mut Conn, email: String) -> Read<Option<User>> {
    let row = users::table
        .filter(users::email.eq(columns::plain(&email)))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(User::try_from).transpose()
}

/// All users, newest first.
pub async fn all(conn: &mut Conn, request: PageRequest) -> Read<Page<User>> {
    page!(conn, &request, users::table.into_boxed::<super::super::Db>(), users::id, UserRow)
}
