-- The last number that an account's events were given. Taken inside the transaction that writes the events.
CREATE TABLE event_counters (
    account_id TEXT NOT NULL PRIMARY KEY,
    last_number INTEGER NOT NULL
);

CREATE TABLE events (
    account_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    stream TEXT NOT NULL,
    what TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (account_id, number)
);
CREATE INDEX events_by_time ON events (at);

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT,
    at TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    action TEXT NOT NULL,
    subject_kind TEXT,
    subject_id TEXT,
    request_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT
);
CREATE INDEX audit_by_account ON audit (account_id, id);

-- The first result of a mutation that creates, for 24 hours. The scope is the account, or the actor that makes one.
CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    action TEXT NOT NULL,
    key TEXT NOT NULL,
    result_id TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (scope, action, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    account_id TEXT NOT NULL,
    subject_kind TEXT,
    subject_id TEXT,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    run_at TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until TEXT,
    progress TEXT,
    error TEXT,
    created_at TEXT NOT NULL,
    finished_at TEXT
);
-- Never two running jobs in one lane.
CREATE UNIQUE INDEX jobs_one_running_per_lane ON jobs (lane) WHERE state = 'running';
CREATE INDEX jobs_to_run ON jobs (state, run_at, id);
CREATE INDEX jobs_by_account ON jobs (account_id, id);
CREATE INDEX jobs_by_subject ON jobs (subject_id);

-- The audit log cannot be changed.
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit cannot be changed');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit cannot be changed');
END;
