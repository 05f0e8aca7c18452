"""The rules of oversight as tables: who may move a mail from where to where, and what policy says of a draft."""
