-- migrate:up
-- Tags that people set on a thread are looked for with every draft; the cost must not grow with the thread.
CREATE INDEX message_person_tags ON message (thread_id) WHERE person_tags <> '{}';
-- The newest reviews of a loosened category's sample, after each of them and with every sweep.
CREATE INDEX message_sampled ON message (mailbox_id, rule_category, decided_at)
 WHERE decided_at IS NOT NULL AND 'sampled' = ANY (reasons);
