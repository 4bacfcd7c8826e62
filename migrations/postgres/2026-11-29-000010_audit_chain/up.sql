-- The audit log as a chain for each account, and one for what has no account (`operator`). Entries from before are chained
-- when the gateway starts.
CREATE TABLE audit_chain (
    chain TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    entry_id TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    PRIMARY KEY (chain, sequence)
);

-- Where each chain ends. Taken inside the transaction that writes an entry. The first `chained_later` entries were written
-- before there was a chain.
CREATE TABLE audit_heads (
    chain TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL,
    chained_later BIGINT NOT NULL DEFAULT 0
);

-- No entry is written that is not chained; chains cannot be changed, and their heads only go forward.
CREATE FUNCTION refuse_unchained() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_chain WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'audit entries are chained';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER audit_is_chained BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_unchained();
CREATE TRIGGER audit_chain_is_append_only BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_chain_is_never_emptied BEFORE TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_heads_go_forward BEFORE UPDATE ON audit_heads FOR EACH ROW
    WHEN (NEW.chain <> OLD.chain OR NEW.sequence < OLD.sequence OR (NEW.sequence = OLD.sequence AND NEW.hash <> OLD.hash))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_heads_are_never_deleted BEFORE DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_heads_are_never_emptied BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
