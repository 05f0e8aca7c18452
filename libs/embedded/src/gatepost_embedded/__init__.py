"""A private NATS and Postgres from wheels, a supervisor and a mail catcher."""
