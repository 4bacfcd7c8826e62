-- The agency that acts for a client; none: the account is its own.
ALTER TABLE accounts ADD COLUMN agency_id TEXT REFERENCES accounts (id);
CREATE INDEX accounts_by_agency ON accounts (agency_id, id);
-- Whoever accepts it becomes the ADMIN of a client, for which its agency acts no more.
ALTER TABLE invitations ADD COLUMN hands_over BOOLEAN NOT NULL DEFAULT FALSE;
-- The agency for which somebody acted.
ALTER TABLE audit ADD COLUMN agency_id TEXT;
ALTER TABLE events ADD COLUMN agency_id TEXT;
ALTER TABLE dead_letters ADD COLUMN agency_id TEXT;

DROP VIEW token_holders;
-- Whom a token belongs to, in one question: one row for each account that its holder may act for, with the agency for
-- which it does so. Users of an agency act for its clients, in the same role. `session_holders` says the same of
-- sessions.
CREATE VIEW token_holders AS
    SELECT users.token_hash AS token_hash, 'user' AS kind, users.id AS holder_id, members.account_id AS account_id,
           members.role AS role, NULL::text AS agency_id, NULL::text AS purpose, NULL::text AS scopes,
           NULL::timestamptz AS expires_at, NULL::timestamptz AS revoked_at
    FROM users LEFT JOIN members ON members.user_id = users.id
    UNION ALL
    SELECT users.token_hash, 'user', users.id, clients.id, members.role, members.account_id,
           NULL::text, NULL::text, NULL::timestamptz, NULL::timestamptz
    FROM users JOIN members ON members.user_id = users.id
    JOIN accounts AS clients ON clients.agency_id = members.account_id
    UNION ALL
    SELECT api_keys.token_hash, 'api_key', api_keys.id, api_keys.account_id, api_keys.role, accounts.agency_id,
           api_keys.purpose, api_keys.scopes, api_keys.expires_at, api_keys.revoked_at
    FROM api_keys JOIN accounts ON accounts.id = api_keys.account_id
    UNION ALL
    SELECT api_keys.old_token_hash, 'api_key', api_keys.id, api_keys.account_id, api_keys.role, accounts.agency_id,
           api_keys.purpose, api_keys.scopes,
           CASE WHEN api_keys.expires_at < api_keys.old_works_until THEN api_keys.expires_at
                ELSE api_keys.old_works_until END,
           api_keys.revoked_at
    FROM api_keys JOIN accounts ON accounts.id = api_keys.account_id WHERE api_keys.old_token_hash IS NOT NULL
    UNION ALL
    SELECT value, 'operator', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM gateway_meta WHERE key = 'operator_token_hash';

CREATE VIEW session_holders AS
    SELECT sessions.token_hash AS token_hash, sessions.user_id AS user_id, sessions.created_at AS created_at,
           sessions.last_seen_at AS last_seen_at, sessions.expires_at AS expires_at, members.account_id AS account_id,
           members.role AS role, NULL::text AS agency_id
    FROM sessions LEFT JOIN members ON members.user_id = sessions.user_id
    UNION ALL
    SELECT sessions.token_hash, sessions.user_id, sessions.created_at, sessions.last_seen_at, sessions.expires_at,
           clients.id, members.role, members.account_id
    FROM sessions JOIN members ON members.user_id = sessions.user_id
    JOIN accounts AS clients ON clients.agency_id = members.account_id;
