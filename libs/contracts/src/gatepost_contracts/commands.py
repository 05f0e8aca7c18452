"""What the doors ask of the service that decides: requests on `cmd.<server>.<name>`, answered with a CommandReply."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gatepost_contracts.email import Mode
from gatepost_contracts.event import Sha256
from gatepost_contracts.ids import (
    CommandId,
    DeliveryId,
    EndpointId,
    KeyId,
    MailboxId,
    MessageId,
    PauseId,
    PrincipalId,
    TenantId,
    WebhookDeliveryId,
)
from gatepost_contracts.mailbox import Scope

Door = Literal["rest", "rpc", "mcp", "console", "cli", "token", "timer"]


class Command(BaseModel):
    """A wish with a caller. The server loads the credential by key_id itself and takes no role from here."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # a process uses a few of them

    name: ClassVar[str] = ""
    server: ClassVar[str] = "gatekeeper"

    command_id: CommandId = Field(description="A repeat with the same id gets the first result.")
    tenant_id: TenantId
    key_id: KeyId | None = Field(None, description="None only for the gatekeeper's own timers.")
    principal_id: PrincipalId
    door: Door
    at: AwareDatetime

    @property
    def subject(self) -> str:
        """The NATS subject it is asked on."""
        return f"cmd.{self.server}.{self.name}"


class Decide(Command):
    """Approve or reject a mail that waits."""

    name: ClassVar[str] = "decide"

    message_id: MessageId
    action: Literal["approve", "reject"]
    seen_sha256: Sha256 | None = Field(None, description="The content the reviewer saw.")
    seen_head: MessageId | None = Field(None, description="Newest inbound mail of the thread as shown.")
    seen_given: bool = Field(True, description="False: the caller named no hash and the door resolved it.")
    edit_revision: int | None = Field(None, description="Approve this edit of the reviewer instead.")
    note: str | None = Field(None, max_length=10_000)
    final: bool = False
    reason_code: str | None = Field(None, max_length=100)


class Cancel(Command):
    """Withdraw a mail that is not on the wire."""

    name: ClassVar[str] = "cancel"

    message_id: MessageId


class Pause(Command):
    """Stop new attempts; anyone may."""

    name: ClassVar[str] = "pause"

    scope: Scope
    target: str
    reason: str = Field("", max_length=1000)


class Resume(Command):
    """Lift a pause; only an operator may."""

    name: ClassVar[str] = "resume"

    pause_id: PauseId


class Resolve(Command):
    """A person says what became of an uncertain mail."""

    name: ClassVar[str] = "resolve"

    message_id: MessageId
    outcome: Literal["delivered", "not_delivered"]
    note: str = Field(min_length=1, max_length=10_000)
    delivery_id: DeliveryId | None = None


class SetMode(Command):
    """Change a mailbox's mode: downwards anyone, upwards an operator."""

    name: ClassVar[str] = "set_mode"

    mailbox_id: MailboxId
    mode: Mode
    ceiling: Mode | None = None
    covers_ask: bool = Field(False, description="A caller's `gated_send` does not tighten below the mode.")
    why: str = Field("", max_length=1000)


class SetTwoPerson(Command):
    """Ask for two people's approvals in a mailbox, or for one; only an operator may."""

    name: ClassVar[str] = "set_two_person"

    mailbox_id: MailboxId
    on: bool


class SetGrant(Command):
    """Give a category or listed recipients a mode of their own; without a mode the mailbox's holds again."""

    name: ClassVar[str] = "set_grant"

    mailbox_id: MailboxId
    of: Literal["category", "allowlist"]
    grant_name: str = Field(min_length=1, max_length=320, description="The category, or `a@b.c`, or `*@b.c`.")
    mode: Mode | None = None
    covers_ask: bool = Field(False, description="A caller's `gated_send` does not tighten below it.")
    why: str = Field("", max_length=1000)


class SetRule(Command):
    """Say which inbound mail is of a category; without conditions none is any more. Only an operator may."""

    name: ClassVar[str] = "set_rule"

    mailbox_id: MailboxId
    category: str = Field(min_length=1, max_length=100)
    conditions: dict[str, Any] | None = None
    priority: int = Field(0, ge=-1000, le=1000)


class ErasePerson(Command):
    """Erase what one address wrote or was written; only an operator may. The log keeps its records."""

    name: ClassVar[str] = "erase_person"

    address: str = Field(min_length=3, max_length=320)


class PlaceHold(Command):
    """Keep data whatever a clock or a person says; only an operator may."""

    name: ClassVar[str] = "place_hold"

    scope: Literal["tenant", "mailbox", "thread", "person"]
    target: str = Field("", max_length=320)
    reason: str = Field("", max_length=1000)


class LiftHold(Command):
    """End a hold; only an operator may."""

    name: ClassVar[str] = "lift_hold"

    hold_id: str = Field(max_length=40)


class RequestUpgrade(Command):
    """Ask for a looser mode: a one-time code goes to the oversight address, and nothing changes."""

    name: ClassVar[str] = "request_upgrade"

    mailbox_id: MailboxId
    mode: Mode
    pattern: str | None = Field(None, description="Recipients who are to be listed with that mode; else the mailbox.")


class RedeemUpgrade(Command):
    """Redeem that code; only an operator may."""

    name: ClassVar[str] = "redeem_upgrade"

    mailbox_id: MailboxId
    code: str = Field(min_length=1, max_length=40, repr=False)
    covers_ask: bool = False


class RequestApproval(Command):
    """Ask for the code of an administrative act: it goes to the oversight address, and nothing changes."""

    name: ClassVar[str] = "request_approval"

    action: str = Field(max_length=60, description="The command that is asked for.")
    request_sha256: Sha256 = Field(description="Of its canonical parameters: the code is good for these alone.")
    said: str = Field("", max_length=2000, description="The parameters, as the person reads them.")


class RedeemApproval(Command):
    """Redeem that code, with the key that asked, for what was asked."""

    name: ClassVar[str] = "redeem_approval"

    action: str = Field(max_length=60)
    request_sha256: Sha256
    code: str = Field(min_length=1, max_length=40, repr=False)


class RemoveSuppression(Command):
    """Let mail go to an address again; only an operator may."""

    name: ClassVar[str] = "remove_suppression"

    address: str
    note: str = Field("", max_length=1000)


class MoveMails(Command):
    """Put mails of one thread into another: merge, split, or take such a move back. Only a person may."""

    name: ClassVar[str] = "move_mails"

    kind: Literal["merge", "split", "undo"]
    thread_id: str = Field("", description="Merge and split: the thread whose mails move, by our id.")
    into: str = Field("", description="Merge: the thread they move to.")
    message_ids: tuple[MessageId, ...] = Field((), max_length=500, description="Split: the mails that move out.")
    move_id: str = Field("", description="Undo: the move that is taken back.")


class DomainKey(Command):
    """The DKIM pairs and DNS records of a domain; the reply's extra holds `records`, and `checks` after verify.

    ensure makes pairs where there are none; verify looks at the DNS; next makes pairs for a change of keys, switch signs with
    them once the DNS has them, and retire names the records that may go.
    """

    name: ClassVar[str] = "domain_key"
    server: ClassVar[str] = "sender"

    domain: str = Field(min_length=1, max_length=253)
    action: Literal["ensure", "verify", "next", "switch", "retire"] = "ensure"


class SampleWebhook(Command):
    """Send a sample of an event to an endpoint, signed like a real one; the reply's id is the delivery's."""

    name: ClassVar[str] = "sample"
    server: ClassVar[str] = "notifier"

    endpoint_id: EndpointId
    word: str = Field(max_length=60, description="The word it is subscribed by, e.g. `email.received` or `inbound`.")


class Redeliver(Command):
    """Send webhooks again, one or all that fit: same ids and bytes, a fresh round of attempts, the oldest first.

    The reply's extra holds `count` (sent again), `hurried` (waited for their next attempt and go now) and `more` (the time
    was up: ask again with `next_since`).
    """

    name: ClassVar[str] = "redeliver"
    server: ClassVar[str] = "notifier"

    delivery_id: WebhookDeliveryId | None = Field(None, description="This one alone; nothing else is looked at then.")
    endpoint_id: EndpointId | None = Field(
        None, description="Of this endpoint; none: of every one that is switched on."
    )
    mailbox_ids: tuple[MailboxId, ...] | None = Field(None, description="Of these mailboxes; none: of all.")
    states: tuple[Literal["failed", "disabled", "delivered"], ...] = ("failed", "disabled")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    event_type: str | None = Field(None, max_length=60)
    message_id: str | None = Field(None, max_length=60)
    thread_id: str | None = Field(None, max_length=200)
    dry_run: bool = Field(False, description="Only count.")


class CommandReply(BaseModel):
    """The answer: done, or why not. Codes are those of the API."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # a process uses a few of them

    ok: bool
    code: str = "ok"
    error: str = ""
    hint: str = ""
    failed: tuple[str, ...] = Field((), description="Names of the guard's conjuncts that did not hold.")
    already: bool = Field(False, description="This command, or an equal one, had been done before.")
    message_id: str | None = None
    seq: int | None = None
    state: str | None = None
    revision: int | None = None
    content_sha256: str | None = None
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    id: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


COMMANDS: dict[str, type[Command]] = {
    f"{c.server}.{c.name}": c
    for c in (
        Decide,
        Cancel,
        Pause,
        Resume,
        Resolve,
        SetMode,
        SetTwoPerson,
        SetGrant,
        SetRule,
        ErasePerson,
        PlaceHold,
        LiftHold,
        RequestUpgrade,
        RedeemUpgrade,
        RequestApproval,
        RedeemApproval,
        RemoveSuppression,
        MoveMails,
        DomainKey,
        SampleWebhook,
        Redeliver,
    )
}
