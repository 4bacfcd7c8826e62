-- Whom accounts no longer use: the version of each list, and files_id, the folder where it lies. Who is on it, only that says.
CREATE TABLE opt_outs (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    number INTEGER NOT NULL,
    files_id TEXT NOT NULL,
    identities TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    loaded_by TEXT NOT NULL,
    loaded_at TEXT NOT NULL
);

-- The lists by which the rows of a delivery were made, and how many identities that left out.
ALTER TABLE deliveries ADD COLUMN opt_outs TEXT;
