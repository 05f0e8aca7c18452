"""A private NATS and Postgres from wheels, a supervisor and a mail catcher."""

from gatepost_embedded.child import Child, Step
from gatepost_embedded.errors import EmbeddedError
from gatepost_embedded.nats import Nats
from gatepost_embedded.postgres import Postgres
from gatepost_embedded.private import private_nats, private_postgres
from gatepost_embedded.supervisor import Supervisor

__all__ = ["Child", "EmbeddedError", "Nats", "Postgres", "Step", "Supervisor", "private_nats", "private_postgres"]
