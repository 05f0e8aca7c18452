"""Holds or releases every draft, and takes people's decisions."""
