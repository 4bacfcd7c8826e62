use crate::{
    database::{Database, done, on_both},
    world::{account, at, change, command, connected, email, job, project, sourced},
};
use entente_domain::{
    AccountId, ActivationId, AudienceId, Code, ConnectionId, DeliveryId, DestinationId, GenerationId, JobId, ProjectId,
    SentAudienceId,
    account::Role,
    activation::{self, Activation, ActivationStatus, NewSend, Recurrence, control},
    connection::Command,
    event::Subject,
    settings::Side,
};
use entente_store::{
    Acknowledgement, DeliveryEnd, DeliveryStatus, DestinationSettings, JobState, NewDelivery, NewJob, NewRejectedRow,
    Outcome, PageRequest, SentAudienceFilter, StoreError,
};

/// What an activation needs, and the activation.
struct Sent {
    sender: AccountId,
    receiver: AccountId,
    connection: ConnectionId,
    audience: AudienceId,
    destination: DestinationId,
    sent: SentAudienceId,
    activation: ActivationId,
    job: JobId,
}

/// Sends an audience, to be delivered at each refresh.
pub async fn send(
    db: &Database,
    sender: AccountId,
    project: ProjectId,
    audience: AudienceId,
    within: Vec<AudienceId>,
) -> SentAudienceId {
    let id = SentAudienceId::new();
    let day = at(0).date_naive();
    let recurrence = Recurrence::Recurring { from: day, until: day + chrono::Days::new(5) };
    let new =
        NewSend { audience, within: within.clone(), match_keys: vec![email()], recurrence, holdout_percent: None };
    let rule = move |loaded: &entente_store::LoadedSend| {
        assert_eq!(loaded.audience.as_ref().map(|a| a.id), Some(audience));
        activation::send(id, &loaded.connection, &loaded.project, sender, new, at(4)).map(Outcome::of)
    };
    let by = change(sender, "sendAudience");
    done(db.store.create_sent_audience(by, id, project, audience, within, Box::new(rule)).await).id
}

/// Sets up a destination.
pub async fn destination(db: &Database, account: AccountId) -> DestinationId {
    let id = DestinationId::new();
    let settings = DestinationSettings { sealed: vec![1], shown: serde_json::json!({ "folder": "tv" }) };
    let rule = move |owner: &entente_domain::account::Account| {
        let keys = [email()];
        let made = activation::destination(id, owner.id, "Landing", "landing-zone", keys.to_vec(), &keys, at(4));
        made.map(Outcome::of)
    };
    let by = change(account, "createDestination");
    done(db.store.create_destination(by, id, account, settings, None, Box::new(rule)).await).id
}

/// Activates a received audience by a job.
pub async fn activate(
    db: &Database,
    receiver: AccountId,
    sent: SentAudienceId,
    destination: DestinationId,
) -> (ActivationId, JobId) {
    let (activation, job_id) = (ActivationId::new(), JobId::new());
    let day = at(0).date_naive();
    let rule = move |loaded: &entente_store::LoadedActivation| {
        let destination = loaded.destination.as_ref().unwrap();
        let so_far = (&loaded.sent, loaded.activations.as_slice());
        let made = activation::activate(activation, so_far, receiver, destination, (None, &[]), day, at(5))?;
        let about = Some(Subject::Activation(activation));
        Ok(Outcome::of(made).job(NewJob { subject: about, ..job(job_id, "deliver", "lane", receiver) }))
    };
    done(db.store.create_activation(change(receiver, "activate"), activation, sent, destination, Box::new(rule)).await);
    (activation, job_id)
}

/// Begins a delivery of an activation.
pub async fn begin(db: &Database, receiver: AccountId, activation: ActivationId) -> DeliveryId {
    let id = DeliveryId::new();
    let new = NewDelivery { id, generation: GenerationId::new() };
    let rule = Box::new(with_status(ActivationStatus::Delivering));
    done(db.store.begin_delivery(change(receiver, "deliver"), activation, new, rule).await);
    id
}

/// Ends a delivery.
pub async fn end(db: &Database, receiver: AccountId, delivery: DeliveryId) {
    let end = DeliveryEnd { status: DeliveryStatus::Delivered, set_ref: None, failure: None };
    let rule = |loaded: &entente_store::LoadedDelivery| {
        let next = loaded.activation.clone().map(|a| Activation { version: a.version + 1, ..a });
        Ok(Outcome::of(next))
    };
    done(db.store.end_delivery(change(receiver, "deliver"), delivery, end, Box::new(rule)).await);
}

async fn sent(db: &Database) -> Sent {
    let sender = account(db, "Luma", Role::Advertiser).await;
    let receiver = account(db, "TV Tube", Role::Publisher).await;
    let audience = sourced(db, sender, &["Runners"]).await[0];
    let connection = connected(db, sender, receiver).await;
    let project = project(db, connection, sender).await;
    let sent = send(db, sender, project, audience, Vec::new()).await;
    let destination = destination(db, receiver).await;
    let (activation, job) = activate(db, receiver, sent, destination).await;
    Sent { sender, receiver, connection, audience, destination, sent, activation, job }
}

fn with_status(
    status: ActivationStatus,
) -> impl FnOnce(&Activation) -> Result<Outcome<Activation>, entente_domain::Refusal> {
    move |a| Ok(Outcome::of(Activation { status, version: a.version + 1, ..a.clone() }))
}

async fn a_delivery_is_acknowledged_batch_by_batch(db: Database) {
    let s = sent(&db).await;
    let id = DeliveryId::new();
    let begin = |id| {
        let new = NewDelivery { id, generation: GenerationId::new() };
        let by = change(s.receiver, "deliver");
        db.store.begin_delivery(by, s.activation, new, Box::new(with_status(ActivationStatus::Delivering)))
    };
    done(begin(id).await);
    assert_eq!(begin(DeliveryId::new()).await.unwrap().unwrap_err().code, Code::WrongState, "one at a time");
    let running = db.store.latest_delivery(s.activation, DeliveryStatus::Running).await.unwrap();
    assert_eq!(running.unwrap().id, id);

    let reason = "x".repeat(1_000);
    let batch = |sequence| Acknowledgement {
        sequence,
        added: 90,
        removed: 5,
        rejected: vec![NewRejectedRow { row: 7 + sequence, code: "E1".into(), reason: reason.clone() }],
        plugin_state_sealed: Some(vec![sequence as u8]),
    };
    db.store.note_delivery_tries(id, 9).await.unwrap();
    let tries = async || db.store.deliveries_by_ids(&[id]).await.unwrap()[&id].tries;
    assert_eq!(tries().await, 9);
    for sequence in [0, 0, 1, 1, 0] {
        db.store.acknowledge_batch(id, batch(sequence), None).await.unwrap();
    }
    assert!(matches!(db.store.acknowledge_batch(id, batch(3), None).await, Err(StoreError::OutOfSequence)));
    let delivery = db.store.deliveries_by_ids(&[id]).await.unwrap()[&id].clone();
    assert_eq!((delivery.acknowledged, delivery.added, delivery.removed, delivery.rejected), (2, 180, 10, 2));
    assert_eq!(delivery.plugin_state_sealed, Some(vec![1]));
    assert_eq!(tries().await, 0, "a batch that was taken begins the count anew");
    let rows = db.store.rejected_rows(id, PageRequest::first(10)).await.unwrap().into_values();
    assert_eq!(rows.iter().map(|r| (r.sequence, r.row)).collect::<Vec<_>>(), [(0, 7), (1, 8)]);
    assert_eq!(rows[0].reason.len(), 300);
    let after = async |ordinal, limit| {
        let read = db.store.rejected_rows_after(id, ordinal, limit).await.unwrap();
        read.into_iter().map(|(ordinal, row)| (ordinal, row.row)).collect::<Vec<_>>()
    };
    assert_eq!((after(0, 9).await, after(0, 1).await), (vec![(1, 7), (2, 8)], vec![(1, 7)]));
    assert_eq!((after(1, 9).await, after(2, 9).await), (vec![(2, 8)], vec![]));

    let end = DeliveryEnd { status: DeliveryStatus::Delivered, set_ref: Some("set".into()), failure: None };
    let finish = || {
        let rule = |loaded: &entente_store::LoadedDelivery| {
            let before = loaded.activation.as_ref().unwrap();
            let delivered = before.delivered + loaded.delivery.added;
            let next = Activation {
                status: ActivationStatus::Delivered,
                delivered,
                version: before.version + 1,
                ..before.clone()
            };
            Ok(Outcome::of(Some(next)))
        };
        db.store.end_delivery(change(s.receiver, "deliver"), id, end.clone(), Box::new(rule))
    };
    assert_eq!(done(finish().await).status, DeliveryStatus::Delivered);
    assert_eq!(finish().await.unwrap().unwrap_err().code, Code::WrongState, "it ends once");
    assert_eq!(db.store.activations_by_ids(&[s.activation]).await.unwrap()[&s.activation].delivered, 180);
    let recurring = db.store.activations_awaiting_refresh(s.sender, at(0).date_naive()).await.unwrap();
    assert_eq!(recurring.iter().map(|a| a.id).collect::<Vec<_>>(), [s.activation]);
    let later = at(6 * 86_400).date_naive();
    assert!(db.store.activations_awaiting_refresh(s.receiver, later).await.unwrap().is_empty(), "access is over");
    done(begin(DeliveryId::new()).await);
    assert_eq!(db.store.deliveries_of_activation(s.activation, PageRequest::first(9)).await.unwrap().total, 2);
}

async fn what_its_receiver_wants_cancels_what_waits(db: Database) {
    let s = sent(&db).await;
    let press = async |command| {
        let next = JobId::new();
        let rule = move |activation: &Activation, sent: &activation::SentAudience| {
            let (next_state, _) = control::decide(activation, sent, command, at(9))?;
            Ok(Outcome::of(next_state).job(job(next, "deliver", "lane", s.receiver)))
        };
        let pressed = db.store.control_activation(change(s.receiver, "control"), s.activation, Box::new(rule)).await;
        pressed.unwrap().map_err(|refusal| refusal.code)
    };
    let waiting = async || db.store.activations_awaiting_refresh(s.sender, at(0).date_naive()).await.unwrap().len();
    let paused = press(control::Command::Pause).await.unwrap();
    assert_eq!((paused.status, paused.paused_at, paused.version), (ActivationStatus::Scheduled, Some(at(9)), 2));
    assert_eq!(db.store.activations_by_ids(&[s.activation]).await.unwrap()[&s.activation], paused);
    assert_eq!(db.store.job(s.job).await.unwrap().unwrap().state, JobState::Cancelled);
    assert_eq!(waiting().await, 0, "a refresh brings nothing to what is paused");
    assert_eq!(press(control::Command::Pause).await.unwrap_err(), Code::WrongState);
    assert_eq!(press(control::Command::Resume).await.unwrap().paused_at, None);
    assert_eq!(waiting().await, 1);
    assert_eq!(press(control::Command::Cancel).await.unwrap().status, ActivationStatus::Cancelled);
    assert_eq!(press(control::Command::Resume).await.unwrap_err(), Code::WrongState);
    assert_eq!(waiting().await, 0);
}

async fn ended(db: &Database, s: &Sent, status: ActivationStatus) {
    assert_eq!(db.store.activations_by_ids(&[s.activation]).await.unwrap()[&s.activation].status, status);
    assert_eq!(db.store.job(s.job).await.unwrap().unwrap().state, JobState::Cancelled);
}

async fn what_is_revoked_is_not_delivered(db: Database) {
    let s = sent(&db).await;
    let sender = s.sender;
    let revoke = move |sent: &activation::SentAudience| Ok(Outcome::of(activation::revoke(sent, sender, at(9))?));
    done(db.store.change_sent_audience(change(s.sender, "revoke"), s.sent, Box::new(revoke)).await);
    ended(&db, &s, ActivationStatus::AccessEnded).await;
    let filter = SentAudienceFilter { receiver: Some(s.receiver), ..SentAudienceFilter::default() };
    let received = db.store.sent_audiences(filter, PageRequest::first(5)).await.unwrap().into_values();
    assert_eq!((received[0].id, received[0].revoked_at), (s.sent, Some(at(9))));
    done(
        db.store
            .delete_activation(
                change(s.receiver, "deleteActivation"),
                s.activation,
                Box::new(|_: &Activation| Ok(Outcome::of(()))),
            )
            .await,
    );
}

async fn a_deleted_connection_ends_activations(db: Database) {
    let s = sent(&db).await;
    done(command(&db, s.connection, Side::Owner, Command::Delete).await);
    ended(&db, &s, ActivationStatus::AccessEnded).await;
}

async fn a_deleted_audience_ends_activations(db: Database) {
    let s = sent(&db).await;
    let source = db.store.audiences_by_ids(&[s.audience]).await.unwrap()[&s.audience].data_connection;
    let by = change(s.sender, "deleteDataConnection");
    done(
        db.store
            .delete_data_connection(by, source, Box::new(|_: &entente_store::LoadedDataConnection| Ok(Outcome::of(()))))
            .await,
    );
    ended(&db, &s, ActivationStatus::AccessEnded).await;
}

async fn a_deleted_destination_stops_deliveries(db: Database) {
    let s = sent(&db).await;
    let shown = &db.store.destination_settings(&[s.destination]).await.unwrap()[&s.destination].shown;
    assert_eq!(shown["folder"], "tv");
    let by = change(s.receiver, "deleteDestination");
    done(
        db.store
            .delete_destination(by, s.destination, Box::new(|_: &activation::Destination| Ok(Outcome::of(()))))
            .await,
    );
    ended(&db, &s, ActivationStatus::Failed).await;
    assert!(db.store.accounts_with_destination(&[s.receiver]).await.unwrap().is_empty());
}

on_both!(
    a_delivery_is_acknowledged_batch_by_batch,
    what_is_revoked_is_not_delivered,
    a_deleted_connection_ends_activations,
    a_deleted_audience_ends_activations,
    a_deleted_destination_stops_deliveries,
    what_its_receiver_wants_cancels_what_waits,
);
