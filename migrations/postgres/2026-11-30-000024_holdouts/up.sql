-- How many of a hundred people no delivery of a sent audience reaches, and how many were in it when it was sent. Who, only
-- files say.
ALTER TABLE sent_audiences ADD COLUMN holdout TEXT;
