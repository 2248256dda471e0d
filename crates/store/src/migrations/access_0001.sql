-- Records of reads and searches.
CREATE TABLE records (record INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
