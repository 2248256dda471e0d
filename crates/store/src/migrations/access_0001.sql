-- Records of reads and searches.
CREATE TABLE records (record INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, message BLOB, bytes BLOB NOT NULL) STRICT;
CREATE INDEX records_by_message ON records (message) WHERE message IS NOT NULL;
