-- How many bytes an upload will have, where its sender said so.
ALTER TABLE uploads ADD COLUMN size BIGINT;

-- Files from before are stored in another form, which is read no more: they are uploaded again.
UPDATE uploads SET expires_at = created_at WHERE used_by IS NULL;
