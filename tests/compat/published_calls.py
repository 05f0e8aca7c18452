"""Run by the interpreter that has the published packages: each method or tool once, one JSON line for each.

Reads a JSON object on standard input: url, keys by name, and the ids of what was prepared. Imports nothing of ours.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

warnings.filterwarnings("ignore")

Calls = dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]]  # method -> key's name, arguments


def sdk_calls(made: dict[str, Any]) -> Iterator[tuple[str, str, tuple[Any, ...], dict[str, Any]]]:
    """Every method of the published SDK, in an order in which each has something to work on."""
    box, mail, held = made["mailbox"], made["mail"], made["held"]
    yield "get_account", "agent", (), {}
    yield "update_account", "operator", (), {"name": "Compat Ltd"}
    yield "list_mailboxes", "agent", (), {}
    yield "create_mailbox", "operator", (made["spare_address"], "Spare"), {}
    yield "update_mailbox", "operator", (box,), {"display_name": "Changed"}
    yield "delete_mailbox", "operator", (made["spare"],), {}
    yield "list_emails", "agent", (box,), {"limit": 5, "direction": "inbound"}
    yield "get_email", "agent", (box, mail), {}
    yield "send_email", "agent", (box,), {"to": ["x@compat.test"], "subject": "Hi", "markdown": made["words"]}
    yield "reply_email", "agent", (box, made["other_mail"]), {"markdown": made["words"]}
    yield "cancel_email", "agent", (box, made["cancel"]), {}
    yield "get_thread", "agent", (box, made["thread"]), {}
    yield "download_attachment", "agent", (box, mail, made["attachment"]), {}
    yield "set_tags", "agent", (box, mail, {"a": "b"}), {}
    yield "get_tags", "agent", (box, mail), {}
    yield "delete_tag", "agent", (box, mail, "a"), {}
    yield "add_contact", "agent", (made["contact"],), {"name": "Ada"}
    yield "list_contacts", "agent", (), {"q": "ada"}
    yield "delete_contact", "operator", (made["contact_id"],), {}
    yield "list_pending", "reviewer", (), {}
    yield "decide", "reviewer", (held, "approve"), {}
    yield "list_api_keys", "operator", (), {}
    yield "create_api_key", "operator", ("compat", ["read"]), {}
    yield "revoke_api_key", "operator", (made["key_id"],), {}
    yield "create_webhook", "operator", ("http://127.0.0.1:9/hook", ["message.received"]), {}
    yield "list_webhooks", "operator", (), {}
    yield "delete_webhook", "operator", (made["webhook"],), {}
    yield "list_domains", "operator", (), {}
    yield "add_domain", "operator", (made["domain_name"],), {}
    yield "verify_domain", "operator", (made["domain"],), {}
    yield "delete_domain", "operator", (made["domain"],), {}
    yield "list_suppressions", "operator", (), {}
    yield "remove_suppression", "operator", (made["suppressed"],), {}
    yield "get_usage", "agent", (), {}
    yield "get_audit_log", "operator", (), {"limit": 10}
    yield "delete_account", "operator", (), {}


def tell(name: str, work: Callable[[], Any]) -> None:
    """One line: what came, or what was raised."""
    try:
        result = work()
    except Exception as error:  # whatever a published client raises is the finding
        line = {
            "name": name,
            "raised": type(error).__name__,
            "text": str(error)[:300],
            "status": getattr(error, "status_code", None),
        }
    else:
        line = {"name": name, "type": type(result).__name__, "text": str(result)[:20_000]}
    sys.stdout.write(json.dumps(line) + "\n")


def sdk(made: dict[str, Any]) -> None:
    """The blocking client."""
    from multimail import MultiMail

    public = {n for n, f in inspect.getmembers(MultiMail, inspect.isfunction) if not n.startswith("_")} - {"close"}
    calls = list(sdk_calls(made))
    tell("every method is called", lambda: sorted(public ^ {name for name, *_ in calls}))
    clients = {name: MultiMail(key, base_url=made["url"]) for name, key in made["keys"].items()}
    for name, key, args, kwargs in calls:
        tell(name, lambda n=name, k=key, a=args, kw=kwargs: getattr(clients[k], n)(*a, **kw))


def sdk_async(made: dict[str, Any]) -> None:
    """The asyncio client."""
    from multimail import AsyncMultiMail

    async def work() -> None:
        clients = {name: AsyncMultiMail(key, base_url=made["url"]) for name, key in made["keys"].items()}
        for name, key, args, kwargs in sdk_calls(made):
            try:
                result = await getattr(clients[key], name)(*args, **kwargs)
            except Exception as error:
                tell(name, lambda e=error: _raise(e))
            else:
                tell(name, lambda r=result: r)

    asyncio.run(work())


def _raise(error: Exception) -> None:
    raise error


def tool_calls(made: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Tool -> key's name and arguments."""
    box, mail = made["mailbox"], made["mail"]
    return {
        "check_inbox": ("agent", {"mailbox_id": box, "direction": "inbound", "limit": 5}),
        "read_email": ("agent", {"mailbox_id": box, "email_id": mail}),
        "send_email": (
            "agent",
            {"mailbox_id": box, "to": ["x@compat.test"], "subject": "Hi", "markdown": made["words"]},
        ),
        "reply_email": ("agent", {"mailbox_id": box, "email_id": made["other_mail"], "markdown": made["words"]}),
        "search_contacts": ("agent", {"q": "ada"}),
        "get_thread": ("agent", {"mailbox_id": box, "thread_id": made["thread"]}),
        "tag_email": ("agent", {"mailbox_id": box, "email_id": mail, "tags": {"topic": "compat"}}),
        "list_pending": ("reviewer", {}),
        "decide_email": ("reviewer", {"email_id": made["held"], "action": "reject", "reason": "Not like this"}),
    }


def langchain(made: dict[str, Any]) -> None:
    """The LangChain tools."""
    from langchain_multimail import MultiMailToolkit

    kits = {
        name: {t.name: t for t in MultiMailToolkit(key, base_url=made["url"]).get_tools()}
        for name, key in made["keys"].items()
    }
    calls = tool_calls(made)
    tell("every tool is called", lambda: sorted(set(kits["agent"]) ^ set(calls)))
    for name, (key, args) in calls.items():
        tell(name, lambda n=name, k=key, a=args: kits[k][n].invoke(a))


def llamaindex(made: dict[str, Any]) -> None:
    """The LlamaIndex tools: they say body, decision, tags as a list, and a status as direction."""
    from llamaindex_multimail import MultiMailToolSpec

    kits = {
        name: {t.metadata.name: t for t in MultiMailToolSpec(key, base_url=made["url"]).to_tool_list()}
        for name, key in made["keys"].items()
    }
    calls = tool_calls(made)
    tell("every tool is called", lambda: sorted(set(kits["agent"]) ^ set(calls)))
    said = {"markdown": "body", "action": "decision"}
    for name, (key, args) in calls.items():
        taken = set(inspect.signature(kits[key][name].real_fn).parameters)
        given = {(said[k] if k not in taken and said.get(k) in taken else k): v for k, v in args.items()}
        given = {k: v for k, v in given.items() if k in taken}
        if "status" in taken:
            given["status"] = "unread"
        if "tags" in given:
            given["tags"] = list(given["tags"])
        tell(name, lambda n=name, k=key, a=given: kits[k][n].call(**a).content)


if __name__ == "__main__":
    {"sdk": sdk, "sdk_async": sdk_async, "langchain": langchain, "llamaindex": llamaindex}[sys.argv[1]](
        json.load(sys.stdin)
    )
