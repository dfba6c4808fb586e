"""What is asked and what is answered, as OpenAPI shows it."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lobgym.serve.ledger import Kind, State
from lobgym.serve.places import LEGAL_NAME, NAME

__all__ = [
    "PATTERNS",
    "Bars",
    "Collection",
    "CollectionId",
    "CollectionRequest",
    "Data",
    "Error",
    "Fill",
    "Health",
    "JobStatus",
    "Jobs",
    "Log",
    "Name",
    "Policy",
    "Position",
    "PpoTcnFuturesRequest",
    "Run",
    "StopRequest",
    "Trade",
    "TradeRequest",
    "TradingId",
    "Training",
    "TrainingId",
    "TrainingRequest",
]

#: Nothing that parsers of URLs read differently.
_URL = r"^wss?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/@=&?%-]*)?$"
_INTERVAL = r"^[1-9][0-9]{0,8}(ms|s|m|h)$"
_SYMBOL = r"^[A-Z0-9]{2,20}(_[A-Z0-9]{1,12})?$"
_WORD = r"^[a-z0-9_-]{1,64}$"

#: What patterns ask for, in words.
PATTERNS = {
    NAME: LEGAL_NAME,
    _INTERVAL: "a number and ms, s, m or h, 24h at most, as 5s",
    _SYMBOL: "as the exchange writes it, e.g. BTCUSDT",
    _URL: "ws://HOST or wss://HOST, with a port and a path if need be",
    _WORD: "1 to 64 of a-z, 0-9, _ and -",
}

Name = Annotated[str, Field(pattern=NAME, examples=["btc-1m"])]
TrainingId = Annotated[str, Field(pattern=NAME, examples=["training-1"])]
TradingId = Annotated[str, Field(pattern=NAME, examples=["trading-2"])]
CollectionId = Annotated[str, Field(pattern=NAME, examples=["collection-3"])]
FeatureSet = Literal["default", "microstructure", "price"]
Count = Annotated[int, Field(ge=1, le=10**12)]
Scalar = None | bool | int | float | Annotated[str, Field(pattern=_WORD)]


def _with(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [example]})


class Error(BaseModel):
    """What is wrong, its value and what is legal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"error": "body.interval", "value": "5x", "legal": "a number and ms, s, m or h, as 5s"}]
        }
    )
    error: str
    value: str | None = None
    legal: str | None = None


class CollectionRequest(BaseModel):
    """What to collect."""

    model_config = _with({"venue": "binance", "symbol": "BTCUSDT", "interval": "5s"})
    venue: Literal["binance", "binance-usdm"] = "binance"
    symbol: str = Field("BTCUSDT", pattern=_SYMBOL)
    interval: str = Field("5s", pattern=_INTERVAL, description="of the bars, 24h at most")
    url: str | None = Field(None, pattern=_URL, max_length=500, description="of the websocket; else the venue's")
    store: Name | None = Field(None, description="name of the store and the bars; else made of those above")
    seconds: float | None = Field(None, gt=0, le=1e9, allow_inf_nan=False, description="how long; else until stopped")

    @field_validator("url")
    @classmethod
    def _port(cls, url: str | None) -> str | None:
        if url is not None:
            # Raises for a port or an address that is none.
            _ = urlsplit(url).port
        return url

    @property
    def name(self) -> str:
        """Of the store and the bars. Another source than the venue itself has another name, unless the request says one."""
        if self.store is not None:
            return self.store
        source = "" if self.url is None else f"-{hashlib.sha256(self.url.encode()).hexdigest()[:6]}"
        return f"{self.venue}-{self.symbol}-{self.interval}{source}".lower()


class StopRequest(BaseModel):
    """Which collections to stop."""

    model_config = _with({"id": "collection-1"})
    id: Name | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one(self) -> StopRequest:
        if (self.id is None) == (not self.all):
            raise ValueError('either {"id": ...} or {"all": true}')
        return self


class _Training(BaseModel):
    steps: Count | None = Field(None, description="of the environments together; else the preset's")
    seed: int | None = Field(None, ge=0, lt=2**53)
    settings: dict[str, Scalar] = Field(
        default_factory=dict, max_length=64, description="further settings by path, as `train.learning_rate`"
    )

    @field_validator("settings")
    @classmethod
    def _paths(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for key, value in settings.items():
            if len(key) > 200 or not re.fullmatch(r"(env|train)(\.[a-z][a-z0-9_]*)+", key):
                raise ValueError("keys as env.KEY or train.KEY")
            if key.rpartition(".")[2] in ("bars", "file", "flow_file", "directory", "path"):
                raise ValueError("no files: bars are named by `bars`")
            if isinstance(value, float) and not abs(value) < 1e308:
                raise ValueError("finite numbers")
        return settings


class TrainingRequest(_Training):
    """A training that comes with lobgym, with changes."""

    model_config = _with({"preset": "model_market_making_ppo", "steps": 200_000, "seed": 1})
    preset: Name
    bars: Name | None = Field(None, description="file of bars, for environments that trade them")
    feature_set: FeatureSet | None = None


class PpoTcnFuturesRequest(_Training):
    """PPO with a temporal convolution over the window, trading futures on bars."""

    model_config = _with({"bars": "binance-btcusdt-5s", "feature_set": "default", "steps": 500_000, "leverage": 3})
    bars: Name = Field(description="file of bars: the name of a collection's store, or of a file in bars/")
    feature_set: FeatureSet = "default"
    window: int | None = Field(None, ge=1, le=4096, description="bars that the policy sees; else the preset's")
    leverage: float | None = Field(None, gt=0, le=1000, description="at most; else the preset's")
    transaction_cost: float = Field(0.0005, ge=0, le=0.1, description="share of what is traded")

    def general(self) -> TrainingRequest:
        """The same as a training with its preset and its settings named."""
        named = {
            "train.network.window": self.window,
            "env.account.futures.leverage": self.leverage,
            "env.transaction_cost": self.transaction_cost,
        }
        return TrainingRequest(
            preset="trader_ppo_tcn_futures",
            bars=self.bars,
            feature_set=self.feature_set,
            steps=self.steps,
            seed=self.seed,
            settings=self.settings | {key: value for key, value in named.items() if value is not None},
        )


class TradeRequest(BaseModel):
    """Who trades on what."""

    model_config = _with({"policy": "lowrider", "bars": "binance-btcusdt-5s", "speed": "max"})
    policy: Name = Field(description="id of a finished training, or a rule: lowrider, buy_and_hold, random, cash")
    bars: Name = Field(description="id of a collection, or name of a file of bars")
    speed: Literal["max"] | Annotated[float, Field(gt=0, le=1e6)] = Field("max", description="bars a second")
    follow: bool | None = Field(None, description="wait for new bars; else if a collection that runs writes them")
    from_start: bool = Field(False, description="if new bars are waited for: trade on those that are there, too")
    steps: Count | None = Field(None, description="bars at most")
    transaction_cost: float | None = Field(
        None,
        ge=0,
        le=0.1,
        description="share of what is traded; else what the policy was trained with, 0.0005 for rules",
    )


class JobStatus(BaseModel):
    """A job. Times are seconds since 1970."""

    id: Name
    kind: Kind
    state: State
    reason: str | None = Field(description="why it is in this state, if there is something to say")
    request: dict[str, Any]
    created: float
    started: float | None
    ended: float | None
    attempts: int = Field(description="processes that were started for it")
    exit_code: int | None = Field(description="of the last process; below 0: killed by that signal")
    progress: float | None = Field(description="share of the work that is done, 0 to 1, where it is known")
    latest: dict[str, Any] | None = Field(description="last row of metrics, last bar, or last line of the session")


class Collection(JobStatus):
    """A collection and the end of its bars."""

    bars_written: int | None = Field(
        description="by this collection; the others in the file are of earlier ones. Unknown if it has not begun"
    )
    bars: list[dict[str, Any]]


class Training(JobStatus):
    """A training and its curve."""

    steps: int | None
    total_steps: int | None
    curve: list[dict[str, float | None]] = Field(description="rows of metrics, evenly taken from all")


class Trade(JobStatus):
    """A trading session: what `lobgym trade status --json` says of it."""

    status: dict[str, Any] | None


class Jobs(BaseModel):
    """Jobs, the latest first."""

    jobs: list[JobStatus]


class Bars(BaseModel):
    """A file of bars."""

    name: Name
    bars_bytes: int | None
    store_bytes: int | None
    collections: list[Name] = Field(description="that wrote it")


class Data(BaseModel):
    """What has been collected."""

    jobs: list[JobStatus]
    stores: list[Bars]
    name: Name | None = Field(description="whose bars these are")
    bars: list[dict[str, Any]] = Field(description="in order of time")


class Run(BaseModel):
    """A training's directory."""

    id: Name
    complete: bool
    steps: int | None
    mean_return: float | None
    algorithm: str | None
    environment: str | None


class Policy(BaseModel):
    """Who can trade."""

    id: Name
    kind: Literal["trained", "rule"]
    environment: str | None
    features: str | None


class Position(BaseModel):
    """What a trading session holds."""

    trading: Name
    state: State
    time_ns: int | None
    position: float | None
    price: float | None
    cash: float | None
    equity: float | None
    realised_profit: float | None


class Fill(BaseModel):
    """Something that was traded."""

    trading: Name
    step: int | None
    time_ns: int | None
    action: str | None
    traded: float = Field(description="units; below 0 they were sold")
    price: float | None
    fee: float | None
    impact: float | None
    position: float | None
    equity: float | None


class Log(BaseModel):
    """The last lines that a job's process wrote."""

    lines: list[str]


class Health(BaseModel):
    """That the server lives."""

    status: Literal["ok"]
    version: str
