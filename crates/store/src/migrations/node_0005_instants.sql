-- latest_us: the latest instant of this change and of all before it. It never falls, so that the place where a time begins is
-- found by halving.
ALTER TABLE changes ADD COLUMN latest_us INTEGER NOT NULL DEFAULT 0;
UPDATE changes SET latest_us = told.latest_us FROM (
    SELECT c.change AS change, max(coalesce(v.updated_us, r.updated_us)) OVER (ORDER BY c.change) AS latest_us
    FROM changes c JOIN resources r ON r.rid = c.rid
    LEFT JOIN resource_versions v ON v.rid = c.rid AND v.version = c.version) AS told
WHERE told.change = changes.change;
