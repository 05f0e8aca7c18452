-- migrate:up

-- How soon the oversight address hears of what waits for a person.
ALTER TABLE tenant
    ADD COLUMN pending_mail    text NOT NULL DEFAULT 'daily'      -- at_once and hourly: of what is new; daily: what has waited long
        CHECK (pending_mail IN ('off', 'at_once', 'hourly', 'daily')),
    ADD COLUMN pending_told_at timestamptz;                       -- what was held before this was told, or is older than the wish
CREATE INDEX message_waiting ON message (tenant_id, held_at) WHERE state = 'held';
