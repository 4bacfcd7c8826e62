-- Facts about the gateway itself: the hash of the operator's token, the id of the key that everything is sealed under.
CREATE TABLE gateway_meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Secrets that last for ever, such as the one behind the indexes: made at the first start, sealed under the gateway's key.
CREATE TABLE gateway_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret_sealed BLOB NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);

-- Columns that end in _sealed hold bytes that the gateway encrypted; the database never holds them in clear.
CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    industry TEXT NOT NULL,
    contact_email TEXT NOT NULL,
    role TEXT NOT NULL,
    region TEXT NOT NULL,
    match_keys TEXT NOT NULL,
    privacy_level TEXT NOT NULL,
    connect_code_hash TEXT NOT NULL UNIQUE,
    connect_code_sealed BLOB NOT NULL,
    coin_secret_sealed BLOB NOT NULL,
    logo_svg TEXT,
    header_picture BLOB,
    header_picture_type TEXT,
    current_generation TEXT,
    next_slot INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX accounts_by_role ON accounts (role, id);

CREATE TABLE members (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (account_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    expires_at TEXT,
    revoked_at TEXT,
    last_used_at TEXT,
    created_at TEXT NOT NULL
);
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

-- Whom a token belongs to, in one question: one row for each account that its holder may act for.
CREATE VIEW token_holders AS
    SELECT users.token_hash AS token_hash, 'user' AS kind, users.id AS holder_id, members.account_id AS account_id,
           members.role AS role, NULL AS expires_at, NULL AS revoked_at
    FROM users LEFT JOIN members ON members.user_id = users.id
    UNION ALL
    SELECT token_hash, 'api_key', id, account_id, role, expires_at, revoked_at FROM api_keys
    UNION ALL
    SELECT value, 'operator', NULL, NULL, NULL, NULL, NULL FROM gateway_meta WHERE key = 'operator_token_hash';
