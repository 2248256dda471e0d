-- What the console lists: feeds, search, edits.
-- 1: processed again since, so that the time of its processing says nothing of its feed.
ALTER TABLE messages ADD COLUMN reprocessed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_by_channel ON messages (channel, received_us, state, processed_us, reprocessed);
-- 5: quarantined, 6: error
CREATE INDEX messages_held ON messages (reason, state, sender, received_us)
    WHERE state IN (5, 6) AND resolved_by IS NULL;
CREATE INDEX messages_by_parent ON messages (parent) WHERE parent IS NOT NULL;
DROP INDEX deliveries_by_message;
CREATE INDEX deliveries_by_message ON deliveries (seq, state);
CREATE INDEX reprocess_requests_by_message ON reprocess_requests (message, request);
