"""Which writer a mailbox uses; each is made on first use, and the heavy libraries with it."""

from __future__ import annotations

from gatepost_drafter.provider import Provider
from gatepost_drafter.providers.retry import Budget
from gatepost_drafter.providers.scripted import Scripted
from gatepost_drafter.settings import DrafterSettings


class Providers:
    """The installation's writers."""

    def __init__(self, settings: DrafterSettings) -> None:
        self._settings = settings
        self._made: dict[str, Provider] = {}
        self._made[settings.chosen] = _make(settings.chosen, settings)

    def of(self, wanted: str) -> Provider:
        """The one a mailbox asks for; the installation's where it asks for none or for one that is not set up."""
        name = wanted if wanted in {"scripted", self._settings.chosen} else self._settings.chosen
        if name not in self._made:
            self._made[name] = _make(name, self._settings)
        return self._made[name]

    async def close(self) -> None:
        """Let go of all connections."""
        for provider in self._made.values():
            await provider.close()


def _make(name: str, settings: DrafterSettings) -> Provider:
    budget = Budget(settings.attempts, settings.deadline_s, settings.first_retry_s, settings.call_timeout_s)
    match name:
        case "anthropic":
            from gatepost_drafter.providers.anthropic_messages import AnthropicMessages

            return AnthropicMessages(
                settings.key or "", settings.chosen_model, settings.base_url, max_tokens=settings.max_tokens,
                budget=budget,
            )  # fmt: skip
        case "openai":
            from gatepost_drafter.providers.openai_compatible import OpenAICompatible

            return OpenAICompatible(
                settings.base_url or "https://api.openai.com/v1", settings.chosen_model, settings.key,
                max_tokens=settings.max_tokens, budget=budget,
            )  # fmt: skip
        case _:
            return Scripted()
