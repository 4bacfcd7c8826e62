//! Variables of GraphQL documents.

use super::documents::answered;
use async_graphql::parser::{
    parse_schema,
    types::{FieldDefinition, TypeDefinition, TypeKind, TypeSystemDefinition},
};
use std::sync::LazyLock;

const SCHEMA: &str = include_str!("../../../../schema.graphql");

/// A document for each field of queries and mutations that has arguments, with a variable for each of them.
static DOCUMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let definitions = parse_schema(SCHEMA).expect("a schema").definitions;
    let types: Vec<TypeDefinition> = definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(of) => Some(of.node),
            _ => None,
        })
        .collect();
    let mut documents = Vec::new();
    for (operation, name) in [("query", "Query"), ("mutation", "Mutation")] {
        let of = types.iter().find(|of| of.name.node == name).expect("a type of the schema");
        let TypeKind::Object(object) = &of.kind else { panic!("{name} is an object") };
        documents.extend(object.fields.iter().filter_map(|field| document(operation, &field.node)));
    }
    documents
});

fn document(operation: &str, field: &FieldDefinition) -> Option<String> {
    let arguments = field.arguments.iter().map(|argument| (&argument.node.name.node, &argument.node.ty.node));
    let declared: String = arguments.clone().map(|(name, of)| format!("${name}: {of} ")).collect();
    let passed: String = arguments.map(|(name, _)| format!("{name}: ${name} ")).collect();
    let field = &field.name.node;
    (!declared.is_empty()).then(|| format!("{operation}({declared}) {{ {field}({passed}) {{ __typename }} }}"))
}

/// Variables are taken or refused. The input is a byte that tells the document, and the variables as JSON.
pub fn variables(input: &[u8]) {
    let [document, variables @ ..] = input else { return };
    let Ok(variables) = serde_json::from_slice(variables) else { return };
    answered(&DOCUMENTS[usize::from(*document) % DOCUMENTS.len()], variables);
}
