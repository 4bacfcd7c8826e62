-- Where a data connection reads by itself; null where files are uploaded. The settings as they may be shown, and all of
-- them.
ALTER TABLE data_connections ADD COLUMN source_type TEXT;
ALTER TABLE data_connections ADD COLUMN source_settings_sealed BYTEA;
ALTER TABLE data_connections ADD COLUMN source_settings_shown TEXT;
-- Stands for what the last good refresh read, and how: where it is the same again, nothing is read.
ALTER TABLE data_connections ADD COLUMN source_seen TEXT;
-- When it reads by itself. What is planned is a job.
ALTER TABLE data_connections ADD COLUMN schedule TEXT NOT NULL DEFAULT '{"kind":"ONCE"}';
