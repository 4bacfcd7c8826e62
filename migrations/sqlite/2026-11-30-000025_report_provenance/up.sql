-- Why a report could not run, as a code; null as well for those that failed before there were codes.
ALTER TABLE reports ADD COLUMN failure_reason TEXT;
-- What a frozen report was computed from; null for those that were frozen before that was kept.
ALTER TABLE reports ADD COLUMN provenance TEXT;
