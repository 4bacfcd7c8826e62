-- The version of what is in force, where a change of it has a version of its own, and when that was proposed.
ALTER TABLE connections ADD COLUMN agreed_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN proposed_at TEXT;
UPDATE connections SET agreed_version = settings_version WHERE settings IS NOT NULL;

-- What owners work on. Apart from connections, which both sides read.
CREATE TABLE settings_drafts (
    connection_id TEXT NOT NULL PRIMARY KEY REFERENCES connections (id),
    -- Null once it was proposed.
    settings TEXT,
    version INTEGER NOT NULL,
    saved_by TEXT NOT NULL,
    saved_at TEXT NOT NULL
);
