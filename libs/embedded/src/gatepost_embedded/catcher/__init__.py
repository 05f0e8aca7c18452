"""The mail catcher: takes every mail that leaves in development, keeps it, shows it, and misbehaves on request."""
