"""Settings of the archive service."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from shared.catalogues.selection import Selection
from shared.settings.group import SettingsGroup, comma_separated
from shared.urls import path_of

__all__ = ["CATALOGUES", "ArchiveSettings"]

CATALOGUES: Final = ("mast", "s3", "cadc")
"""Remote archives that have a catalogue, by the names that they have as sources."""

_TOKEN = re.compile(r"[!-~]+")
"""What may stand in a header: visible ASCII without a space."""


class ArchiveSettings(SettingsGroup):
    """Where datasets come from."""

    sources: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Sources of data, the one to ask first first, comma separated or as a JSON "
        "list: folders, fsspec URLs, and the remote archives mast, s3 and cadc",
    )
    scan_seconds: float = Field(60.0, gt=0, description="Pause between two scans")
    bulk_above: int = Field(
        100,
        ge=0,
        description="What a scan finds to fetch beyond so many datasets is bulk work, of low "
        "priority",
    )
    download_connections: int = Field(
        4, ge=1, description="Most files that a process downloads at once from one host"
    )
    download_connect_seconds: float = Field(
        10.0, gt=0, description="Time after which a host that takes no connection is given up"
    )
    download_silence_seconds: float = Field(
        60.0, gt=0, description="Time after which a download of which no byte comes is interrupted"
    )
    download_attempts: int = Field(
        4,
        ge=1,
        description="Interruptions in succession without progress after which a download is left "
        "to the next attempt of its job",
    )
    download_backoff_seconds: float = Field(
        1.0,
        ge=0,
        description="First pause before a download goes on; doubles each time, up to 30 s",
    )
    download_folder: Path | None = Field(
        None,
        description="Local folder of unfinished downloads; if left out, one in the store where "
        "that is a local folder, which all workers share, and else one in TMPDIR",
    )
    mast_url: str = Field("https://mast.stsci.edu", description="Address of MAST")
    mast_token: SecretStr | None = Field(
        None, description="Token of MAST, sent only when exclusive files are asked for"
    )
    s3_url: str = Field(
        "https://s3.us-east-1.amazonaws.com",
        description="Address of the S3 server with MAST's bucket ``stpubdata``",
    )
    cadc_url: str = Field(
        "https://ws.cadc-ccda.hia-iha.nrc-cnrc.gc.ca",
        description="Address of CADC: of its registry and its files",
    )
    metadata_rate: float = Field(
        2.0, gt=0, description="Most requests a second for what MAST and CADC have, of each"
    )
    wanted: Annotated[Selection | None, NoDecode] = Field(
        None,
        description="What to fetch from remote archives: proposals, targets, cone (ra, dec and "
        "radius, degree), dates (first, last), configuration, or everything; nothing if left out",
    )
    wanted_order: Literal["newest", "oldest"] = Field(
        "newest", description="Which of that come first"
    )
    listing_seconds: float = Field(
        86400.0, gt=0, description="Pause between two full listings of a remote archive"
    )
    short_listing_seconds: float = Field(
        600.0,
        gt=0,
        description="Pause between two listings of what was archived since the last one",
    )
    catalogue_pause_seconds: float = Field(
        300.0, gt=0, description="How long a remote archive that does not answer is not asked"
    )

    @property
    def catalogues(self) -> list[str]:
        """Names of the remote archives among the sources, in their order."""
        return [source for source in self.sources if source in CATALOGUES]

    @property
    def folders(self) -> list[str]:
        """Addresses of the other sources, in their order."""
        return [source for source in self.sources if source not in CATALOGUES]

    @field_validator("sources", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.lstrip().startswith("[") else comma_separated(value)
        except ValueError as error:
            raise ValueError(
                f'it is no JSON list such as ["mast", "/data/cos"]: {error}'
            ) from error

    @field_validator("sources")
    @classmethod
    def _differ(cls, sources: list[str]) -> list[str]:
        seen: dict[str, str] = {}
        for source in sources:
            if (place := _place(source)) in seen:
                raise ValueError(f"{seen[place]} and {source} are one address; name it once")
            seen[place] = source
        return sources

    @model_validator(mode="before")
    @classmethod
    def _refuse_former_name(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "source" in value:
            raise ValueError(
                "there is no COSMO_ARCHIVE__SOURCE: it is called COSMO_ARCHIVE__SOURCES now, and "
                "takes several"
            )
        return value

    @field_validator("wanted", mode="before")
    @classmethod
    def _is_nothing(cls, value: Any) -> Any:
        return value or None

    @field_validator("mast_url", "s3_url", "cadc_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if not re.match(r"https?://[^/?#@]+", url):
            raise ValueError("give an address that begins with https:// or http://")
        return url.rstrip("/")

    @field_validator("mast_token")
    @classmethod
    def _is_one_word(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("a token is one word of ASCII, without a space or a newline")
        return token


def _place(source: str) -> str:
    """Return what two ways of writing one address have in common."""
    path = None if source in CATALOGUES else path_of(source)
    return source.rstrip("/") if path is None else f"file:{path.resolve()}"
