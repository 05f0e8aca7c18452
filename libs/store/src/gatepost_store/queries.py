"""Named SQL: every statement has a name and a sentence, and is never built from strings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- ([a-z][a-z0-9_]*) --[ \t]*$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """The statements of one package's queries.sql, by name; also as attributes."""

    def __init__(self, statements: Mapping[str, str]) -> None:
        self._statements = dict(statements)

    @classmethod
    def parse(cls, text: str) -> Queries:
        """Blocks that begin with `-- name --`."""
        parts = _NAME.split(text)
        names, bodies = parts[1::2], parts[2::2]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"defined twice: {', '.join(sorted(repeated))}")
        return cls({name: body.strip().removesuffix(";") for name, body in zip(names, bodies, strict=True)})

    @classmethod
    def of(cls, package: str) -> Queries:
        """Those of a package; none where it has no queries.sql."""
        source = files(package).joinpath("queries.sql")
        return cls.parse(source.read_text(encoding="utf-8")) if source.is_file() else cls({})

    def __getitem__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise KeyError(f"no statement is named {name}") from None

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)
