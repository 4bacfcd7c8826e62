-- What an API key is for, and what it is limited to beside its role (JSON; null: nothing).
ALTER TABLE api_keys ADD COLUMN purpose TEXT NOT NULL DEFAULT 'ACCOUNT';
ALTER TABLE api_keys ADD COLUMN scopes TEXT;
-- The secret from before the last rotation, and until when it works.
ALTER TABLE api_keys ADD COLUMN old_token_hash TEXT;
ALTER TABLE api_keys ADD COLUMN old_works_until TEXT;
ALTER TABLE api_keys ADD COLUMN rotated_at TEXT;
CREATE UNIQUE INDEX api_keys_by_old_token ON api_keys (old_token_hash);

DROP VIEW token_holders;
-- Whom a token belongs to, in one question: one row for each account that its holder may act for.
CREATE VIEW token_holders AS
    SELECT users.token_hash AS token_hash, 'user' AS kind, users.id AS holder_id, members.account_id AS account_id,
           members.role AS role, NULL AS purpose, NULL AS scopes, NULL AS expires_at, NULL AS revoked_at
    FROM users LEFT JOIN members ON members.user_id = users.id
    UNION ALL
    SELECT token_hash, 'api_key', id, account_id, role, purpose, scopes, expires_at, revoked_at FROM api_keys
    UNION ALL
    SELECT old_token_hash, 'api_key', id, account_id, role, purpose, scopes,
           CASE WHEN expires_at < old_works_until THEN expires_at ELSE old_works_until END, revoked_at
    FROM api_keys WHERE old_token_hash IS NOT NULL
    UNION ALL
    SELECT value, 'operator', NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM gateway_meta WHERE key = 'operator_token_hash';

-- Invitations that wait to be accepted. Of their tokens the database has the hash alone.
CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    UNIQUE (account_id, email)
);
CREATE INDEX invitations_by_email ON invitations (email);

-- Who users are at the provider at which they sign in.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
);

-- Browsers that are signed in. Of what their cookie holds the database has the hash alone.
CREATE TABLE sessions (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Browsers that came back from the provider: none comes back twice.
CREATE TABLE used_sign_ins (
    state_hash TEXT NOT NULL PRIMARY KEY,
    expires_at TEXT NOT NULL
);
