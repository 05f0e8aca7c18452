"""The gatepost command."""
