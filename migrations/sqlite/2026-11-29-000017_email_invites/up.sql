-- Invites by e-mail. Of their tokens the database has the hash alone, once a mail is made. One that was reported stays, so that
-- its address gets no more of them.
CREATE TABLE email_invites (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    email TEXT NOT NULL,
    note TEXT NOT NULL,
    status TEXT NOT NULL,
    report_reason TEXT,
    connection_id TEXT REFERENCES connections (id),
    token_hash TEXT UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    sent_at TEXT,
    ended_at TEXT
);
CREATE INDEX email_invites_by_account ON email_invites (account_id, id);
CREATE INDEX email_invites_by_email ON email_invites (email);
CREATE UNIQUE INDEX email_invites_one_waiting ON email_invites (account_id, email) WHERE status = 'WAITING';

-- Terms that were accepted for an account: which, who and when.
CREATE TABLE accepted_terms (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    version TEXT NOT NULL,
    user_id TEXT NOT NULL,
    accepted_at TEXT NOT NULL,
    PRIMARY KEY (account_id, version)
);

-- The side that pays for both until the settings say otherwise.
ALTER TABLE connections ADD COLUMN payer TEXT;
