//! The schema as introspection tells it, and documents made from it.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub const QUERY: &str = "{ __schema { types { kind name
    fields { name args { name defaultValue type { ...T } } type { ...T } }
    inputFields { name defaultValue type { ...T } } enumValues { name } isOneOf } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name } } } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Type {
    kind: String,
    pub name: String,
    fields: Option<Vec<Field>>,
    input_fields: Option<Vec<Argument>>,
    enum_values: Option<Vec<Named>>,
    is_one_of: Option<bool>,
}

impl Type {
    /// The operation that asks for its fields, directly or below a field of the root.
    pub fn operation(&self) -> &'static str {
        match self.name.as_str() {
            "Mutation" => "mutation",
            "Subscription" => "subscription",
            _ => "query",
        }
    }
}

#[derive(Clone, Deserialize)]
pub struct Field {
    pub name: String,
    pub args: Vec<Argument>,
    #[serde(rename = "type")]
    ty: Reference,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    pub name: String,
    default_value: Option<String>,
    #[serde(rename = "type")]
    ty: Reference,
}

/// A type as it is referred to, with its lists and non-nulls.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    kind: String,
    name: Option<String>,
    of_type: Option<Box<Reference>>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The schema by the names of its types.
pub struct Schema(BTreeMap<String, Type>);

/// What stands where an input wants an id.
pub struct Ids<'a> {
    /// The path that has to be there, though it be optional: `input.audienceIds`.
    pub wanted: &'a str,
    pub at: &'a dyn Fn(&str) -> String,
}

impl Argument {
    fn required(&self) -> bool {
        self.ty.kind == "NON_NULL" && self.default_value.is_none()
    }
}

impl Reference {
    /// The name of the type within lists and non-nulls.
    fn inner(&self) -> &str {
        match &self.of_type {
            Some(inner) => inner.inner(),
            None => self.name.as_deref().unwrap(),
        }
    }

    fn written(&self) -> String {
        match (self.kind.as_str(), &self.of_type) {
            ("NON_NULL", Some(inner)) => format!("{}!", inner.written()),
            (_, Some(inner)) => format!("[{}]", inner.written()),
            (_, None) => self.inner().to_owned(),
        }
    }
}

impl Schema {
    /// Reads the data that [`QUERY`] answers.
    pub fn of(mut data: Value) -> Self {
        let types: Vec<Type> = serde_json::from_value(data["__schema"]["types"].take()).unwrap();
        Self(types.into_iter().map(|t| (t.name.clone(), t)).collect())
    }

    /// Types that have fields, but those of introspection.
    pub fn objects(&self) -> impl Iterator<Item = (&Type, &[Field])> {
        let objects = self.0.values().filter(|t| t.kind == "OBJECT" && !t.name.starts_with("__"));
        objects.map(|t| (t, t.fields.as_deref().unwrap_or_default()))
    }

    /// The values of an enum, in their order.
    pub fn enum_values(&self, name: &str) -> Vec<&str> {
        self.0[name].enum_values.iter().flatten().map(|value| value.name.as_str()).collect()
    }

    /// Where a field's arguments take ids: `input.audienceIds`.
    pub fn id_paths(&self, field: &Field) -> Vec<String> {
        field.args.iter().flat_map(|a| self.id_paths_below(&a.ty, &a.name)).collect()
    }

    fn id_paths_below(&self, ty: &Reference, path: &str) -> Vec<String> {
        let inputs = self.0[ty.inner()].input_fields.as_deref().unwrap_or_default();
        if ty.inner() == "ID" {
            return vec![path.to_owned()];
        }
        inputs.iter().flat_map(|f| self.id_paths_below(&f.ty, &format!("{path}.{}", f.name))).collect()
    }

    /// An operation with one field, at the place that `around` makes for it, its arguments taken from variables.
    pub fn document(&self, operation: &str, field: &Field, around: impl Fn(String) -> String) -> String {
        let default = |a: &Argument| a.default_value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
        let declared: Vec<_> =
            field.args.iter().map(|a| format!("${}: {}{}", a.name, a.ty.written(), default(a))).collect();
        let passed: Vec<_> = field.args.iter().map(|a| format!("{0}: ${0}", a.name)).collect();
        let selection = self.selection(field.ty.inner(), 1);
        let listed =
            |items: &[String]| if items.is_empty() { String::new() } else { format!("({})", items.join(", ")) };
        let asked = around(format!("{}{} {selection}", field.name, listed(&passed)));
        format!("{operation}{} {{ {asked} }}", listed(&declared))
    }

    /// Scalars of a type and of what it holds, without fields that need arguments.
    fn selection(&self, name: &str, depth: u32) -> String {
        let ty = &self.0[name];
        let mut selected = vec!["__typename".to_owned()];
        match ty.kind.as_str() {
            "SCALAR" | "ENUM" => return String::new(),
            "OBJECT" => {}
            _ => return "{ __typename }".to_owned(),
        }
        for field in ty.fields.iter().flatten().filter(|f| !f.args.iter().any(|a| a.required())) {
            let below = field.ty.inner();
            match self.0[below].kind.as_str() {
                "SCALAR" | "ENUM" => selected.push(field.name.clone()),
                _ if depth > 0 => selected.push(format!("{} {}", field.name, self.selection(below, depth - 1))),
                _ => {}
            }
        }
        format!("{{ {} }}", selected.join(" "))
    }

    /// Values for a field's arguments: what is required, and what is wanted.
    pub fn variables(&self, field: &Field, ids: &Ids) -> Value {
        let given = field.args.iter().filter(|a| a.required() || leads(&a.name, ids.wanted));
        given.map(|a| (a.name.clone(), self.value(&a.ty, &a.name, ids))).collect::<Map<_, _>>().into()
    }

    fn value(&self, ty: &Reference, path: &str, ids: &Ids) -> Value {
        match (ty.kind.as_str(), &ty.of_type) {
            ("LIST", Some(inner)) => json!([self.value(inner, path, ids)]),
            (_, Some(inner)) => self.value(inner, path, ids),
            ("ENUM", None) => json!(self.0[ty.inner()].enum_values.as_ref().unwrap()[0].name),
            ("INPUT_OBJECT", None) => self.input(&self.0[ty.inner()], path, ids),
            _ => match ty.inner() {
                "ID" => json!((ids.at)(path)),
                "Int" | "SafeInt" => json!(1),
                "Float" => json!(1.0),
                "Boolean" => json!(true),
                "Date" => json!("2030-01-01"),
                "DateTime" => json!("2030-01-01T00:00:00Z"),
                "JSON" => json!({}),
                _ => json!(path),
            },
        }
    }

    fn input(&self, ty: &Type, path: &str, ids: &Ids) -> Value {
        let at = |f: &Argument| format!("{path}.{}", f.name);
        let fields = ty.input_fields.as_deref().unwrap();
        let wanted = |f: &&Argument| leads(&at(f), ids.wanted);
        let given: Vec<_> = if ty.is_one_of == Some(true) {
            vec![fields.iter().find(wanted).unwrap_or(&fields[0])]
        } else {
            fields.iter().filter(|f| f.required() || wanted(f)).collect()
        };
        given.into_iter().map(|f| (f.name.clone(), self.value(&f.ty, &at(f), ids))).collect::<Map<_, _>>().into()
    }
}

/// Whether a path leads to another: `input.mine` does to `input.mine.audienceIds`.
fn leads(path: &str, to: &str) -> bool {
    to.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
