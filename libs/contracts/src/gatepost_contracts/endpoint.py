"""What happens to webhook endpoints."""

from __future__ import annotations

from typing import ClassVar

from gatepost_contracts.event import Event
from gatepost_contracts.ids import EndpointId, WebhookDeliveryId


class EndpointDisabled(Event):
    """It was switched off: it answered 410, or failed for days."""

    type: ClassVar[str] = "endpoint.disabled"

    endpoint_id: EndpointId
    reason: str


class EndpointExhausted(Event):
    """A delivery to it ran out of attempts; it is kept for redelivery."""

    type: ClassVar[str] = "endpoint.exhausted"

    endpoint_id: EndpointId
    webhook_delivery_id: WebhookDeliveryId
    about_event_id: str
