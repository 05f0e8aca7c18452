"""The address of a file: it ends, and nobody can make one up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatepost_mail.tokens import AttachmentLink, attachment_token, read_attachment

KEY = b"k" * 32


@given(name=st.text(max_size=60))
def test_an_address_names_one_file_until_its_time_is_over(name: str) -> None:
    token = attachment_token(KEY, "msg_1", 3, "0" * 64, name, 1000)
    read = read_attachment(KEY, token, 999)

    assert read == AttachmentLink("msg_1", 3, "0" * 64, name.encode("utf-8", "replace").decode().replace("\0", ""))
    assert read_attachment(KEY, token, 1000) is None
    assert read_attachment(b"other", token, 999) is None


@given(st.text(max_size=80))
def test_anything_else_is_no_address(text: str) -> None:
    assert read_attachment(KEY, text, 0) is None
