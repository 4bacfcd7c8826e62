-- What accounts have, in micro-credits. An account without a row has nothing.
CREATE TABLE wallets (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    provisioned INTEGER NOT NULL,
    used INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    CONSTRAINT wallets_parts_are_not_negative CHECK (provisioned >= 0 AND used >= 0 AND reserved >= 0),
    CONSTRAINT wallets_are_never_overdrawn CHECK (provisioned - used - reserved >= 0)
);

-- What wallets changed by. A wallet is the sum of its lines.
CREATE TABLE credit_entries (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- What it was for; null where the operator gave credits or took some back, which has a note.
    work_id TEXT,
    provisioned INTEGER NOT NULL,
    used INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    note TEXT,
    at TEXT NOT NULL
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
    price INTEGER NOT NULL,
    reserved_inputs INTEGER NOT NULL,
    inputs INTEGER NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    CONSTRAINT credit_reservations_status_is_known CHECK (status IN ('RESERVED', 'SETTLED', 'RELEASED'))
);
CREATE INDEX credit_reservations_by_status ON credit_reservations (status, id);

-- What each account's work came to on each UTC day.
CREATE TABLE credit_activity (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    day TEXT NOT NULL,
    connection_id TEXT REFERENCES connections (id),
    activity TEXT NOT NULL,
    inputs INTEGER NOT NULL,
    -- What it cost, and what the account paid of that.
    credits INTEGER NOT NULL,
    share INTEGER NOT NULL,
    CONSTRAINT credit_activity_share_is_a_part CHECK (share >= 0 AND share <= credits)
);
CREATE INDEX credit_activity_by_account ON credit_activity (account_id, id);
CREATE UNIQUE INDEX credit_activity_of_connections ON credit_activity (account_id, day, activity, connection_id)
    WHERE connection_id IS NOT NULL;
CREATE UNIQUE INDEX credit_activity_of_accounts ON credit_activity (account_id, day, activity)
    WHERE connection_id IS NULL;

-- The ledger cannot be changed, and a reservation ends once.
CREATE TRIGGER credit_entries_are_never_updated BEFORE UPDATE ON credit_entries
BEGIN
    SELECT RAISE(ABORT, 'credit_entries cannot be changed');
END;
CREATE TRIGGER credit_entries_are_never_deleted BEFORE DELETE ON credit_entries
BEGIN
    SELECT RAISE(ABORT, 'credit_entries cannot be changed');
END;
CREATE TRIGGER credit_reservations_end_once BEFORE UPDATE ON credit_reservations
WHEN OLD.status <> 'RESERVED'
BEGIN
    SELECT RAISE(ABORT, 'credit_reservations cannot be changed');
END;
CREATE TRIGGER credit_reservations_are_never_deleted BEFORE DELETE ON credit_reservations
BEGIN
    SELECT RAISE(ABORT, 'credit_reservations cannot be changed');
END;
