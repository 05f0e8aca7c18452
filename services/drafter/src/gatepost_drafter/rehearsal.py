"""The writers of a replay: models are not called, their old answer is taken instead; what costs nothing really runs."""

from __future__ import annotations

from gatepost_drafter.provider import DraftFailed, DraftRequest, DraftResult, Provider
from gatepost_drafter.providers import Providers
from gatepost_drafter.settings import DrafterSettings
from gatepost_runtime.replay import Replaying


class Rehearsed(Providers):
    """The installation's writers, of which those that are paid for only repeat themselves."""

    def __init__(self, settings: DrafterSettings, replaying: Replaying) -> None:
        super().__init__(settings)
        self._replaying = replaying

    def of(self, wanted: str) -> Provider:
        """The real one where it costs nothing or was asked for, else one that remembers."""
        real = super().of(wanted)
        return real if real.name == "scripted" or self._replaying.models else _Recalled(real, self._replaying)


class _Recalled:
    """Answers what was answered then."""

    def __init__(self, real: Provider, replaying: Replaying) -> None:
        self.name, self.prompt_version, self._replaying = real.name, real.prompt_version, replaying

    async def draft(self, request: DraftRequest) -> DraftResult:
        """The draft of then; without one there is no draft."""
        self._replaying.note("models", {"provider": self.name, "given": list(request.given)})
        old = next(iter(self._replaying.then["revisions"]), None)
        if old is None:
            raise DraftFailed("unavailable", "a replay calls no model; say --models to call it")
        if old["failure"]:
            raise DraftFailed("unavailable", old["failure"])
        return DraftResult(old["markdown"], category=old["category"])

    async def close(self) -> None:
        """Nothing is held."""
