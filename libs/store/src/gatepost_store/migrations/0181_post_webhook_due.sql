-- migrate:up

-- Nothing looks for due deliveries without naming an endpoint any more.
DROP INDEX webhook_due;
