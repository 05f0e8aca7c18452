-- migrate:up
-- Large contents may stand in an object store. Then `bytes` is NULL and `object` is the key, made for this row alone.
ALTER TABLE raw ALTER COLUMN bytes DROP NOT NULL, ADD COLUMN object text,
    ADD CONSTRAINT raw_content CHECK ((bytes IS NULL) = (object IS NOT NULL));
ALTER TABLE blob ALTER COLUMN bytes DROP NOT NULL, ADD COLUMN object text,
    ADD CONSTRAINT blob_content CHECK ((bytes IS NULL) = (object IS NOT NULL));

-- Keys that no row names: announced before their bytes are put, taken out by the transaction whose row names them, back
-- again when that row goes. What stands here and is due is deleted from the object store.
CREATE TABLE object_left (
    key    text PRIMARY KEY,
    due_at timestamptz NOT NULL
);
CREATE INDEX object_left_due ON object_left (due_at);

CREATE FUNCTION object_named() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN DELETE FROM object_left WHERE key = NEW.object; RETURN NULL; END $f$;
CREATE FUNCTION object_left_behind() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN INSERT INTO object_left VALUES (OLD.object, now()) ON CONFLICT DO NOTHING; RETURN NULL; END $f$;
CREATE TRIGGER raw_object_named AFTER INSERT ON raw FOR EACH ROW WHEN (NEW.object IS NOT NULL) EXECUTE FUNCTION object_named();
CREATE TRIGGER raw_object_left AFTER DELETE ON raw FOR EACH ROW WHEN (OLD.object IS NOT NULL) EXECUTE FUNCTION object_left_behind();
CREATE TRIGGER blob_object_named AFTER INSERT ON blob FOR EACH ROW WHEN (NEW.object IS NOT NULL) EXECUTE FUNCTION object_named();
CREATE TRIGGER blob_object_left AFTER DELETE ON blob FOR EACH ROW WHEN (OLD.object IS NOT NULL) EXECUTE FUNCTION object_left_behind();
