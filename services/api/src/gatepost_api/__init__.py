"""The door: REST, RPC, token pages. It stores, asks the gatekeeper and answers; it decides nothing about mail."""
