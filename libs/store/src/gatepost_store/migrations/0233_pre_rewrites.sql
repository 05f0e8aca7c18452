-- migrate:up
-- Rewrites of what waits, the newest: a lost event of one is looked for every few seconds.
CREATE INDEX revision_rewrites ON revision (created_at) WHERE n > 1 AND kind <> 'edit';
