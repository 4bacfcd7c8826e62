-- The span in which a job was made, as the header `traceparent` says one; null where nobody traced.
ALTER TABLE jobs ADD COLUMN trace_parent TEXT;
