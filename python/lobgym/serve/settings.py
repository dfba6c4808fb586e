"""What the server is told: by a file, the environment and the command line, and where each value came from."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from lobgym.serve.errors import ServeError

__all__ = ["Origin", "Settings", "is_loopback", "load", "table"]

_PREFIX = "LOBGYM_"
#: Looked for where the server is started, in this order.
_FILES = ("lobgym.toml", "lobgym.yaml", "lobgym.yml")

Names = Annotated[tuple[str, ...], NoDecode]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """All settings with their defaults. In the environment a name is written as ``LOBGYM_MAX_QUEUE``, a list with commas."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; any but loopback demands a token")
    port: int = Field(8000, ge=0, le=65535, description="to listen on; 0: any that is free")
    state: Path = Field(Path("lobgym-data"), description="directory for jobs, runs, stores, bars, trades and logs")
    token: SecretStr | None = Field(None, description="what requests must bring (Authorization: Bearer TOKEN)")
    allowed_hosts: Names = Field((), description="further names that this server is called by, on loopback")
    trusted_proxies: Names = Field(
        (), description="addresses or networks of proxies that say for whom they ask (X-Forwarded-For)"
    )
    allowed_feed_hosts: Names = Field((), description="hosts to collect from, besides the venue's own and loopback")
    collect_into: str | None = Field(
        None, description="postgresql://... for the ticks of collections, without a password; else a file for each"
    )
    lobgym_binary: Path | None = Field(None, description="the command lobgym; else target/release here, else on PATH")
    presets: Path | None = Field(
        None, description="directory of trainings; else config/train here or in the repository"
    )
    max_collections: Count = Field(4, description="that run at the same time")
    max_trainings: Count = Field(1, description="that run at the same time")
    max_tradings: Count = Field(4, description="that run at the same time")
    max_queue: int = Field(16, ge=0, description="jobs of each kind that wait; beyond, 429")
    resume: bool = Field(True, description="go on with jobs whose process went while the server was away")
    resume_attempts: Count = Field(5, description="processes that a job is given at most")
    jobs_on_exit: Literal["leave", "stop"] = Field(
        "leave", description="what becomes of running jobs when the server ends"
    )
    stop_seconds: Positive = Field(30.0, description="that a job has to end when asked, before it is killed")
    poll_seconds: Positive = Field(0.25, description="between two looks at the processes")
    rate_per_second: Positive = Field(50.0, description="requests of a client, lasting")
    rate_burst: Count = Field(100, description="requests of a client, at once")
    max_requests: Count = Field(256, description="requests that are answered at the same time")
    max_connections: Count = Field(768, description="that are open at the same time")
    max_streams: Count = Field(64, description="streams of events that are open at the same time")
    max_body_bytes: Count = Field(65_536, description="of a request")
    body_seconds: Positive = Field(10.0, description="for a request's head, and then its body, to come")
    request_seconds: Positive = Field(30.0, description="for an answer to begin")
    heartbeat_seconds: Positive = Field(15.0, description="between two signs of life of a stream of events")

    @field_validator("allowed_hosts", "trusted_proxies", "allowed_feed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        names = value.split(",") if isinstance(value, str) else value
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return tuple(name.strip().lower() for name in names if name.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise ValueError("IP addresses, or networks as 10.0.0.0/8") from None
        return value

    @field_validator("collect_into")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("postgresql://HOST/DATABASE")
        # Whoever may look at the machine's processes sees what they were started with.
        if parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True):
            raise ValueError("a URL without a password, which is for PGPASSWORD or ~/.pgpass")
        return value

    @field_validator("token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]{16,}", value.get_secret_value()):
            raise ValueError("16 or more printable characters without a space, as `openssl rand -hex 32` makes")
        return value

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return is_loopback(self.host)


@dataclass(frozen=True)
class Origin:
    """Where a value came from: ``default``, a file's name, a variable's, or ``command line``."""

    text: str


def is_loopback(host: str) -> bool:
    """Whether an address, or the name ``localhost``, is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _near(name: str) -> str:
    found = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError("settings", str(path), f"a file that can be read ({error})") from error
    content: Any
    try:
        if path.suffix in (".yaml", ".yml"):
            import yaml  # type: ignore[import-untyped, unused-ignore]

            content = yaml.safe_load(text) or {}
        elif path.suffix == ".toml":
            try:
                import tomllib
            except ImportError:  # Python 3.10
                import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]
            content = tomllib.loads(text)
        else:
            raise ServeError("settings", str(path), "a file .toml, .yaml or .yml")
    except (ValueError, ImportError) as error:
        raise ServeError("settings", str(path), f"TOML or YAML ({error})") from error
    except Exception as error:
        if type(error).__module__.startswith("yaml"):
            raise ServeError("settings", str(path), f"YAML ({' '.join(str(error).split())})") from error
        raise
    if not isinstance(content, dict):
        raise ServeError("settings", str(path), "settings, as in `port: 8000`")
    for name in content:
        if name not in Settings.model_fields:
            legal = f"one of {', '.join(Settings.model_fields)}{_near(str(name))}"
            raise ServeError(f"{path}: unknown setting", str(name), legal)
    return content


def _from_environment() -> dict[str, Any]:
    for variable in os.environ:
        name = variable.removeprefix(_PREFIX).lower()
        if variable.startswith(_PREFIX) and name not in Settings.model_fields and name != "settings":
            # Other parts have variables of their own: only what looks like a slip is refused.
            near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.75)
            if near:
                raise ServeError("unknown variable", variable, f"did you mean {_PREFIX}{near[0].upper()}?")
    return EnvSettingsSource(Settings)()


def load(given: Mapping[str, Any], file: Path | None = None) -> tuple[Settings, dict[str, Origin]]:
    """The settings in force: the command line's, else the environment's, else the file's, else the defaults; and the origin of each.

    ``file``: else that of ``LOBGYM_SETTINGS``, else ``lobgym.toml`` or ``lobgym.yaml`` in the working directory, if there is one.

    Raises:
        ServeError: For a value that is not legal, a name that is not known, or a file that cannot be read.

    """
    named = os.environ.get(f"{_PREFIX}SETTINGS")
    path = file or (Path(named) if named else next((Path(name) for name in _FILES if Path(name).is_file()), None))
    from_file = {} if path is None else _read(path)
    from_environment = _from_environment()
    origins = {name: Origin("default") for name in Settings.model_fields}
    origins |= {name: Origin(f"file {path}") for name in from_file}
    origins |= {name: Origin(f"environment {_PREFIX}{name.upper()}") for name in from_environment}
    origins |= {name: Origin("command line") for name in given}
    try:
        settings = Settings(**{**from_file, **from_environment, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        value = "(not shown)" if name in ("token", "collect_into") else first["input"]
        legal = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        raise ServeError(name, value, f"{legal} (from: {origins[name].text})") from None
    if not settings.on_loopback and settings.token is None:
        raise ServeError(
            "host",
            settings.host,
            "127.0.0.1, or any address together with a token: set LOBGYM_TOKEN, as `openssl rand -hex 32` makes one",
        )
    return settings, origins


def table(settings: Settings, origins: Mapping[str, Origin]) -> list[dict[str, Any]]:
    """Each setting with its value, where it came from and what it means. Secrets are not shown."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "********"
        elif isinstance(value, Path):
            value = str(value)
        elif isinstance(value, tuple):
            value = list(value)
        rows.append({"setting": name, "value": value, "from": origins[name].text, "meaning": field.description})
    return rows
