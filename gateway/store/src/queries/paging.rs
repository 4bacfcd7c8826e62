//! Pages by key, and the first pages of many lists in one statement.

/// Reads one page of a list, newest first, and the length of the list: two statements.
///
/// `$rows` is a boxed query without columns; it is evaluated twice. `$key` is the id column.
macro_rules! page {
    ($conn:expr, $request:expr, $rows:expr, $key:expr, $row:ty) => {{
        let request: &crate::PageRequest = $request;
        let total: i64 = $rows.select(diesel::dsl::count_star()).get_result($conn).await?;
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

/// A condition that holds for the newest `count` rows of each parent, in two parts: a condition on the rows goes between
/// them. The ids are UUIDs and so need no quoting.
pub(super) fn newest_of_each(table: &str, parent: &str, parents: &[String], count: usize) -> (String, String) {
    let uuids = parents.iter().filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    let mut list = uuids.map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        list.push_str("''");
    }
    let count = count.min(crate::LARGEST_PAGE) + 1;
    (
        format!(
            "{table}.id IN (SELECT id FROM \
             (SELECT id, row_number() OVER (PARTITION BY {parent} ORDER BY id DESC) AS place \
             FROM {table} WHERE {parent} IN ({list}) AND "
        ),
        format!(") AS ranked WHERE place <= {count})"),
    )
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
