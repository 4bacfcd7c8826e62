ALTER TABLE activations ADD COLUMN paused_at TEXT;
