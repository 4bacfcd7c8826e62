//! What a subscriber asks: its document and its variables. The cursor is nothing of what it asks, only where it begins.

use async_graphql::{
    Name, Positioned, Request, ServerResult, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, Selection},
};

/// What a subscriber asks.
#[derive(Clone)]
pub struct Question {
    text: String,
    document: ExecutableDocument,
    operation: Option<String>,
    variables: Variables,
    /// The variable that holds the cursor and nothing else.
    cursor: Option<Name>,
}

/// What two subscribers ask who ask the same: document, operation and variables.
pub type Asked = (String, Option<String>, String);

impl Question {
    /// What a request asks.
    pub fn of(request: &mut Request) -> ServerResult<Self> {
        let document = request.parsed_query()?.clone();
        let text = request.query.clone();
        let cursor = operation(request).and_then(|operation| cursor(&text, &operation.node));
        let (operation, variables) = (request.operation_name.clone(), request.variables.clone());
        Ok(Self { text, document, operation, variables, cursor })
    }

    /// What is equal for those who ask the same.
    pub fn key(&self) -> Asked {
        let mut variables = self.variables.clone();
        if let Some(cursor) = &self.cursor {
            variables.remove(cursor);
        }
        let variables = serde_json::to_string(&variables).unwrap_or_default();
        (self.text.clone(), self.operation.clone(), variables)
    }

    /// The request, once more.
    pub fn request(&self) -> Request {
        let mut request = Request::new(self.text.clone()).variables(self.variables.clone());
        request.operation_name.clone_from(&self.operation);
        request.set_parsed_query(self.document.clone());
        request
    }
}

/// The operation that a request is to run.
pub fn operation(request: &mut Request) -> Option<&Positioned<OperationDefinition>> {
    let name = request.operation_name.clone();
    match &request.parsed_query().ok()?.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(operations) => match name {
            Some(name) => operations.get(name.as_str()),
            None if operations.len() == 1 => operations.values().next(),
            None => None,
        },
    }
}

/// The variable that is the cursor of the operation's one field, when it stands nowhere else.
fn cursor(text: &str, operation: &OperationDefinition) -> Option<Name> {
    let [first] = operation.selection_set.node.items.as_slice() else { return None };
    let Selection::Field(field) = &first.node else { return None };
    let (_, value) = field.node.arguments.iter().find(|(name, _)| name.node.as_str() == "after")?;
    let value = value.node.to_string();
    let name = value.strip_prefix('$')?;
    (uses(text, name) == Some(2)).then(|| Name::new(name))
}

/// How often a document names a variable, its declaration included; `None` where that cannot be told from the text.
fn uses(text: &str, name: &str) -> Option<usize> {
    let mut uses = 0;
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        match &rest[..end] {
            "" => return None,
            found => uses += usize::from(found == name),
        }
    }
    Some(uses)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use async_graphql::value;

    fn key(text: &str, after: &str, id: &str) -> Asked {
        let variables = Variables::from_value(value!({ "after": after, "a": id }));
        Question::of(&mut Request::new(text).variables(variables)).unwrap().key()
    }

    #[test]
    fn the_cursor_is_nothing_of_what_is_asked() {
        for (text, shared) in [
            ("subscription($a: ID!, $after: String) { f(accountId: $a, after: $after) { cursor } }", true),
            ("subscription($a: ID!, $after: String) { e: f(after: $after, accountId: $a) { n } }", true),
            ("subscription Events($a: ID!, $after: String) { f(accountId: $a, after: $after) { n } }", true),
            // The variable stands elsewhere too, or may.
            ("subscription($a: ID!, $after: String) { f(accountId: $a, after: $after) { g(x: $after) } }", false),
            ("subscription($a: ID!, $after: String) { f(accountId: $a, after: $after) { g } } # $", false),
            // It is not the cursor.
            ("subscription($a: ID!, $after: String) { f(accountId: $a, since: $after) { g } }", false),
            ("subscription($a: ID!, $after: String) { ...F } fragment F on S { f(after: $after) { g } }", false),
        ] {
            assert_eq!(key(text, "ZTA", "x") == key(text, "ZTE", "x"), shared, "{text}");
            assert_ne!(key(text, "ZTA", "x"), key(text, "ZTA", "y"), "{text}");
        }
    }

    #[test]
    fn an_operation_is_found_as_the_schema_finds_it() {
        for (text, name, found) in [
            ("{ a }", None, true),
            ("query A { a }", None, true),
            ("query A { a } query B { b }", Some("B"), true),
            ("query A { a } query B { b }", Some("C"), false),
            ("query A { a } query B { b }", None, false),
            ("query A {", None, false),
        ] {
            let mut request = Request::new(text);
            request.operation_name = name.map(str::to_owned);
            assert_eq!(operation(&mut request).is_some(), found, "{text} {name:?}");
        }
    }

    #[test]
    fn a_name_that_begins_alike_is_another_variable() {
        assert_eq!(uses("$after $afterwards $after_2 $after", "after"), Some(2));
        assert_eq!(uses("", "after"), Some(0));
        assert_eq!(uses("$after $ after", "after"), None);
    }
}
