//! Somebody else's objects read exactly like those that do not exist: the whole schema, walked by introspection.

use crate::{
    belongings::{Objects, around, campaign, named, nobodys, type_of},
    harness::{Gateway, Kind, on_both_databases},
    introspection::{self, Field, Ids, Schema},
    stories::Party,
};
use futures::StreamExt;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who tries what.
struct Walk {
    viewer: Party,
    own: Objects,
    foreign: Objects,
    refused: AtomicUsize,
}

/// One field, one place for an id in it, and what stands around the field.
struct Probe {
    document: String,
    field: Field,
    path: String,
}

impl Walk {
    fn probes(&self, schema: &Schema) -> Vec<Probe> {
        let mut probes = vec![];
        for (ty, fields) in schema.objects() {
            let operation = ty.operation();
            for field in fields {
                for path in schema.id_paths(field) {
                    let document = schema.document(operation, field, |field| around(&self.own, &ty.name, field));
                    probes.push(Probe { document, field: field.clone(), path });
                }
            }
        }
        probes
    }

    /// Foreign ids that fit a place by its name; all of them where it does not say (`id`).
    fn tried(&self, path: &str) -> Vec<&String> {
        match named(&self.foreign, path) {
            Some(id) => vec![id],
            None => self.foreign.values().collect(),
        }
    }

    /// Asks for a foreign id and for one that nothing has.
    async fn compare(&self, schema: &Schema, probe: &Probe, id: &str) {
        let (theirs, nobodys) = (id.to_owned(), nobodys(&type_of(id)));
        let one = self.ask(schema, probe, &theirs).await;
        let other = self.ask(schema, probe, &nobodys).await;
        assert_eq!(one, other, "{} = {id} is told apart\n{}", probe.path, probe.document);
        if one.contains("NOT_FOUND") || one.contains("null") {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same questions about objects of the viewer's own are answered: the walk would see a difference.
    async fn finds_what_is_its_own(&self, schema: &Schema, probes: &[Probe]) {
        let mut told_apart = 0;
        for probe in probes.iter().filter(|p| p.document.starts_with("query") && p.path == "id") {
            for (ty, id) in &self.own {
                told_apart +=
                    usize::from(self.ask(schema, probe, id).await != self.ask(schema, probe, &nobodys(ty)).await);
            }
        }
        // One each by `account`, `connection` and `project`, and fourteen kinds of objects by `node`.
        assert_eq!(told_apart, 17);
    }

    /// The answer, without what is different each time.
    async fn ask(&self, schema: &Schema, probe: &Probe, id: &str) -> String {
        let at = |path: &str| match path {
            _ if path == probe.path => id.to_owned(),
            "input.destinationType" => "landing-zone".to_owned(),
            _ => named(&self.own, path).cloned().unwrap_or_else(|| nobodys("Collaborator")),
        };
        let variables = schema.variables(&probe.field, &Ids { wanted: &probe.path, at: &at });
        let mut answer = self.viewer.client.ask_or_subscribe(&probe.document, variables).await;
        for error in answer["errors"].as_array_mut().into_iter().flatten() {
            error["extensions"].as_object_mut().unwrap().remove("requestId");
        }
        answer.to_string().replace(id, "ID")
    }
}

on_both_databases! {
    /// Fit Apparel is a partner of Luma's, and reads nothing of what Luma has by itself and together with TV Tube.
    async fn objects_of_others_read_like_none(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let [luma, fit] = ["Luma", "Fit Apparel"].map(|name| Party::create(&gateway, name, "ADVERTISER"));
        let (luma, fit) = (luma.await, fit.await);
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let lumas = luma.belongings().await;
        let own = campaign((&fit, fit.belongings().await), (&luma, lumas.clone())).await;
        let foreign = campaign((&luma, lumas), (&tv_tube, tv_tube.belongings().await)).await;
        let hidden = Party::create(&gateway, "Hidden", "ADVERTISER").await;
        let foreign = foreign.into_iter().chain([(type_of(&hidden.collaborator), hidden.collaborator)]).collect();
        let walk = Walk { viewer: fit, own, foreign, refused: AtomicUsize::new(0) };
        assert_eq!(walk.foreign.len(), 18, "{:?}", walk.foreign.keys());

        let schema = Schema::of(gateway.anonymous().query(introspection::QUERY, json!({})).await);
        let probes = walk.probes(&schema);
        let tried = probes.iter().flat_map(|probe| walk.tried(&probe.path).into_iter().map(move |id| (probe, id)));
        let all = tried.clone().count();
        futures::stream::iter(tried).for_each_concurrent(4, |(probe, id)| walk.compare(&schema, probe, id)).await;
        assert!(all > 200, "{all} ids in {} places", probes.len());
        assert_eq!(walk.refused.load(Ordering::Relaxed), all, "answers that say that there is no such thing");
        walk.finds_what_is_its_own(&schema, &probes).await;
    }
}
