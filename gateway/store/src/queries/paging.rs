//! Pages by key, and the first pages of many lists in one statement.

use super::super::{Db, Instant, Parents, ParentsSql, newest_of_parents};
use diesel::{
    QueryResult,
    expression::Expression,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};
use entente_domain::Timestamp;

/// Reads one page of a list, newest first, and the length of the list if that is asked for: at most two statements.
///
/// `$rows` is a boxed query without columns; it is evaluated twice. `$key` is the id column.
macro_rules! page {
    ($conn:expr, $request:expr, $rows:expr, $key:expr, $row:ty) => {{
        let request: &crate::PageRequest = $request;
        let total: i64 = match request.uncounted {
            true => 0,
            false => $rows.select(diesel::dsl::count_star()).get_result($conn).await?,
        };
        let mut rows = $rows.select(<$row as diesel::SelectableHelper<_>>::as_select()).limit(request.limit());
        if let Some(after) = &request.after {
            rows = rows.filter($key.lt(crate::columns::plain(&after.0)));
        }
        if let Some(before) = &request.before {
            rows = rows.filter($key.gt(crate::columns::plain(&before.0)));
        }
        let rows = if request.is_backward() { rows.order($key.asc()) } else { rows.order($key.desc()) };
        let rows: Vec<$row> = rows.load($conn).await?;
        let items = rows
            .into_iter()
            .map(|row| Ok((crate::Cursor(row.id.clone()), row.try_into()?)))
            .collect::<Result<Vec<_>, crate::StoreError>>()?;
        Ok(request.page(items, total))
    }};
}

/// Reads one page of a list in the order of a number, and the length of the list: two statements.
macro_rules! numbered_page {
    ($conn:expr, $request:expr, $rows:expr, $key:expr, $row:ty) => {{
        let request: &crate::PageRequest = $request;
        let total: i64 = $rows.select(diesel::dsl::count_star()).get_result($conn).await?;
        let mut rows = $rows.select(<$row as diesel::SelectableHelper<_>>::as_select()).limit(request.limit());
        if let Some(after) = &request.after {
            rows = rows.filter($key.gt(after.0.parse::<i64>().unwrap_or(i64::MAX)));
        }
        if let Some(before) = &request.before {
            rows = rows.filter($key.lt(before.0.parse::<i64>().unwrap_or(i64::MIN)));
        }
        let rows = if request.is_backward() { rows.order($key.desc()) } else { rows.order($key.asc()) };
        let rows: Vec<$row> = rows.load($conn).await?;
        let items = rows
            .into_iter()
            .map(|row| Ok((crate::Cursor(row.ordinal.to_string()), row.try_into()?)))
            .collect::<Result<Vec<_>, crate::StoreError>>()?;
        Ok(request.page(items, total))
    }};
}

/// The newest rows of each parent, newest first, in one statement that is always the same text, so that it is prepared once.
pub(super) struct NewestOfEach<S> {
    columns: S,
    table: &'static str,
    parent: &'static str,
    parents: Parents,
    condition: Option<(&'static str, Timestamp)>,
    count: usize,
}

/// Selects columns of the newest `count` rows, and one more, of each of the `parents` in the column `parent`.
pub(super) fn newest_of_each<S>(
    columns: S,
    table: &'static str,
    parent: &'static str,
    parents: Vec<String>,
    count: usize,
) -> NewestOfEach<S> {
    let count = count.min(crate::LARGEST_PAGE) + 1;
    NewestOfEach { columns, table, parent, parents: Parents::new(parents), condition: None, count }
}

impl<S> NewestOfEach<S> {
    /// Only rows for which an SQL text, followed by an instant, holds.
    pub(super) fn only(self, condition: &'static str, instant: Timestamp) -> Self {
        Self { condition: Some((condition, instant)), ..self }
    }
}

impl<S: Expression> Query for NewestOfEach<S> {
    type SqlType = S::SqlType;
}

impl<S> QueryId for NewestOfEach<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<Db>> QueryFragment<Db> for NewestOfEach<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Db>) -> QueryResult<()> {
        let [from_parents, of_parent, newest] = newest_of_parents(self.table, self.parent, self.count);
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(&from_parents);
        out.push_bind_param::<ParentsSql, _>(&self.parents.0)?;
        out.push_sql(&of_parent);
        if let Some((condition, instant)) = &self.condition {
            out.push_sql(" AND ");
            out.push_sql(condition);
            out.push_bind_param::<Instant, _>(instant)?;
        }
        out.push_sql(&newest);
        Ok(())
    }
}

/// Groups the newest rows of each parent into first pages.
pub(super) fn first_pages<P, T>(
    parents: Vec<P>,
    items: impl IntoIterator<Item = (P, crate::Cursor, T)>,
    totals: &std::collections::HashMap<P, i64>,
    count: usize,
) -> std::collections::HashMap<P, crate::Page<T>>
where
    P: Copy + Eq + std::hash::Hash,
{
    let request = crate::PageRequest::first(count);
    let mut lists: std::collections::HashMap<P, Vec<(crate::Cursor, T)>> =
        parents.into_iter().map(|parent| (parent, Vec::new())).collect();
    for (parent, cursor, item) in items {
        lists.entry(parent).or_default().push((cursor, item));
    }
    lists.into_iter().map(|(p, list)| (p, request.page(list, totals.get(&p).copied().unwrap_or(0)))).collect()
}

pub(super) use {numbered_page, page};
