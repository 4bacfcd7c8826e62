//! What a document costs: the rule as directives of the schema, and the sum in the refusal of one that costs too much.

use super::{COMPLEXITY, DEPTH, Mutation, Query, Schema, event};
use async_graphql::{
    Request, Response, ServerError, TypeDirective, ValidationResult, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation},
    value,
};
use std::sync::{Arc, LazyLock};

/// What the library says of a document that costs too much.
const TOO_COMPLEX: &str = "Query is too complex.";

/// What one use of the field costs beside the fields below it: 1 where nothing is said, for scalars as well. A document
/// may cost 100,000; one that costs more is refused with `extensions.cost`.
#[TypeDirective(name = "cost", location = "FieldDefinition")]
pub fn cost(#[graphql(desc = "A whole number.")] weight: String) {}

/// The field is a list or a page: all below it counts as often as it has items.
#[TypeDirective(name = "listSize", location = "FieldDefinition")]
pub fn list_size(
    #[graphql(desc = "How many items are counted where no argument says how many are wanted.")] assumed_size: i32,
    #[graphql(desc = "Arguments that say how many items are wanted.")] slicing_arguments: Option<Vec<String>>,
    #[graphql(desc = "Fields of the page that hold the items.")] sized_fields: Option<Vec<String>>,
    #[graphql(desc = "Whether one of the arguments has to be there.")] require_one_slicing_argument: bool,
) {
}

/// The arguments that say how large a page is.
pub fn slicing_by(arguments: &[&str]) -> Option<Vec<String>> {
    Some(arguments.iter().map(|argument| (*argument).to_owned()).collect())
}

/// The fields of a page that hold its items.
pub fn sized() -> Option<Vec<String>> {
    Some(["edges", "nodes"].map(str::to_owned).into())
}

/// A document as it was asked, kept in case it turns out to cost too much.
pub struct Asked {
    document: String,
    operation_name: Option<String>,
    variables: Variables,
}

impl Asked {
    /// Of a request.
    pub fn of(request: &Request) -> Self {
        let (document, operation_name) = (request.query.clone(), request.operation_name.clone());
        Self { document, operation_name, variables: request.variables.clone() }
    }

    /// The answer, with what the document costs where it was refused for that.
    pub async fn explain(self, response: Response) -> Response {
        if !response.errors.iter().any(|e| e.path.is_empty() && e.message == TOO_COMPLEX) {
            return response;
        }
        let mut request = Request::new(self.document).variables(self.variables);
        request.operation_name = self.operation_name;
        PRICED.execute(request).await
    }
}

/// The schema once more, to add up what was refused: an extension would slow each field of each answer down.
static PRICED: LazyLock<Schema> = LazyLock::new(|| {
    let schema = async_graphql::Schema::build(Query::default(), Mutation::default(), event::Subscriptions);
    schema.limit_depth(DEPTH).extension(Priced).finish()
});

/// Refuses every document with its cost, so that nothing is ever run.
struct Priced;

impl ExtensionFactory for Priced {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Priced {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let asked = next.run(ctx).await?.complexity;
        let mut error = ServerError::new(TOO_COMPLEX, None);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", "TOO_COMPLEX");
        extensions.set("cost", value!({ "requested": asked, "allowed": COMPLEXITY }));
        Err(vec![error])
    }
}

#[cfg(test)]
mod tests {
    use crate::graphql::{discover, page, sdl};

    #[test]
    fn the_directives_say_what_is_counted() {
        let sdl = sdl();
        let usual = format!("@listSize(assumedSize: {}, slicingArguments: [\"first\", \"last\"]", page::USUAL);
        assert!(sdl.contains(&usual), "{usual}");
        let comparison = format!("@cost(weight: \"{}\")", discover::COMPARISON);
        assert!(sdl.contains(&comparison), "{comparison}");
    }
}
