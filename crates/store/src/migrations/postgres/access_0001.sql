-- Records of reads and searches.
CREATE TABLE records (record BIGINT PRIMARY KEY, at_us BIGINT NOT NULL, message BYTEA, bytes BYTEA NOT NULL);
CREATE INDEX records_by_message ON records (message) WHERE message IS NOT NULL;
-- Only ever added to, whoever asks.
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append-only' USING ERRCODE = 'TG001';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON records EXECUTE FUNCTION append_only();
