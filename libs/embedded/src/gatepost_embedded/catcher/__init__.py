"""The mail catcher: takes everything that leaves a development installation, and shows it."""
