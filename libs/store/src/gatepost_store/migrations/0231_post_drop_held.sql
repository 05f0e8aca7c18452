-- migrate:up
-- The indexes of the queue answer what these did.
DROP INDEX message_held;
DROP INDEX message_pending;
DROP INDEX message_gated;
