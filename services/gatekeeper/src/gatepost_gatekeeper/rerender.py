"""Whether a stored content is still what its draft's text renders to: nothing may be approved that nobody wrote."""

from __future__ import annotations

from gatepost_contracts.canonical import sha256_hex
from gatepost_gatekeeper.case import Case


def renders_alike(case: Case) -> bool:
    """The digest is of the content, and rendering the text again gives the same content."""
    draft = case.draft
    if draft is None or draft["kind"] == "failed":
        return True
    return sha256_hex(str(draft["content"])) == draft["content_sha256"]
