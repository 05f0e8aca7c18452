"""Who sent this: a page that checks an identity header in the reader's browser.

The page trusts nothing of ours but the key, which it fetches from the well-known address; no database is asked, and what
is pasted into it never leaves the browser.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib import resources

from gatepost_api.office import Call, Office, Reply


@lru_cache(maxsize=1)
def _page() -> tuple[bytes, str]:
    """The document, and the policy that lets exactly its own script and style run."""
    folder = resources.files("gatepost_api")
    script = folder.joinpath("verify.js").read_text("utf-8")
    style = folder.joinpath("verify.css").read_text("utf-8")
    html = folder.joinpath("verify.html").read_text("utf-8").replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self';"
        " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    return html.encode(), policy


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


async def verify_page(_office: Office, _: Call) -> Reply:
    """The page."""
    html, policy = _page()
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
    return Reply(html, content_type="text/html; charset=utf-8", headers=headers)
