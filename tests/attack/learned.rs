//! The truth learned from a delivery: one audience is delivered to the attacker as agreed, who then knows its members
//! and may use that against the other audiences.

use super::{
    attacker::Attacker,
    evidence::Evidence,
    victim::Victim,
    world::{DELIVERED, World},
};
use crate::{
    deliveries,
    harness::Gateway,
    people::{digest, email},
};

pub async fn run(gateway: &Gateway, victim: &Victim, attacker: &Attacker, world: &World, evidence: &mut Evidence) {
    let destination = attacker.party.create_destination().await;
    victim.send(&attacker.project).await;
    let received = attacker.party.received().await;
    let sent = received.iter().find(|r| r["sender"]["name"] == "Luma").unwrap();
    let activation = attacker.party.activate(sent["id"].as_str().unwrap(), &destination).await;
    assert_eq!(activation["status"], "DELIVERED", "{activation}");
    let delivered = deliveries::delivered(&gateway.data().join("landing"));
    let subjects: Vec<_> = (0..world.subjects.len()).collect();
    let truth: Vec<f64> = subjects
        .iter()
        .map(|s| {
            let row = ("hashed_email".to_owned(), digest(&email(world.subjects[*s].person)));
            let is_delivered = delivered.contains_key(&row);
            assert_eq!(is_delivered, world.is_member(*s, DELIVERED), "what was agreed is delivered");
            f64::from(is_delivered)
        })
        .collect();
    for place in 0..=world.all() {
        evidence.put(("delivery", 0), place, &subjects, &truth);
    }
}
