"""Postgres for Gatepost: pool, group commit, step, outbox, migrations."""
