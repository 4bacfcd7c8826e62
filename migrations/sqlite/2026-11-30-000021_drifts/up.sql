-- How much a refresh read, in bytes as they are stored, and how many identities it took; null where that was not counted.
ALTER TABLE refreshes ADD COLUMN bytes INTEGER;
ALTER TABLE refreshes ADD COLUMN identities INTEGER;
-- What was not as it was, the columns and rows that there were instead, the upload that is kept until that is accepted, and
-- the job that takes it as it is.
ALTER TABLE refreshes ADD COLUMN drifts TEXT NOT NULL DEFAULT '[]';
ALTER TABLE refreshes ADD COLUMN shape TEXT;
ALTER TABLE refreshes ADD COLUMN upload_id TEXT;
ALTER TABLE refreshes ADD COLUMN accepted_by TEXT;
-- The columns and rows of what is published, with which the next refresh is compared; null from before there were any.
ALTER TABLE runs ADD COLUMN shape TEXT;
-- Whether the account was told that the audiences of a run expire. Nobody is told of what was old before that was done.
ALTER TABLE runs ADD COLUMN expiry_told BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE runs SET expiry_told = TRUE WHERE refreshed_at < strftime('%Y-%m-%d %H:%M:%S', 'now', '-7 days');
CREATE INDEX runs_expiring ON runs (refreshed_at) WHERE NOT expiry_told;
