"""The generated documents are what the code says today; `make docs` writes them."""

from __future__ import annotations

import json

import pytest

from gatepost_contracts.catalogue import CATALOGUE, CONSUMERS
from gatepost_runtime.asyncapi import document
from support.documents import ASYNCAPI, DOCUMENTS, EVENTS, ROOT, rows_of


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_up_to_date(name: str) -> None:
    path = ROOT / "docs" / name

    assert path.is_file(), "run `make docs`"
    assert DOCUMENTS[name]() == path.read_text("utf-8"), "run `make docs`"


def test_no_page_is_left_of_an_event_that_is_gone() -> None:
    here = {path.stem for path in (ROOT / "docs" / EVENTS).glob("*.*.md")}

    assert {entry.model.type for entry in CATALOGUE} == here


@pytest.mark.parametrize("service", CONSUMERS)
def test_a_services_document_names_all_it_reads(service: str) -> None:
    """Each durable is an operation whose messages are the events of its row."""
    made = document(service, rows_of(service))
    read = {(o["x-durable"], o["channel"]["$ref"].rsplit("/", 1)[1])
            for o in made["operations"].values() if o["action"] == "receive" and "x-durable" in o}  # fmt: skip

    assert {(durable, event) for durable, types in CONSUMERS[service].items() for event in types} == read


def test_every_reference_leads_somewhere() -> None:
    whole = json.loads(DOCUMENTS[ASYNCAPI]())

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if isinstance(ref := value.get("$ref"), str):
                found: object = whole
                for part in ref.removeprefix("#/").split("/"):
                    assert isinstance(found, dict) and part in found, ref
                    found = found[part]
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(whole)
    assert len(whole["operations"]) > 40
