-- Addresses that are told of an account's events, one after the other.
CREATE TABLE event_webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    -- Which events (JSON).
    events TEXT NOT NULL,
    status TEXT NOT NULL,
    -- The number of the last event that it is done with.
    last_number INTEGER NOT NULL,
    waits_since TEXT NOT NULL,
    -- How often the next event was tried, since when nothing was taken, and what came of the last attempt.
    tries INTEGER NOT NULL,
    failing_since TEXT,
    last_status INTEGER,
    last_error TEXT,
    secret_sealed BLOB NOT NULL,
    -- The secret from before the last rotation, and until when it signs as well.
    old_secret_sealed BLOB,
    old_secret_works_until TEXT,
    rotated_at TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX event_webhooks_by_account ON event_webhooks (account_id, id);

-- Events that were given up, as they were: an event itself may be gone sooner.
CREATE TABLE dead_letters (
    event_webhook_id TEXT NOT NULL REFERENCES event_webhooks (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    stream TEXT NOT NULL,
    what TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    at TEXT NOT NULL,
    tries INTEGER NOT NULL,
    status INTEGER,
    error TEXT NOT NULL,
    given_up_at TEXT NOT NULL,
    replay_asked_at TEXT,
    PRIMARY KEY (event_webhook_id, number)
);
CREATE INDEX dead_letters_by_time ON dead_letters (given_up_at);
CREATE INDEX dead_letters_to_replay ON dead_letters (event_webhook_id) WHERE replay_asked_at IS NOT NULL;
