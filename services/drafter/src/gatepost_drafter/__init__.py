"""Writes drafts from the whole thread and the mailbox's knowledge."""
