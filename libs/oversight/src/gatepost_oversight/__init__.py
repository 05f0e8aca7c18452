"""The lifecycle and policy tables of Gatepost, their evaluator and SQL. Pure."""
