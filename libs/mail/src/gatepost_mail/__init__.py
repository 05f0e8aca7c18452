"""Mail bytes to objects and back: parse, render, compose, sign, verify. Pure."""
