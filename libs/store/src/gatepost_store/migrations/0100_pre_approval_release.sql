-- migrate:up
-- An approval counts for one release: the one that it makes, or the next after it. What falls back needs new ones.
ALTER TABLE message ADD COLUMN ok1_for integer, ADD COLUMN ok2_for integer;
UPDATE message SET ok1_for = CASE WHEN state = 'held' THEN release + 1 ELSE release END,
    ok2_for = CASE WHEN ok2 IS NOT NULL THEN release END WHERE ok1 IS NOT NULL;
