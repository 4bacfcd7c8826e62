-- What a job shares with others, of which only some run at once: a destination.
ALTER TABLE jobs ADD COLUMN share TEXT;

-- When an account last had its turn in a pool of jobs.
CREATE TABLE job_turns (
    pool TEXT NOT NULL,
    account_id TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (pool, account_id)
);
