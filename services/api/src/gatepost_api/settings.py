"""What an operator may set about the doors."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ApiSettings(BaseSettings):
    """Read from GATEPOST_API_*. A wrong value stops the start."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_API_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address the doors listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port the doors listen on.")
    key_prefix: str = Field("gp_live_", pattern=r"^[a-z]{2,4}_(live|test)_$", description="How new API keys begin.")
    key_cache_s: float = Field(1.0, ge=0, le=60, description="How long a looked-up key is believed.")
    max_body_bytes: int = Field(36_700_160, gt=0, description="Largest request body, attachments included.")
    body_timeout_s: float = Field(30, gt=0, description="How long a caller may take to send its body.")
    max_attachments_bytes: int = Field(26_214_400, gt=0, description="Sum of one mail's attachments.")
    blocked_files: str = Field(
        "exe,com,scr,pif,bat,cmd,msi,msix,dll,cpl,js,jse,vbs,vbe,wsf,wsh,hta,jar,lnk,ps1,reg,iso,img,vhd,appx,apk",
        description="Endings of files that only people may download, comma separated.",
    )
    wait_delivered_s: float = Field(2.0, ge=0, le=10, description="How long an approval waits to see the delivery.")
    content_dedupe_s: int = Field(60, ge=0, description="Equal content from one caller is one mail within this time.")
    approval_link_s: int = Field(
        86_400, ge=60, le=604_800, description="How long a link to the page of a draft is good."
    )
    rate_per_minute: int = Field(
        6000, ge=0, description="Calls of one key in a minute, over all replicas; 0: no limit."
    )
    mcp_older_names: bool = Field(False, description="List the older names of MCP tools beside the present ones.")
    events_retention_days: int = Field(
        30, gt=0, description="How far back events are listed; as the stream keeps them."
    )
    idempotency_h: int = Field(24, gt=0, description="How long an idempotency key is remembered.")
    in_flight_wait_s: float = Field(5.0, ge=0, le=30, description="How long a repeat waits for the first to finish.")
    shutdown_s: int = Field(20, gt=0, description="How long running requests may take to finish when stopping.")
