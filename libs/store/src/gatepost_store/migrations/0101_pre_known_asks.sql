-- migrate:up
-- What a caller asks for is a mode or nothing; an unknown word could otherwise read as no mode at all.
ALTER TABLE message ADD CONSTRAINT message_ask CHECK (ask IN ('read_only', 'gated_all', 'gated_send', 'monitored', 'autonomous')) NOT VALID;
ALTER TABLE revision ADD CONSTRAINT revision_ask CHECK (ask IN ('read_only', 'gated_all', 'gated_send', 'monitored', 'autonomous')) NOT VALID;
