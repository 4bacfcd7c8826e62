-- Consents on their way: from the browser that is sent to a platform to the destination that uses what came of it.
CREATE TABLE oauth_consents (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    begun_by TEXT NOT NULL,
    destination_type TEXT NOT NULL,
    -- SHA-256 of what the browser comes back with; null once it has.
    state_hash BYTEA UNIQUE,
    -- SHA-256 of what the account names it by; null until the platform has answered.
    code_hash BYTEA UNIQUE,
    -- First the client and what proves that the code is ours, then the refresh token.
    secrets_sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX oauth_consents_by_account ON oauth_consents (account_id);
