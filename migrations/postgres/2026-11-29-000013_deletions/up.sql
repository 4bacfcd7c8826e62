-- What the audit log keeps of a deletion besides that it was done (JSON; null: nothing).
ALTER TABLE audit ADD COLUMN details TEXT;

-- Of a deleted account this row stays, with its name, for those who dealt with it.
ALTER TABLE accounts ADD COLUMN deleted_at TIMESTAMPTZ;

-- What must never break, whoever writes. One live connection per pair: neither the order of a pair nor a state of another name
-- goes around connections_one_live_per_pair.
ALTER TABLE connections ADD CONSTRAINT connections_pair_is_its_accounts CHECK (
    account_low COLLATE "C" < account_high COLLATE "C"
    AND ((owner_id = account_low AND recipient_id = account_high) OR (owner_id = account_high AND recipient_id = account_low))
);
ALTER TABLE connections ADD CONSTRAINT connections_state_is_known CHECK (
    state IN ('INVITED', 'CONFIGURING', 'PROPOSED', 'REJECTED', 'ACTIVE', 'WITHDRAWN', 'DECLINED', 'DELETED')
);

-- Counters go forward, so that no number is given twice.
CREATE FUNCTION refuse_backward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% goes forward', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END;
$$;
CREATE TRIGGER event_counters_go_forward BEFORE UPDATE ON event_counters FOR EACH ROW
    WHEN (NEW.account_id <> OLD.account_id OR NEW.last_number < OLD.last_number) EXECUTE FUNCTION refuse_backward();
CREATE TRIGGER event_counters_are_never_deleted BEFORE DELETE ON event_counters
    FOR EACH ROW EXECUTE FUNCTION refuse_backward();

-- No orphans. An audience keeps the slot that its coins belong to, a run its data connection, an account its generation.
ALTER TABLE audiences ADD CONSTRAINT audiences_slot_fkey
    FOREIGN KEY (account_id, slot) REFERENCES audience_slots (account_id, slot);
ALTER TABLE runs ADD CONSTRAINT runs_data_connection_id_fkey
    FOREIGN KEY (data_connection_id) REFERENCES data_connections (id);
ALTER TABLE accounts ADD CONSTRAINT accounts_current_generation_fkey
    FOREIGN KEY (current_generation) REFERENCES generations (id);
CREATE INDEX accounts_by_generation ON accounts (current_generation);
