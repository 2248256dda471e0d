-- Search parameters that packages define; both roles. definition: all that decides which values one has; another text is
-- another generation, with rows of its own. state 0: its rows are being made; 1: all are there; 2: they are being removed.
CREATE TABLE custom_parameters (resource_type TEXT NOT NULL, code TEXT NOT NULL, generation BIGINT NOT NULL,
    definition TEXT NOT NULL, state BIGINT NOT NULL, PRIMARY KEY (resource_type, code, generation));
-- Of each type that has such rows to make or to remove: the last resource that was looked at, how many were, and of how many.
CREATE TABLE custom_passes (resource_type TEXT PRIMARY KEY, through BIGINT NOT NULL, done BIGINT NOT NULL,
    total BIGINT NOT NULL);
