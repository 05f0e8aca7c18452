"""The IMAP accounts that an operator wants read: one TOML file, checked at start."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator


class Account(BaseModel):
    """One `[[account]]` of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        min_length=1, max_length=100, description="Its name in logs; keep it, the place is kept under it."
    )
    mailbox: str = Field(description="The address here that gets its mail.")
    host: str = Field(description="The IMAP server.")
    port: int = Field(993, ge=1, le=65_535, description="Its port.")
    security: Literal["tls", "starttls", "none"] = Field("tls", description="How the connection is encrypted.")
    ca_file: str | None = Field(None, description="Certificates to trust instead of the system's, PEM.")
    user: str = Field(description="Who signs in.")
    password: SecretStr = Field(SecretStr(""), description="The password, or password_file.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    folder: str = Field("INBOX", description="The folder to read.")
    read_only: bool = Field(True, description="Leave the folder as it is; else mails are marked as seen once stored.")
    history: bool = Field(False, description="Also read what was there before; it is shown and never answered.")
    poll_s: float = Field(60, gt=0, description="How often to look where the server cannot IDLE.")

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, values: object) -> object:
        if isinstance(values, dict) and (file := values.get("password_file")):
            try:
                return {**values, "password": Path(str(file)).read_text(encoding="utf-8").strip()}
            except OSError as error:
                raise ValueError(f"password_file: {error.strerror}") from None
        return values

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.password.get_secret_value():
            raise ValueError("password or password_file is missing")
        return self


class BadAccounts(Exception):
    """The file cannot be used; the sentence says why, without a value of it."""


def read_accounts(path: Path | None) -> tuple[Account, ...]:
    """The accounts of the file; none where there is none."""
    if path is None:
        return ()
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        accounts = tuple(Account.model_validate(one) for one in said.get("account", ()))
    except OSError as error:
        raise BadAccounts(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadAccounts(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadAccounts(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if len({account.name for account in accounts}) < len(accounts):
        raise BadAccounts(f"{path}: two accounts have the same name")
    return accounts
