-- What the sources are set up with that are read from by themselves, by the id of what is read from them: of a data connection,
-- of an event data set until it is loaded, or of the account whose opt-outs they are. The settings as they may be shown, and all
-- of them; seen stands for what the last good load read, and how: where it is the same again, nothing is read.
CREATE TABLE sources (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    settings_sealed BLOB NOT NULL,
    settings_shown TEXT NOT NULL,
    seen TEXT
);
CREATE INDEX sources_by_account ON sources (account_id);
INSERT INTO sources (id, account_id, settings_sealed, settings_shown, seen)
    SELECT id, account_id, source_settings_sealed, source_settings_shown, source_seen FROM data_connections
    WHERE source_settings_sealed IS NOT NULL;
ALTER TABLE data_connections DROP COLUMN source_settings_sealed;
ALTER TABLE data_connections DROP COLUMN source_settings_shown;
ALTER TABLE data_connections DROP COLUMN source_seen;

-- Where the lists of opt-outs come from by themselves, when, and how that is read. Of the last load from there: what it read,
-- and the version of the list that it made.
CREATE TABLE opt_out_sources (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    source_type TEXT NOT NULL,
    schedule TEXT NOT NULL,
    read_as TEXT NOT NULL,
    set_at TEXT NOT NULL,
    shape TEXT,
    made INTEGER
);

-- The type of the source that events were loaded from; null for an upload.
ALTER TABLE event_data_sets ADD COLUMN source_type TEXT;

-- The audit log by what it is about, in the order of its pages.
CREATE INDEX audit_by_subject ON audit (account_id, subject_id, id);
