CREATE TABLE event_data_sets (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    fields TEXT NOT NULL,
    column_names TEXT NOT NULL,
    delimiter TEXT NOT NULL,
    events TEXT NOT NULL,
    consent TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT,
    row_count BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX event_data_sets_by_project ON event_data_sets (project_id, id);
CREATE INDEX event_data_sets_by_account ON event_data_sets (account_id, id);

-- Finished reports outlive their project, so they do not reference it.
CREATE TABLE reports (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    campaigns TEXT NOT NULL,
    from_day DATE NOT NULL,
    until_day DATE NOT NULL,
    run_on DATE NOT NULL,
    status TEXT NOT NULL,
    failure TEXT,
    epsilon DOUBLE PRECISION NOT NULL,
    result TEXT,
    finished_at TIMESTAMPTZ,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX reports_by_project ON reports (project_id, id);
CREATE INDEX reports_by_account ON reports (account_id, id);

-- What a pair of accounts has spent of its privacy budget in a quarter of a year.
CREATE TABLE budgets (
    account_low TEXT NOT NULL,
    account_high TEXT NOT NULL,
    quarter TEXT NOT NULL,
    spent DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account_low, account_high, quarter)
);
