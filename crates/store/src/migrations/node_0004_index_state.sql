-- What the search index holds; both roles. epoch: which extraction made it; through: the last resource made again while it
-- is behind. 0 is less than any: whatever is stored is made again at the next start.
CREATE TABLE index_state (epoch INTEGER NOT NULL, through INTEGER NOT NULL) STRICT;
INSERT INTO index_state (epoch, through) VALUES (0, 0);
