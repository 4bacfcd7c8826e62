//! Pages: Relay's cursor connections under the name of `Page`, because `Connection` is a word of this domain.

use async_graphql::SimpleObject;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use entente_domain::Refusal;

/// Where a page stands in its list.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct PageInfo {
    /// There is more after the last item.
    pub has_next_page: bool,
    /// There is more before the first item.
    pub has_previous_page: bool,
    /// Cursor of the first item.
    pub start_cursor: Option<String>,
    /// Cursor of the last item.
    pub end_cursor: Option<String>,
}

/// The largest page.
pub const LARGEST: i32 = 100;
/// The page that is given when no size is asked for.
pub const USUAL: i32 = 20;

/// How many items a page costs, for the complexity of a query.
pub fn cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let items = first.or(last).unwrap_or(USUAL).clamp(0, LARGEST);
    1 + child * usize::try_from(items).unwrap_or(0).max(1)
}

/// The arguments of a page, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Items, at most [`LARGEST`].
    pub size: u32,
    /// From the end of the list instead of its start.
    pub backward: bool,
    /// Exclusive start cursor.
    pub after: Option<String>,
    /// Exclusive end cursor.
    pub before: Option<String>,
}

impl From<Arguments> for entente_store::PageRequest {
    fn from(arguments: Arguments) -> Self {
        let size = Some(arguments.size as usize);
        let cursor = |text: Option<String>| text.map(entente_store::Cursor);
        Self {
            first: if arguments.backward { None } else { size },
            last: if arguments.backward { size } else { None },
            after: cursor(arguments.after),
            before: cursor(arguments.before),
            uncounted: false,
        }
    }
}

/// Checks the arguments of a page.
pub fn arguments(
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> Result<Arguments, Refusal> {
    let (size, backward) = match (first, last) {
        (Some(_), Some(_)) => return Err(Refusal::invalid("first", "Either `first` or `last`, not both.")),
        (None, Some(last)) => (last, true),
        (first, None) => (first.unwrap_or(USUAL), false),
    };
    let size = u32::try_from(size)
        .ok()
        .filter(|n| (1..=LARGEST as u32).contains(n))
        .ok_or_else(|| Refusal::invalid("first", format!("A page has between 1 and {LARGEST} items.")))?;
    let place = |field, cursor: Option<String>| match cursor {
        Some(cursor) => place(&cursor).map(Some).ok_or_else(|| Refusal::invalid(field, "This is not a cursor.")),
        None => Ok(None),
    };
    Ok(Arguments { size, backward, after: place("after", after)?, before: place("before", before)? })
}

/// The largest page of a list that each item of another list has.
pub const NESTED: usize = 20;

const CURSOR: &str = "cursor:";

/// The cursor of a place in a list: opaque to clients.
pub fn cursor(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR}{place}"))
}

/// The place of a cursor; `None` when it is none.
fn place(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(CURSOR).map(str::to_owned)
}

/// A part of a list that is in memory; `key` is unique in it.
pub fn part_of<T>(list: Vec<T>, key: impl Fn(&T) -> String, arguments: &Arguments) -> entente_store::Page<T> {
    let total = list.len() as u64;
    let mut items: Vec<_> = list.into_iter().map(|item| (entente_store::Cursor(key(&item)), item)).collect();
    let position = |items: &[(entente_store::Cursor, T)], cursor: &Option<String>| {
        cursor.as_ref().and_then(|c| items.iter().position(|(k, _)| k.0 == *c))
    };
    if let Some(end) = position(&items, &arguments.before) {
        items.truncate(end);
    }
    if let Some(start) = position(&items, &arguments.after) {
        items.drain(..=start);
    }
    let size = arguments.size as usize;
    let cut = items.len() > size;
    if arguments.backward {
        items.drain(..items.len().saturating_sub(size));
    } else {
        items.truncate(size);
    }
    entente_store::Page {
        items,
        has_next: if arguments.backward { arguments.before.is_some() } else { cut },
        has_previous: if arguments.backward { cut } else { arguments.after.is_some() },
        total,
    }
}

/// Whether the page that a field answers is asked how many items its list has.
pub fn counted(ctx: &async_graphql::Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

/// Which part is asked for of a list that each item of another list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nested {
    /// Items from its start.
    pub count: usize,
    /// Whether it is asked how many there are.
    pub counted: bool,
}

impl Nested {
    /// Reads the arguments of the field.
    pub fn of(ctx: &async_graphql::Context<'_>, first: i32) -> Result<Self, Refusal> {
        let count = usize::try_from(first).ok().filter(|n| (1..=NESTED).contains(n));
        let refused = || Refusal::invalid("first", format!("This list shows between 1 and {NESTED} items."));
        Ok(Self { count: count.ok_or_else(refused)?, counted: counted(ctx) })
    }
}

/// Declares a page type and its edge type. Items are made once, cursors when they are asked for.
macro_rules! page {
    ($page:ident, $edge:ident, $node:ty, $of:literal) => {
        #[doc = concat!("A page of ", $of, ".")]
        pub struct $page {
            edges: Vec<$edge>,
            has_next: bool,
            has_previous: bool,
            total: u64,
        }

        #[doc = concat!("One of ", $of, ", with its cursor.")]
        pub struct $edge {
            place: entente_store::Cursor,
            node: $node,
        }

        #[doc = concat!("A page of ", $of, ".")]
        #[async_graphql::Object]
        impl $page {
            /// The items with their cursors.
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }

            /// The items.
            async fn nodes(&self) -> Vec<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
            }

            /// Where this page stands in the list.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                let cursor = |edge: &$edge| $crate::graphql::page::cursor(&edge.place.0);
                $crate::graphql::page::PageInfo {
                    has_next_page: self.has_next,
                    has_previous_page: self.has_previous,
                    start_cursor: self.edges.first().map(cursor),
                    end_cursor: self.edges.last().map(cursor),
                }
            }

            /// Items in the whole list.
            async fn total_count(&self) -> $crate::graphql::scalar::SafeInt {
                $crate::graphql::scalar::SafeInt(self.total)
            }
        }

        #[doc = concat!("One of ", $of, ", with its cursor.")]
        #[async_graphql::Object]
        impl $edge {
            /// Where it stands; pass it as `after` or `before`.
            async fn cursor(&self) -> String {
                $crate::graphql::page::cursor(&self.place.0)
            }

            /// The item.
            async fn node(&self) -> &$node {
                &self.node
            }
        }

        impl $page {
            /// Makes a page of what the store gave.
            pub fn of<T>(page: entente_store::Page<T>, node: impl Fn(T) -> $node) -> Self {
                let edges = page.items.into_iter().map(|(place, item)| $edge { place, node: node(item) }).collect();
                Self { edges, has_next: page.has_next, has_previous: page.has_previous, total: page.total }
            }
        }
    };
}
pub(crate) use page;
