//! Somebody else's objects read exactly like those that do not exist: the whole schema, walked by introspection.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    stories::{Party, Story},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const INTROSPECTION: &str = "{ __schema { types { kind name
    fields { name args { name type { ...T } } type { ...T } }
    inputFields { name type { ...T } } enumValues { name } isOneOf } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The schema, as far as a walk needs it.
struct Schema(BTreeMap<String, Value>);

impl Schema {
    fn of(data: &Value) -> Self {
        let types = data["__schema"]["types"].as_array().unwrap();
        Self(types.iter().map(|t| (t["name"].as_str().unwrap().to_owned(), t.clone())).collect())
    }

    fn fields(&self, ty: &str) -> Vec<Value> {
        self.0[ty]["fields"].as_array().cloned().unwrap_or_default()
    }

    /// Scalars of a type, of what it holds, and of that, without fields that need arguments.
    fn selection(&self, ty: &str, depth: usize) -> String {
        let ty = &self.0[ty];
        if ["UNION", "INTERFACE"].contains(&ty["kind"].as_str().unwrap()) {
            return "{ __typename }".to_owned();
        }
        let mut selected = vec!["__typename".to_owned()];
        for field in ty["fields"].as_array().into_iter().flatten() {
            let (name, inner) = (field["name"].as_str().unwrap(), named(&field["type"]));
            let needs = field["args"].as_array().unwrap().iter().any(|a| a["type"]["kind"] == "NON_NULL");
            match self.0[inner]["kind"].as_str().unwrap() {
                _ if needs || ["edges", "auditLog", "createdAt", "updatedAt"].contains(&name) => {}
                "SCALAR" | "ENUM" => selected.push(name.to_owned()),
                _ if depth > 0 => selected.push(format!("{name} {}", self.selection(inner, depth - 1))),
                _ => {}
            }
        }
        format!("{{ {} }}", selected.join(" "))
    }

    /// A value for a type; ids are taken from `ids` by their path.
    fn value(&self, ty: &Value, path: &str, ids: &dyn Fn(&str) -> Value) -> Value {
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&ty["ofType"], path, ids),
            "LIST" => json!([self.value(&ty["ofType"], path, ids)]),
            "ENUM" => self.0[ty["name"].as_str().unwrap()]["enumValues"][0]["name"].clone(),
            "INPUT_OBJECT" => self.input(ty["name"].as_str().unwrap(), path, ids),
            _ => match ty["name"].as_str().unwrap() {
                "ID" => ids(path),
                "Int" | "SafeInt" => json!(1),
                "Float" => json!(1.0),
                "Boolean" => json!(true),
                "Date" => json!("2030-01-01"),
                "DateTime" => json!("2030-01-01T00:00:00Z"),
                "JSON" => json!({}),
                _ => json!("x"),
            },
        }
    }

    fn input(&self, name: &str, path: &str, ids: &dyn Fn(&str) -> Value) -> Value {
        let ty = &self.0[name];
        let mut fields = Map::new();
        for field in ty["inputFields"].as_array().unwrap() {
            let (name, ty) = (field["name"].as_str().unwrap(), &field["type"]);
            let path = format!("{path}.{name}");
            let holds_ids = self.id_paths(ty, &path).into_iter().any(|p| !ids(&p).is_null());
            if (ty["kind"] == "NON_NULL" || holds_ids) && name != "idempotencyKey" {
                fields.insert(name.to_owned(), self.value(ty, &path, ids));
            }
        }
        if ty["isOneOf"] == json!(true) {
            let chosen = ty["inputFields"].as_array().unwrap().iter().find(|f| {
                let path = format!("{path}.{}", f["name"].as_str().unwrap());
                self.id_paths(&f["type"], &path).into_iter().any(|p| !ids(&p).is_null())
            });
            let chosen = chosen.unwrap_or(&ty["inputFields"][0]);
            let name = chosen["name"].as_str().unwrap();
            let value = self.value(&chosen["type"], &format!("{path}.{name}"), ids);
            return json!({ name: value });
        }
        Value::Object(fields)
    }

    /// Where ids stand below a type.
    fn id_paths(&self, ty: &Value, path: &str) -> Vec<String> {
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" | "LIST" => self.id_paths(&ty["ofType"], path),
            "INPUT_OBJECT" => {
                let fields = self.0[ty["name"].as_str().unwrap()]["inputFields"].as_array().unwrap().clone();
                let below = |f: &Value| self.id_paths(&f["type"], &format!("{path}.{}", f["name"].as_str().unwrap()));
                fields.iter().flat_map(below).collect()
            }
            _ if ty["name"] == "ID" => vec![path.to_owned()],
            _ => vec![],
        }
    }
}

fn named(ty: &Value) -> &str {
    match ty["name"].as_str() {
        Some(name) => name,
        None => named(&ty["ofType"]),
    }
}

/// The type of a global id, and an id of that type which nothing has.
fn nobodys(id: &str) -> String {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    let ty = text.split_once(':').unwrap().0;
    URL_SAFE_NO_PAD.encode(format!("{ty}:{}", uuid::Uuid::now_v7().simple()))
}

/// Declared variables and arguments of a field.
fn document(root: &str, field: &Value, schema: &Schema) -> String {
    let args = field["args"].as_array().unwrap();
    let declared: Vec<_> =
        args.iter().map(|a| format!("${}: {}", a["name"].as_str().unwrap(), written(&a["type"]))).collect();
    let passed: Vec<_> = args.iter().map(|a| format!("{0}: ${0}", a["name"].as_str().unwrap())).collect();
    let inner = named(&field["type"]);
    let selection = match schema.0[inner]["kind"].as_str().unwrap() {
        "SCALAR" | "ENUM" => String::new(),
        _ => schema.selection(inner, 2),
    };
    let name = field["name"].as_str().unwrap();
    format!("{root}({}) {{ {name}({}) {selection} }}", declared.join(", "), passed.join(", "))
}

fn written(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", written(&ty["ofType"])),
        "LIST" => format!("[{}]", written(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap().to_owned(),
    }
}

/// An answer without what is different each time.
fn comparable(mut answer: Value, id: &str) -> String {
    if let Some(errors) = answer["errors"].as_array_mut() {
        for error in errors {
            error["extensions"]["requestId"] = Value::Null;
        }
    }
    answer.to_string().replace(id, "ID")
}

on_both_databases! {
    async fn objects_of_others_read_like_none(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let story = Story::small(&gateway).await;
        let foreign = story.every_id().await;
        assert!(foreign.len() >= 12, "{foreign:?}");
        let stranger = Party::create(&gateway, "Other Tube", "PUBLISHER").await;
        let schema = Schema::of(&gateway.anonymous().query(INTROSPECTION, json!({})).await);
        let mut probes = vec![];
        for (root, ty) in [("query", "Query"), ("mutation", "Mutation")] {
            for field in schema.fields(ty) {
                let arguments = field["args"].as_array().unwrap().clone();
                let paths = arguments.iter().flat_map(|a| schema.id_paths(&a["type"], a["name"].as_str().unwrap()));
                let document = document(root, &field, &schema);
                for probed in paths {
                    for id in &foreign {
                        let tried = [id.clone(), nobodys(id)];
                        let variables = tried.clone().map(|id| variables(&schema, &arguments, &probed, &id, &stranger));
                        probes.push((document.clone(), probed.clone(), tried, variables));
                    }
                }
            }
        }
        assert!(probes.len() > 500, "the walk has only {} probes", probes.len());
        futures::stream::iter(probes).for_each_concurrent(8, |(document, probed, tried, variables)| {
            let client = stranger.client.clone();
            async move {
                let [theirs, nobodys] = variables;
                let one = comparable(client.ask(&document, theirs).await, &tried[0]);
                let other = comparable(client.ask(&document, nobodys).await, &tried[1]);
                assert_eq!(one, other, "{probed} = {} is told apart\n{document}", tried[0]);
            }
        }).await;
    }
}

/// Variables that name one id at one path, the stranger's own account, and nobody elsewhere.
fn variables(schema: &Schema, arguments: &[Value], probed: &str, id: &str, stranger: &Party) -> Value {
    let ids = |path: &str| match path {
        p if p == probed => json!(id),
        p if p.ends_with("accountId") => json!(stranger.account),
        _ => Value::Null,
    };
    let mut variables = Map::new();
    for argument in arguments {
        let (name, ty) = (argument["name"].as_str().unwrap(), &argument["type"]);
        if ty["kind"] == "NON_NULL" || schema.id_paths(ty, name).iter().any(|p| p == probed) {
            variables.insert(name.to_owned(), schema.value(ty, name, &ids));
        }
    }
    fill_nulls(Value::Object(variables))
}

/// Ids that are needed and not the one that is tried: of nobody.
fn fill_nulls(value: Value) -> Value {
    match value {
        Value::Null => json!(URL_SAFE_NO_PAD.encode("Connection:01900000000070008000000000000000")),
        Value::Array(list) => list.into_iter().map(fill_nulls).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, fill_nulls(v))).collect(),
        other => other,
    }
}
