//! Somebody else's objects read exactly like those that do not exist: the whole schema, walked by introspection.

use crate::{
    belongings::{Objects, around, beside, campaign, named, nobodys, type_of},
    harness::{Gateway, Kind, Options, on_both_databases},
    introspection::{self, Field, Ids, Schema},
    stories::Party,
    timing::{CHANCE, Compared},
};
use futures::StreamExt;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

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
        let (theirs, nobodys) = (id.to_owned(), beside(id));
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

    /// Answers about somebody else's objects take as long as those about nothing. More than by a few each is asked with
    /// `ENTENTE_TEST_TIMES=N`, which tells more of a single field.
    async fn takes_as_long(&self, schema: &Schema, probes: &[Probe]) {
        let times = std::env::var("ENTENTE_TEST_TIMES").map_or(4, |times| times.parse().unwrap());
        let mut random = StdRng::seed_from_u64(7);
        let mut fields: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for _ in 0..times {
            for probe in probes.iter().filter(|probe| !probe.document.starts_with("subscription")) {
                for id in self.tried(&probe.path) {
                    let ask = |id: &str| (probe.document.clone(), self.variables(schema, probe, id));
                    let pair = self.pair(id, ask, &mut random).await;
                    fields.entry(format!("{}({})", probe.field.name, probe.path)).or_default().push(pair);
                }
            }
        }
        let own = self.own_takes_longer(&mut random).await;
        let all = Compared::of(&fields.values().flatten().copied().collect::<Vec<_>>());
        println!("{} pairs of others' and nobody's: {all}; {} of own and nobody's: {own}", all.pairs, own.pairs);
        for (field, times) in &fields {
            let compared = Compared::of(times);
            println!("{field}: {compared}");
            assert!(compared.z.abs() < CHANCE, "{field}: {compared}");
        }
        assert!(all.z.abs() < CHANCE, "{all}");
    }

    /// The measurement sees a difference where there is one. On a busy machine that takes more pairs.
    async fn own_takes_longer(&self, random: &mut StdRng) -> Compared {
        let document = "query($id: ID!) { node(id: $id) { ... on Account { id
            audiences(first: 50) { nodes { id name } } dataConnections(first: 50) { nodes { id name } }
            jobs(first: 50) { nodes { id state } } connections(first: 50) { nodes { id state } } } } }";
        let mut pairs = vec![];
        loop {
            let ask = |id: &str| (document.to_owned(), json!({ "id": id }));
            pairs.push(self.pair(&self.own["Account"], ask, random).await);
            let compared = Compared::of(&pairs);
            if compared.z > CHANCE {
                return compared;
            }
            assert!(pairs.len() < 1_000, "own: {compared}");
        }
    }

    /// The times of an id and of one that nothing has, asked one after the other in random order.
    async fn pair(&self, id: &str, ask: impl Fn(&str) -> (String, Value), random: &mut StdRng) -> (f64, f64) {
        let nobodys = beside(id);
        if random.random() {
            let first = self.time(ask(id)).await;
            (first, self.time(ask(&nobodys)).await)
        } else {
            let first = self.time(ask(&nobodys)).await;
            (self.time(ask(id)).await, first)
        }
    }

    /// Seconds to an answer.
    async fn time(&self, (document, variables): (String, Value)) -> f64 {
        let begin = Instant::now();
        self.viewer.client.ask(&document, variables).await;
        begin.elapsed().as_secs_f64()
    }

    /// The answer, without what is different each time.
    async fn ask(&self, schema: &Schema, probe: &Probe, id: &str) -> String {
        let variables = self.variables(schema, probe, id);
        let mut answer = self.viewer.client.ask_or_subscribe(&probe.document, variables).await;
        for error in answer["errors"].as_array_mut().into_iter().flatten() {
            error["extensions"].as_object_mut().unwrap().remove("requestId");
        }
        answer.to_string().replace(id, "ID")
    }

    /// What is asked with an id in the probe's place, and the viewer's own in all others.
    fn variables(&self, schema: &Schema, probe: &Probe, id: &str) -> Value {
        let at = |path: &str| match path {
            _ if path == probe.path => id.to_owned(),
            "input.destinationType" => "landing-zone".to_owned(),
            _ => named(&self.own, path).cloned().unwrap_or_else(|| nobodys("Collaborator")),
        };
        schema.variables(&probe.field, &Ids { wanted: &probe.path, at: &at })
    }
}

on_both_databases! {
    /// Fit Apparel is a partner of Luma's, and reads nothing of what Luma has by itself and together with TV Tube.
    async fn objects_of_others_read_like_none(kind: Kind) {
        let settings = vec![("ENTENTE_REQUESTS_PER_MINUTE", "1000000".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
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
        walk.takes_as_long(&schema, &probes).await;
    }
}
