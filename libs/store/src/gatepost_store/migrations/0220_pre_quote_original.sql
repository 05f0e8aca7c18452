-- migrate:up
-- Whether answers of a mailbox quote the mail they answer below their own text.
ALTER TABLE mailbox ADD COLUMN quote_original boolean NOT NULL DEFAULT false;
