"""Python SDK of Gatepost, and a client for programs written for MultiMail."""
