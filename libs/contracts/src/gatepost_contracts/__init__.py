"""The events and commands of Gatepost: pydantic models and nothing else."""
