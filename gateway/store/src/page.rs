//! Pages: by key, never by offset, so that a page costs the same wherever it is.

/// The largest page that is ever read.
pub const LARGEST_PAGE: usize = 200;

/// The place of one item in its list. Opaque outside the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cursor(pub String);

/// Which page: forward with `first` and `after`, backward with `last` and `before`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// How many from the start.
    pub first: Option<usize>,
    /// Only what comes after this.
    pub after: Option<Cursor>,
    /// How many from the end; with it the page is read backward.
    pub last: Option<usize>,
    /// Only what comes before this.
    pub before: Option<Cursor>,
    /// Nobody asks how many items the whole list has; the page says none.
    pub uncounted: bool,
}

impl PageRequest {
    /// The first page.
    pub fn first(count: usize) -> Self {
        Self { first: Some(count), ..Self::default() }
    }

    /// The last page.
    pub fn last(count: usize) -> Self {
        Self { last: Some(count), ..Self::default() }
    }

    /// The same, after an item.
    #[must_use]
    pub fn after(self, cursor: Cursor) -> Self {
        Self { after: Some(cursor), ..self }
    }

    /// The same, before an item.
    #[must_use]
    pub fn before(self, cursor: Cursor) -> Self {
        Self { before: Some(cursor), ..self }
    }

    /// Whether the rows are read from the end of the list.
    pub(crate) fn is_backward(&self) -> bool {
        self.first.is_none() && self.last.is_some()
    }

    /// How many items the page has at most.
    pub(crate) fn size(&self) -> usize {
        self.first.or(self.last).unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE)
    }

    /// How many rows are read: one more than the page has, which tells whether there are further ones.
    pub(crate) fn limit(&self) -> i64 {
        self.size() as i64 + 1
    }

    /// Makes a page of the rows that were read with [`PageRequest::limit`], in the order in which they were read.
    pub(crate) fn page<T>(&self, mut items: Vec<(Cursor, T)>, total: i64) -> Page<T> {
        let more = items.len() > self.size();
        items.truncate(self.size());
        let (has_next, has_previous) = if self.is_backward() {
            items.reverse();
            (self.before.is_some(), more)
        } else {
            (more, self.after.is_some())
        };
        Page { items, has_next, has_previous, total: total.max(0) as u64 }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items with their places, in the order of the list.
    pub items: Vec<(Cursor, T)>,
    /// Whether items follow.
    pub has_next: bool,
    /// Whether items precede.
    pub has_previous: bool,
    /// How many items the whole list has, if it was counted.
    pub total: u64,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), has_next: false, has_previous: false, total: 0 }
    }
}

impl<T> Page<T> {
    /// Its first items, at most so many.
    #[must_use]
    pub fn cut(mut self, count: usize) -> Self {
        self.has_next |= self.items.len() > count;
        self.items.truncate(count);
        self
    }

    /// The items without their places.
    pub fn into_values(self) -> Vec<T> {
        self.items.into_iter().map(|(_, item)| item).collect()
    }
}
