"""Signed webhooks for every event."""
