-- What the audit log keeps of a deletion besides that it was done (JSON; null: nothing).
ALTER TABLE audit ADD COLUMN details TEXT;

-- Of a deleted account this row stays, with its name, for those who dealt with it.
ALTER TABLE accounts ADD COLUMN deleted_at TEXT;

-- What must never break, whoever writes. SQLite takes no constraint for a table that is there, so these are triggers of the
-- same names. One live connection per pair: neither the order of a pair nor a state of another name goes around
-- connections_one_live_per_pair.
CREATE TRIGGER connections_pair_is_its_accounts BEFORE INSERT ON connections
WHEN NEW.account_low >= NEW.account_high
    OR (NEW.account_low, NEW.account_high) NOT IN (VALUES (NEW.owner_id, NEW.recipient_id), (NEW.recipient_id, NEW.owner_id))
BEGIN
    SELECT RAISE(ABORT, 'connections_pair_is_its_accounts');
END;
CREATE TRIGGER connections_pair_stays BEFORE UPDATE ON connections
WHEN (NEW.owner_id, NEW.recipient_id, NEW.account_low, NEW.account_high)
    IS NOT (OLD.owner_id, OLD.recipient_id, OLD.account_low, OLD.account_high)
BEGIN
    SELECT RAISE(ABORT, 'connections_pair_is_its_accounts');
END;
CREATE TRIGGER connections_state_is_known BEFORE INSERT ON connections
WHEN NEW.state NOT IN ('INVITED', 'CONFIGURING', 'PROPOSED', 'REJECTED', 'ACTIVE', 'WITHDRAWN', 'DECLINED', 'DELETED')
BEGIN
    SELECT RAISE(ABORT, 'connections_state_is_known');
END;
CREATE TRIGGER connections_state_stays_known BEFORE UPDATE ON connections
WHEN NEW.state NOT IN ('INVITED', 'CONFIGURING', 'PROPOSED', 'REJECTED', 'ACTIVE', 'WITHDRAWN', 'DECLINED', 'DELETED')
BEGIN
    SELECT RAISE(ABORT, 'connections_state_is_known');
END;

-- Counters go forward, so that no number is given twice.
CREATE TRIGGER event_counters_go_forward BEFORE UPDATE ON event_counters
WHEN NEW.account_id <> OLD.account_id OR NEW.last_number < OLD.last_number
BEGIN
    SELECT RAISE(ABORT, 'event_counters_go_forward');
END;
CREATE TRIGGER event_counters_are_never_deleted BEFORE DELETE ON event_counters
BEGIN
    SELECT RAISE(ABORT, 'event_counters_are_never_deleted');
END;

-- No orphans. An audience keeps the slot that its coins belong to, a run its data connection, an account its generation.
CREATE TRIGGER audiences_slot_fkey BEFORE INSERT ON audiences
WHEN NOT EXISTS (SELECT 1 FROM audience_slots WHERE account_id = NEW.account_id AND slot = NEW.slot)
BEGIN
    SELECT RAISE(ABORT, 'audiences_slot_fkey');
END;
CREATE TRIGGER audience_slots_in_use BEFORE DELETE ON audience_slots
WHEN EXISTS (SELECT 1 FROM audiences WHERE account_id = OLD.account_id AND slot = OLD.slot)
BEGIN
    SELECT RAISE(ABORT, 'audiences_slot_fkey');
END;
CREATE TRIGGER runs_data_connection_id_fkey BEFORE INSERT ON runs
WHEN NOT EXISTS (SELECT 1 FROM data_connections WHERE id = NEW.data_connection_id)
BEGIN
    SELECT RAISE(ABORT, 'runs_data_connection_id_fkey');
END;
CREATE TRIGGER data_connections_with_runs BEFORE DELETE ON data_connections
WHEN EXISTS (SELECT 1 FROM runs WHERE data_connection_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'runs_data_connection_id_fkey');
END;
CREATE TRIGGER accounts_current_generation_fkey BEFORE UPDATE OF current_generation ON accounts
WHEN NEW.current_generation IS NOT NULL AND NOT EXISTS (SELECT 1 FROM generations WHERE id = NEW.current_generation)
BEGIN
    SELECT RAISE(ABORT, 'accounts_current_generation_fkey');
END;
CREATE TRIGGER generations_in_use BEFORE DELETE ON generations
WHEN EXISTS (SELECT 1 FROM accounts WHERE current_generation = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'accounts_current_generation_fkey');
END;
CREATE INDEX accounts_by_generation ON accounts (current_generation);
