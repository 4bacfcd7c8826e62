CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    created_by TEXT NOT NULL,
    file_name TEXT NOT NULL,
    bytes_received BIGINT NOT NULL,
    complete BOOLEAN NOT NULL,
    sealed_key BYTEA NOT NULL,
    used_by TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX uploads_by_account ON uploads (account_id, id);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

CREATE TABLE data_connections (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    mapping TEXT NOT NULL,
    categories TEXT NOT NULL,
    access TEXT NOT NULL,
    visibility TEXT NOT NULL,
    consent TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX data_connections_by_account ON data_connections (account_id, id);

-- Which identities of one match key belong with which of another; links_id is the folder of what was loaded last.
CREATE TABLE crosswalks (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    join_side TEXT NOT NULL,
    linked_side TEXT NOT NULL,
    delimiter TEXT NOT NULL,
    consent TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT,
    links_id TEXT,
    counts TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX crosswalks_by_account ON crosswalks (account_id, id);

-- What the last good refresh of a data connection left on disk: its index is merged from these.
CREATE TABLE runs (
    data_connection_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    run_id TEXT NOT NULL,
    slots TEXT NOT NULL,
    keys TEXT NOT NULL,
    refreshed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX runs_by_account ON runs (account_id);

-- The history of loading files: of data connections, crosswalks and event data sets.
CREATE TABLE refreshes (
    job_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    source_id TEXT NOT NULL,
    status TEXT NOT NULL,
    row_count BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    faults TEXT NOT NULL,
    run_id TEXT,
    keys TEXT NOT NULL,
    failure TEXT,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);
CREATE INDEX refreshes_by_source ON refreshes (source_id, job_id);

-- Rows that were not taken, by number and reason, never by value.
CREATE TABLE row_faults (
    job_id TEXT NOT NULL REFERENCES refreshes (job_id) ON DELETE CASCADE,
    ordinal BIGINT NOT NULL,
    source_id TEXT NOT NULL,
    row_number BIGINT NOT NULL,
    column_name TEXT,
    reason TEXT NOT NULL,
    PRIMARY KEY (job_id, ordinal)
);
CREATE INDEX row_faults_by_source ON row_faults (source_id);

CREATE TABLE generations (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    identities TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX generations_by_account ON generations (account_id, id);

-- The coins of an audience belong to its first name for ever, so nothing is deleted here.
CREATE TABLE audience_slots (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    first_name TEXT NOT NULL,
    slot BIGINT NOT NULL,
    PRIMARY KEY (account_id, first_name),
    UNIQUE (account_id, slot)
);

CREATE TABLE audiences (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    data_connection_id TEXT NOT NULL REFERENCES data_connections (id),
    slot BIGINT NOT NULL,
    first_name TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    categories TEXT NOT NULL,
    access_kind TEXT NOT NULL,
    access_connections TEXT NOT NULL,
    visibility TEXT NOT NULL,
    failed BOOLEAN NOT NULL,
    identities TEXT NOT NULL,
    refreshed_at TIMESTAMPTZ,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    updated_by TEXT NOT NULL,
    UNIQUE (account_id, name),
    UNIQUE (account_id, slot)
);
CREATE INDEX audiences_by_account ON audiences (account_id, id);
CREATE INDEX audiences_by_data_connection ON audiences (data_connection_id, id);
