-- The audit log as a chain for each account, and one for what has no account (`operator`). Entries from before are chained
-- when the gateway starts.
CREATE TABLE audit_chain (
    chain TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    entry_id TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    PRIMARY KEY (chain, sequence)
);

-- Where each chain ends. Taken inside the transaction that writes an entry. The first `chained_later` entries were written
-- before there was a chain.
CREATE TABLE audit_heads (
    chain TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    chained_later INTEGER NOT NULL DEFAULT 0
);

-- No entry is written that is not chained; chains cannot be changed, and their heads only go forward.
CREATE TRIGGER audit_is_chained BEFORE INSERT ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_chain WHERE entry_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'audit entries are chained');
END;
CREATE TRIGGER audit_chain_is_never_updated BEFORE UPDATE ON audit_chain
BEGIN
    SELECT RAISE(ABORT, 'audit_chain cannot be changed');
END;
CREATE TRIGGER audit_chain_is_never_deleted BEFORE DELETE ON audit_chain
BEGIN
    SELECT RAISE(ABORT, 'audit_chain cannot be changed');
END;
CREATE TRIGGER audit_heads_go_forward BEFORE UPDATE ON audit_heads
WHEN NEW.chain <> OLD.chain OR NEW.sequence < OLD.sequence OR (NEW.sequence = OLD.sequence AND NEW.hash <> OLD.hash)
BEGIN
    SELECT RAISE(ABORT, 'audit_heads cannot be changed');
END;
CREATE TRIGGER audit_heads_are_never_deleted BEFORE DELETE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'audit_heads cannot be changed');
END;
