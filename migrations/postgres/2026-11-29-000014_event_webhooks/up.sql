-- Addresses that are told of an account's events, one after the other.
CREATE TABLE event_webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    -- Which events (JSON).
    events TEXT NOT NULL,
    status TEXT NOT NULL,
    -- The number of the last event that it is done with.
    last_number BIGINT NOT NULL,
    waits_since TIMESTAMPTZ NOT NULL,
    -- How often the next event was tried, since when nothing was taken, and what came of the last attempt.
    tries BIGINT NOT NULL,
    failing_since TIMESTAMPTZ,
    last_status BIGINT,
    last_error TEXT,
    secret_sealed BYTEA NOT NULL,
    -- The secret from before the last rotation, and until when it signs as well.
    old_secret_sealed BYTEA,
    old_secret_works_until TIMESTAMPTZ,
    rotated_at TIMESTAMPTZ,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX event_webhooks_by_account ON event_webhooks (account_id, id);

-- Events that were given up, as they were: an event itself may be gone sooner.
CREATE TABLE dead_letters (
    event_webhook_id TEXT NOT NULL REFERENCES event_webhooks (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    stream TEXT NOT NULL,
    what TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    tries BIGINT NOT NULL,
    status BIGINT,
    error TEXT NOT NULL,
    given_up_at TIMESTAMPTZ NOT NULL,
    replay_asked_at TIMESTAMPTZ,
    PRIMARY KEY (event_webhook_id, number)
);
CREATE INDEX dead_letters_by_time ON dead_letters (given_up_at);
CREATE INDEX dead_letters_to_replay ON dead_letters (event_webhook_id) WHERE replay_asked_at IS NOT NULL;
