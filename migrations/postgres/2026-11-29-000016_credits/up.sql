-- What accounts have, in micro-credits. An account without a row has nothing.
CREATE TABLE wallets (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    provisioned BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    CONSTRAINT wallets_parts_are_not_negative CHECK (provisioned >= 0 AND used >= 0 AND reserved >= 0),
    CONSTRAINT wallets_are_never_overdrawn CHECK (provisioned - used - reserved >= 0)
);

-- What wallets changed by. A wallet is the sum of its lines.
CREATE TABLE credit_entries (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- What it was for; null where the operator gave credits or took some back, which has a note.
    work_id TEXT,
    provisioned BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    note TEXT,
    at TIMESTAMPTZ NOT NULL
);
CREATE INDEX credit_entries_by_account ON credit_entries (account_id, id);

-- One for each work, by the id of its job, sent audience, delivery or report, which it outlives.
CREATE TABLE credit_reservations (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- The other side and who pays, where there is another side.
    other_id TEXT REFERENCES accounts (id),
    payer TEXT,
    connection_id TEXT REFERENCES connections (id),
    activity TEXT NOT NULL,
    -- Micro-credits for a million inputs.
    price BIGINT NOT NULL,
    reserved_inputs BIGINT NOT NULL,
    inputs BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT credit_reservations_status_is_known CHECK (status IN ('RESERVED', 'SETTLED', 'RELEASED'))
);
CREATE INDEX credit_reservations_by_status ON credit_reservations (status, id);

-- What each account's work came to on each UTC day.
CREATE TABLE credit_activity (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    day DATE NOT NULL,
    connection_id TEXT REFERENCES connections (id),
    activity TEXT NOT NULL,
    inputs BIGINT NOT NULL,
    -- What it cost, and what the account paid of that.
    credits BIGINT NOT NULL,
    share BIGINT NOT NULL,
    CONSTRAINT credit_activity_share_is_a_part CHECK (share >= 0 AND share <= credits)
);
CREATE INDEX credit_activity_by_account ON credit_activity (account_id, id);
CREATE UNIQUE INDEX credit_activity_of_connections ON credit_activity (account_id, day, activity, connection_id)
    WHERE connection_id IS NOT NULL;
CREATE UNIQUE INDEX credit_activity_of_accounts ON credit_activity (account_id, day, activity)
    WHERE connection_id IS NULL;

-- The ledger cannot be changed, and a reservation ends once.
CREATE TRIGGER credit_entries_are_append_only BEFORE UPDATE OR DELETE ON credit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_entries_are_never_emptied BEFORE TRUNCATE ON credit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_reservations_end_once BEFORE UPDATE ON credit_reservations
    FOR EACH ROW WHEN (OLD.status <> 'RESERVED') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER credit_reservations_are_never_deleted BEFORE DELETE ON credit_reservations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
