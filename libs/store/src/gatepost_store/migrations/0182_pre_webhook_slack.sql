-- migrate:up

-- `slack`: one line of text and a link, as incoming webhooks of chat systems take it.
ALTER TABLE endpoint
    DROP CONSTRAINT endpoint_payload_check,
    ADD CONSTRAINT endpoint_payload_check CHECK (payload IN ('full', 'thin', 'slack'));
