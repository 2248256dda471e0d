-- What only the portal has.
CREATE TABLE arrivals (idempotency_key BYTEA PRIMARY KEY, receipt TEXT NOT NULL);
CREATE TABLE witnesses (origin TEXT NOT NULL, size BIGINT NOT NULL, kept BIGINT NOT NULL, at_us BIGINT NOT NULL,
    note TEXT NOT NULL, PRIMARY KEY (origin, size, kept), UNIQUE (origin, size, note));
