"""An agent of your own behind Flask: the webhook tells it of mail, it drafts through the API, a person decides.

Run it beside `make up` (pip install flask):
    AGENT_KEY=<the agent's key> AGENT_WEBHOOK_SECRET=<signing_secret of the subscription> flask --app examples/flask_agent run
"""

from __future__ import annotations

from flask import Flask, Response, request
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatepost_client import Gatepost, WebhookError, verify_webhook


class AgentSettings(BaseSettings):
    """Read from AGENT_*."""

    model_config = SettingsConfigDict(env_prefix="AGENT_")

    api_url: str = Field("http://127.0.0.1:8080", description="Gatepost's API.")
    key: str = Field(description="A key with the scopes read and send.")
    webhook_secret: str = Field(description="Shown once, when the subscription was made.")


def answer(thread: list[dict]) -> str:
    """Call your model here; what it is given is the whole conversation, oldest first."""
    return (
        f"Thank you for your {'mails' if len(thread) > 1 else 'mail'} about “{thread[-1]['subject']}”. We look into it."
    )


def create_app(settings: AgentSettings | None = None) -> Flask:
    settings = settings or AgentSettings()
    app, client, seen = Flask(__name__), Gatepost(settings.key, base_url=settings.api_url), set()

    @app.post("/inbound")
    def inbound() -> Response:
        try:
            event = verify_webhook(request.get_data(), dict(request.headers), settings.webhook_secret)
        except WebhookError:
            return Response(status=401)
        if event["id"] not in seen and event["event"] == "email.received":
            thread = client.get_thread(event["thread_id"])["messages"]
            client.reply(event["mailbox_id"], event["message_id"], markdown=answer(thread), idempotency_key=event["id"])
            seen.add(event["id"])
        return Response(status=204)

    return app
