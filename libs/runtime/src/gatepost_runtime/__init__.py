"""What makes a process a Gatepost service."""
