CREATE TABLE connections (
    id TEXT NOT NULL PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES accounts (id),
    recipient_id TEXT NOT NULL REFERENCES accounts (id),
    account_low TEXT NOT NULL,
    account_high TEXT NOT NULL,
    pattern TEXT NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    settings TEXT,
    proposed TEXT,
    settings_version INTEGER NOT NULL,
    rejection TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
-- One live connection per pair of accounts, whoever invited whom.
CREATE UNIQUE INDEX connections_one_live_per_pair ON connections (account_low, account_high)
    WHERE state IN ('INVITED', 'CONFIGURING', 'PROPOSED', 'REJECTED', 'ACTIVE');
CREATE INDEX connections_by_owner ON connections (owner_id, id);
CREATE INDEX connections_by_recipient ON connections (recipient_id, id);

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    creator_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    advertiser TEXT NOT NULL,
    use_cases TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX projects_by_connection ON projects (connection_id, id);

CREATE TABLE campaigns (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    runner_id TEXT NOT NULL REFERENCES accounts (id),
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    placements TEXT NOT NULL,
    creatives TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (project_id, runner_id, external_id)
);
CREATE INDEX campaigns_by_project ON campaigns (project_id, id);

CREATE TABLE destinations (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    destination_type TEXT NOT NULL,
    match_keys TEXT NOT NULL,
    settings_sealed BLOB NOT NULL,
    settings_shown TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_id, name)
);
CREATE INDEX destinations_by_account ON destinations (account_id, id);

-- What follows outlives projects, audiences and destinations as a record, so it does not reference them.
CREATE TABLE sent_audiences (
    id TEXT NOT NULL PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    project_id TEXT NOT NULL,
    sender_id TEXT NOT NULL REFERENCES accounts (id),
    receiver_id TEXT NOT NULL REFERENCES accounts (id),
    audience_id TEXT NOT NULL,
    within_audiences TEXT NOT NULL,
    match_keys TEXT NOT NULL,
    recurring_from TEXT,
    recurring_until TEXT,
    revoked_at TEXT,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX sent_audiences_by_project ON sent_audiences (project_id, id);
CREATE INDEX sent_audiences_by_sender ON sent_audiences (sender_id, id);
CREATE INDEX sent_audiences_by_receiver ON sent_audiences (receiver_id, id);
CREATE INDEX sent_audiences_by_audience ON sent_audiences (audience_id);

CREATE TABLE activations (
    id TEXT NOT NULL PRIMARY KEY,
    sent_audience_id TEXT NOT NULL REFERENCES sent_audiences (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    destination_id TEXT NOT NULL,
    on_day TEXT NOT NULL,
    match_keys TEXT NOT NULL,
    deliver_as TEXT,
    status TEXT NOT NULL,
    failure TEXT,
    delivered INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX activations_by_sent_audience ON activations (sent_audience_id, id);
CREATE INDEX activations_by_account ON activations (account_id, id);
CREATE INDEX activations_by_destination ON activations (destination_id);

CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    activation_id TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    destination_id TEXT NOT NULL,
    generation_id TEXT NOT NULL,
    status TEXT NOT NULL,
    acknowledged INTEGER NOT NULL,
    plugin_state_sealed BLOB,
    added INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    without_link INTEGER,
    set_ref TEXT,
    failure TEXT,
    started_at TEXT NOT NULL,
    finished_at TEXT
);
CREATE INDEX deliveries_by_activation ON deliveries (activation_id, id);
-- One delivery of an activation at a time.
CREATE UNIQUE INDEX deliveries_one_running ON deliveries (activation_id) WHERE status = 'RUNNING';

-- Rows that a destination did not take, with its reason, never with their values.
CREATE TABLE rejected_rows (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    row_number INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (delivery_id, ordinal)
);
