"""The door: REST, RPC, review pages, token pages."""
