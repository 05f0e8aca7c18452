"""What a reviewer may say is wrong with a draft: few words, so that they can be counted."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "wrong_fact": "it says something that is not so",
    "unsupported": "it promises something that nothing supports",
    "incomplete": "it leaves a question open",
    "off_topic": "it answers something else",
    "tone": "it is not how we write",
    "policy": "it breaks a rule of ours",
    "privacy": "it says something that this recipient must not learn",
    "wrong_recipient": "it goes to somebody it should not",
    "unsafe": "it could do harm",
    "duplicate": "it was answered already",
    "not_needed": "it needs no answer",
    "other": "something else; the note says what",
}
