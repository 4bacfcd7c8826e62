//! Destinations, sent audiences, activations and deliveries.

use super::{Answer, Store, change, read, write};
use crate::{
    Acknowledgement, Change, Created, Delivery, DeliveryEnd, DeliveryStatus, DestinationSettings, LateRejections,
    LoadedActivation, LoadedDelivery, LoadedDestination, LoadedSend, NewDelivery, NewSettings, Page, PageRequest,
    PairRule, RejectedRow, RenewSettings, Rule, SentAudienceFilter, StoreError,
};
use async_recursion::async_recursion as boxed;
use chrono::NaiveDate;
use entente_domain::{
    AccountId, ActivationId, AudienceId, ConsentId, DeliveryId, DestinationId, ProjectId, SentAudienceId,
    account::Account,
    activation::{Activation, Destination, SentAudience},
};
use std::collections::{HashMap, HashSet};

impl Store {
    /// Sets a destination up. The consent that its settings came of is used up. Refused with `AlreadyExists` when the account
    /// has one with this name.
    #[boxed]
    pub async fn create_destination(
        &self,
        change: Change,
        id: DestinationId,
        account: AccountId,
        settings: DestinationSettings,
        consent: Option<ConsentId>,
        rule: Rule<Account, Destination>,
    ) -> Answer<Created<DestinationId>> {
        change!(self, change, |conn, by| queries::destinations::create(conn, by, id, account, settings, consent, rule))
    }

    /// Changes a destination, with its settings where there are new ones. Refused with `Conflict` when those that they were
    /// made from have changed, with `AlreadyExists` when the account has another one with this name.
    #[boxed]
    pub async fn change_destination(
        &self,
        change: Change,
        id: DestinationId,
        new: Option<NewSettings>,
        rule: Rule<LoadedDestination, Destination>,
    ) -> Answer<Destination> {
        change!(self, change, |conn, by| queries::destinations::change(conn, by, id, new, rule))
    }

    /// Deletes a destination: activations to it fail, nothing that was delivered is removed.
    #[boxed]
    pub async fn delete_destination(
        &self,
        change: Change,
        id: DestinationId,
        rule: Rule<Destination, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::destinations::delete(conn, by, id, rule))
    }

    /// Destinations by id.
    #[boxed]
    pub async fn destinations_by_ids(
        &self,
        ids: &[DestinationId],
    ) -> Result<HashMap<DestinationId, Destination>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::destinations::by_ids(conn, ids))
    }

    /// Settings of destinations.
    #[boxed]
    pub async fn destination_settings(
        &self,
        ids: &[DestinationId],
    ) -> Result<HashMap<DestinationId, DestinationSettings>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::destinations::settings(conn, ids))
    }

    /// Destinations of an account, newest first.
    #[boxed]
    pub async fn destinations_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<Destination>, StoreError> {
        read!(self, |conn| queries::destinations::of_account(conn, account, page))
    }

    /// Which of these accounts have a destination.
    #[boxed]
    pub async fn accounts_with_destination(&self, accounts: &[AccountId]) -> Result<HashSet<AccountId>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::destinations::accounts_with_any(conn, accounts))
    }

    /// Sends an audience.
    #[boxed]
    pub async fn create_sent_audience(
        &self,
        change: Change,
        id: SentAudienceId,
        project: ProjectId,
        audience: AudienceId,
        within: Vec<AudienceId>,
        rule: Rule<LoadedSend, SentAudience>,
    ) -> Answer<Created<SentAudienceId>> {
        change!(self, change, |conn, by| queries::sent_audiences::create(conn, by, id, project, audience, within, rule))
    }

    /// Changes a sent audience. One that is revoked ends its activations.
    #[boxed]
    pub async fn change_sent_audience(
        &self,
        change: Change,
        id: SentAudienceId,
        rule: Rule<SentAudience, SentAudience>,
    ) -> Answer<SentAudience> {
        change!(self, change, |conn, by| queries::sent_audiences::change(conn, by, id, rule))
    }

    /// Sent audiences by id.
    #[boxed]
    pub async fn sent_audiences_by_ids(
        &self,
        ids: &[SentAudienceId],
    ) -> Result<HashMap<SentAudienceId, SentAudience>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::sent_audiences::by_ids(conn, ids))
    }

    /// What an account sent with a holdout in projects that are still there.
    #[boxed]
    pub async fn sent_with_holdout(&self, sender: AccountId) -> Result<Vec<SentAudienceId>, StoreError> {
        read!(self, |conn| queries::sent_audiences::with_holdout(conn, sender))
    }

    /// Sent audiences, newest first. Ask for a sender or a receiver, or both sides of a project.
    #[boxed]
    pub async fn sent_audiences(
        &self,
        filter: SentAudienceFilter,
        page: PageRequest,
    ) -> Result<Page<SentAudience>, StoreError> {
        read!(self, |conn| queries::sent_audiences::list(conn, filter, page))
    }

    /// Activates a received audience.
    #[boxed]
    pub async fn create_activation(
        &self,
        change: Change,
        id: ActivationId,
        sent: SentAudienceId,
        destination: DestinationId,
        rule: Rule<LoadedActivation, Activation>,
    ) -> Answer<Created<ActivationId>> {
        change!(self, change, |conn, by| queries::activations::create(conn, by, id, sent, destination, rule))
    }

    /// Changes an activation.
    #[boxed]
    pub async fn change_activation(
        &self,
        change: Change,
        id: ActivationId,
        rule: Rule<Activation, Activation>,
    ) -> Answer<Activation> {
        change!(self, change, |conn, by| queries::activations::change(conn, by, id, rule))
    }

    /// Changes an activation as its receiver asks. What has not begun of its jobs is cancelled; the rule says what comes
    /// instead.
    #[boxed]
    pub async fn control_activation(
        &self,
        change: Change,
        id: ActivationId,
        rule: PairRule<Activation, SentAudience, Activation>,
    ) -> Answer<Activation> {
        change!(self, change, |conn, by| queries::activations::control(conn, by, id, rule))
    }

    /// Deletes an activation. Records of its deliveries stay.
    #[boxed]
    pub async fn delete_activation(&self, change: Change, id: ActivationId, rule: Rule<Activation, ()>) -> Answer<()> {
        change!(self, change, |conn, by| queries::activations::delete(conn, by, id, rule))
    }

    /// Activations by id.
    #[boxed]
    pub async fn activations_by_ids(
        &self,
        ids: &[ActivationId],
    ) -> Result<HashMap<ActivationId, Activation>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::activations::by_ids(conn, ids))
    }

    /// Activations of sent audiences, newest first. Every sent audience asked for is in the answer.
    #[boxed]
    pub async fn activations_of_sent_audiences(
        &self,
        ids: &[SentAudienceId],
    ) -> Result<HashMap<SentAudienceId, Vec<Activation>>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::activations::of_sent_audiences(conn, ids))
    }

    /// Activations of an account, newest first.
    #[boxed]
    pub async fn activations_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<Activation>, StoreError> {
        read!(self, |conn| queries::activations::of_account(conn, account, page))
    }

    /// Activations that wait for a refresh of this account's audiences, whichever side it is on: recurring ones that are not
    /// over, and any that waits for one. Access holds today, their day has come, and their receiver has not paused them.
    #[boxed]
    pub async fn activations_awaiting_refresh(
        &self,
        account: AccountId,
        today: NaiveDate,
    ) -> Result<Vec<Activation>, StoreError> {
        read!(self, |conn| queries::activations::awaiting_refresh(conn, account, today))
    }

    /// Begins a delivery. Refused with `WrongState` when one of this activation runs: go on with that one.
    #[boxed]
    pub async fn begin_delivery(
        &self,
        change: Change,
        activation: ActivationId,
        new: NewDelivery,
        rule: Rule<Activation, Activation>,
    ) -> Answer<Delivery> {
        change!(self, change, |conn, by| queries::deliveries::begin(conn, by, activation, new, rule))
    }

    /// Keeps how often in a row the destination of a delivery has asked to be tried again.
    #[boxed]
    pub async fn note_delivery_tries(&self, id: DeliveryId, tries: u32) -> Result<(), StoreError> {
        write!(self, |conn| queries::deliveries::note_tries(conn, id, tries))
    }

    /// A batch was taken by the destination: its rejected rows, counts and the plugin's state are kept at once. A batch
    /// that was acknowledged before changes nothing. Settings of the destination that were renewed meanwhile are kept in
    /// the same transaction. Answers the delivery as it is now.
    ///
    /// # Errors
    /// [`StoreError::OutOfSequence`] when the batch before was not acknowledged.
    #[boxed]
    pub async fn acknowledge_batch(
        &self,
        id: DeliveryId,
        batch: Acknowledgement,
        renewed: Option<RenewSettings>,
    ) -> Result<Delivery, StoreError> {
        write!(self, |conn| queries::deliveries::acknowledge(conn, id, batch, renewed))
    }

    /// The destination rejected rows of batches that were acknowledged before. Rows that are kept as rejected already
    /// change nothing. Answers the delivery as it is now.
    #[boxed]
    pub async fn reject_later(
        &self,
        id: DeliveryId,
        late: LateRejections,
        renewed: Option<RenewSettings>,
    ) -> Result<Delivery, StoreError> {
        write!(self, |conn| queries::late_rejections::keep(conn, id, late, renewed))
    }

    /// Renews settings of a destination by themselves. Answers them as they are sealed now; `None` when it was deleted.
    #[boxed]
    pub async fn renew_settings(
        &self,
        id: DestinationId,
        renewed: RenewSettings,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        write!(self, |conn| queries::destinations::renew(conn, id, renewed))
    }

    /// Ends a delivery that runs. The rule answers the activation as it becomes; `None` leaves it.
    #[boxed]
    pub async fn end_delivery(
        &self,
        change: Change,
        id: DeliveryId,
        end: DeliveryEnd,
        rule: Rule<LoadedDelivery, Option<Activation>>,
    ) -> Answer<Delivery> {
        change!(self, change, |conn, by| queries::deliveries::end(conn, by, id, end, rule))
    }

    /// Deliveries by id.
    #[boxed]
    pub async fn deliveries_by_ids(&self, ids: &[DeliveryId]) -> Result<HashMap<DeliveryId, Delivery>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::deliveries::by_ids(conn, ids))
    }

    /// Deliveries of an activation, newest first.
    #[boxed]
    pub async fn deliveries_of_activation(
        &self,
        activation: ActivationId,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        read!(self, |conn| queries::deliveries::of_activation(conn, activation, page))
    }

    /// The latest delivery of an activation in a state: `Running` is the one to go on with, `Delivered` the one that the
    /// next is told apart from.
    #[boxed]
    pub async fn latest_delivery(
        &self,
        activation: ActivationId,
        status: DeliveryStatus,
    ) -> Result<Option<Delivery>, StoreError> {
        read!(self, |conn| queries::deliveries::latest(conn, activation, status))
    }

    /// The next rows that a destination did not take after one with this ordinal, which is 0 before the first; at most
    /// `limit`, each with its own ordinal. For whoever reads all of them: a page also counts them.
    #[boxed]
    pub async fn rejected_rows_after(
        &self,
        delivery: DeliveryId,
        ordinal: i64,
        limit: i64,
    ) -> Result<Vec<(i64, RejectedRow)>, StoreError> {
        read!(self, |conn| queries::deliveries::rejected_after(conn, delivery, ordinal, limit))
    }

    /// Rows that a destination did not take, in the order of the delivery.
    #[boxed]
    pub async fn rejected_rows(
        &self,
        delivery: DeliveryId,
        page: PageRequest,
    ) -> Result<Page<RejectedRow>, StoreError> {
        read!(self, |conn| queries::deliveries::rejected(conn, delivery, page))
    }
}
