"""The native extension. Import its names from ``lobgym``."""

import os
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Final, NoReturn, SupportsIndex, TypeAlias, final

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from lobgym.table import Table

__version__: Final[str]

# Book, simulator and comparison

_Records: TypeAlias = npt.NDArray[np.void]
_Side: TypeAlias = str | SupportsIndex
_Mode: TypeAlias = str | SupportsIndex
_TimeInForce: TypeAlias = str | SupportsIndex
_Path: TypeAlias = str | PathLike[str]
_Progress: TypeAlias = Callable[[int, int], object] | None

MESSAGE_DTYPE: Final[np.dtype[np.void]]
BASIC_MESSAGE_DTYPE: Final[np.dtype[np.void]]
EVENT_DTYPE: Final[np.dtype[np.void]]
LEVEL_DTYPE: Final[np.dtype[np.void]]
ORDER_DTYPE: Final[np.dtype[np.void]]
STOP_DTYPE: Final[np.dtype[np.void]]
SESSION_EVENT_DTYPE: Final[np.dtype[np.void]]
REPORT_DTYPE: Final[np.dtype[np.void]]
FILL_DTYPE: Final[np.dtype[np.void]]
AGENT_ORDER_DTYPE: Final[np.dtype[np.void]]
_MESSAGE_KINDS: Final[list[str]]
_EVENT_KINDS: Final[list[str]]
_REASONS: Final[list[tuple[int, str]]]

@final
class OrderBook:
    """A limit order book with price-time priority, whose orders have ids that the caller chooses.

    Prices are integer ticks, quantities integer lots, times integer nanoseconds, ids integers of 64 bits without sign. An id is free again
    once its order has ended. Sides are ``"buy"`` and ``"sell"`` (or 0 and 1: ``lobgym.Side``).

    Every request returns its events, an array of ``lobgym.EVENT_DTYPE``. A request that the book refuses is an event too (kind
    ``REJECTED``, with its reason), and changes nothing; an argument that makes no sense at all raises ``ValueError`` or ``TypeError``.
    A book serves one thread at a time; a call while another thread's batch runs raises ``RuntimeError``.
    """

    def __new__(
        cls,
        *,
        min_price: SupportsIndex | None = None,
        max_price: SupportsIndex | None = None,
        max_owners: SupportsIndex | None = None,
        self_trade_prevention: _Mode | None = None,
        window_levels: SupportsIndex | None = None,
        order_capacity: SupportsIndex | None = None,
    ) -> OrderBook:
        """An empty book.

        ``min_price``, ``max_price``: legal prices in ticks, by default -2^62 to 2^62. ``max_owners``: owners are numbered from 0 to
        ``max_owners - 1``; by default 65,536. ``self_trade_prevention``: of owners that set none of their own; by default ``"allow"``.
        ``window_levels``: prices near the best that are found by index, a power of two from 64 to 4,096 (default).
        ``order_capacity``: orders to make room for; more are accommodated as they come.
        """

    def process(self, messages: _Records) -> _Records:
        """Carries out a batch of messages and returns their events, in order.

        ``messages``: shape (n,), of ``lobgym.MESSAGE_DTYPE`` or ``lobgym.BASIC_MESSAGE_DTYPE``. Returns an array of
        ``lobgym.EVENT_DTYPE``, whose field ``message`` says which message (from 0) caused an event. All messages are checked before the
        first is carried out: a ``ValueError`` names the row, the field, its value and what is legal, and nothing has been done then. What
        is well-formed but refused by the book is an event. Python's lock is released meanwhile. Ctrl-C ends the batch between two
        messages; those before have been carried out.
        """

    def submit_limit(
        self,
        id: SupportsIndex,
        side: _Side,
        price: SupportsIndex,
        quantity: SupportsIndex,
        *,
        owner: SupportsIndex | None = None,
        time_in_force: _TimeInForce | None = None,
        expiry: SupportsIndex | None = None,
        post_only: bool = False,
        display: SupportsIndex | None = None,
    ) -> _Records:
        """Submits a limit order: it trades at ``price`` (ticks) or better, and the rest joins the book.

        ``owner``: whose it is, by default 0. ``time_in_force``: ``"gtc"`` (default), ``"ioc"``, ``"fok"``, or ``"gtd"`` with an
        ``expiry`` in nanoseconds; an expiry alone implies ``"gtd"``. ``post_only``: refused rather than taking liquidity.
        ``display``: lots shown at a time, which makes it an iceberg.
        """

    def submit_market(
        self,
        id: SupportsIndex,
        side: _Side,
        quantity: SupportsIndex,
        *,
        owner: SupportsIndex | None = None,
        time_in_force: _TimeInForce | None = None,
    ) -> _Records:
        """Submits a market order: it trades at any price; what is left when the other side is empty is dropped."""

    def submit_stop(
        self,
        id: SupportsIndex,
        side: _Side,
        stop: SupportsIndex,
        quantity: SupportsIndex,
        *,
        owner: SupportsIndex | None = None,
        time_in_force: _TimeInForce | None = None,
        expiry: SupportsIndex | None = None,
    ) -> _Records:
        """Submits a stop order: a market order once a trade happens at ``stop`` (ticks) or beyond."""

    def submit_stop_limit(
        self,
        id: SupportsIndex,
        side: _Side,
        stop: SupportsIndex,
        price: SupportsIndex,
        quantity: SupportsIndex,
        *,
        owner: SupportsIndex | None = None,
        time_in_force: _TimeInForce | None = None,
        expiry: SupportsIndex | None = None,
        post_only: bool = False,
        display: SupportsIndex | None = None,
    ) -> _Records:
        """Submits a stop-limit order: a limit order at ``price`` once a trade happens at ``stop`` or beyond (ticks)."""

    def cancel(self, id: SupportsIndex) -> _Records:
        """Cancels one order, resting or pending."""

    def amend(
        self,
        id: SupportsIndex,
        *,
        quantity: SupportsIndex | None = None,
        price: SupportsIndex | None = None,
        stop: SupportsIndex | None = None,
    ) -> _Records:
        """Changes the open quantity (lots, hidden ones included), the limit or the trigger (ticks) of an order.

        A smaller quantity at the same price keeps its place in the queue; anything else acts like a new order under the same id.
        """

    def cancel_quantity(
        self, owner: SupportsIndex, side: _Side, price: SupportsIndex, quantity: SupportsIndex
    ) -> _Records:
        """Cancels up to ``quantity`` lots of an owner at one price, newest order first."""

    def mass_cancel(self, owner: SupportsIndex, side: _Side | None = None) -> _Records:
        """Cancels all orders of an owner, pending stops included; of one side if given."""

    def expire(self, until: SupportsIndex) -> _Records:
        """Moves the book's clock to ``until`` (ns) and removes the orders whose time is then up."""

    def set_self_trade_prevention(self, owner: SupportsIndex, mode: _Mode) -> _Records:
        """Sets what happens when two orders of an owner meet, from the next request on."""

    def self_trade_prevention(self, owner: SupportsIndex) -> str:
        """What happens when two orders of an owner meet."""

    def clear(self) -> None:
        """Empties the book and forgets what has happened in it."""

    def depth(self, levels: SupportsIndex | None = None) -> tuple[_Records, _Records]:
        """The best occupied levels of bids and asks, best first: two arrays of ``lobgym.LEVEL_DTYPE``, 10 levels at most by default."""

    def orders(self, side: _Side | None = None) -> _Records:
        """Resting orders in priority order, bids before asks: an array of ``lobgym.ORDER_DTYPE``."""

    def stops(self, side: _Side | None = None) -> _Records:
        """Pending stops in the order in which they would fire, buys before sells: an array of ``lobgym.STOP_DTYPE``."""

    def orders_of(self, owner: SupportsIndex) -> _Records:
        """Resting orders of an owner in order of acceptance: an array of ``lobgym.ORDER_DTYPE``."""

    def order(self, id: SupportsIndex) -> np.void | None:
        """A resting order as a record of ``lobgym.ORDER_DTYPE``; None if there is none."""

    def is_live(self, id: SupportsIndex) -> bool:
        """True if an order of this id rests or waits for its trigger."""

    def queue_position(self, id: SupportsIndex) -> tuple[int, int] | None:
        """Visible lots and orders ahead of a resting order at its price; None if it does not rest."""

    def quantity_at(self, side: _Side, price: SupportsIndex) -> int:
        """Visible lots at a price."""

    def open_quantity(self, side: _Side) -> int:
        """Open lots of a side: visible, hidden and waiting in pending stops."""

    def sweep(self, side: _Side, quantity: SupportsIndex) -> dict[str, Any]:
        """What a market order would do now: ``filled`` lots, ``average_price`` and ``worst_price`` in ticks (None if nothing would
        trade), ``levels`` touched."""

    @property
    def best_bid(self) -> int | None:
        """The highest bid, in ticks."""

    @property
    def best_ask(self) -> int | None:
        """The lowest ask, in ticks."""

    @property
    def spread(self) -> int | None:
        """Best ask - best bid, in ticks."""

    @property
    def mid(self) -> float | None:
        """Mean of best bid and best ask, in ticks."""

    @property
    def microprice(self) -> float | None:
        """The touch weighted by the quantity on the other side, in ticks."""

    @property
    def last_trade(self) -> int | None:
        """Price of the last trade, in ticks."""

    @property
    def now(self) -> int:
        """The book's clock, in nanoseconds: the latest time given to ``expire``."""

    def digest(self) -> int:
        """A 64-bit digest of everything that decides about the book's future; equal books have equal digests on every machine."""

    def snapshot(self) -> bytes:
        """The book with its ids, as bytes with a checksum."""

    @staticmethod
    def from_snapshot(snapshot: bytes) -> OrderBook:
        """The book that a snapshot was taken of; it goes on exactly as the original would have."""

    def copy(self) -> OrderBook:
        """A book of its own in the same state."""

    def __copy__(self) -> OrderBook: ...
    def __deepcopy__(self, _memo: object) -> OrderBook: ...
    def __len__(self) -> int:
        """Live orders, pending stops included."""

@final
class Simulator:
    """One session of a simulated market, with one agent in it: you.

    The session begins at t = 0, after the market's lead-in. Times are in seconds, prices in ticks, quantities in lots. The agent's orders
    have tickets, 0, 1, 2, ..., known at once; orders and reports travel with the market's latency. The same seed and the same commands give
    the same session.
    """

    def __new__(
        cls,
        market: str = "noise",
        seed: SupportsIndex | None = None,
        *,
        keep_log: bool = False,
        keep_digest: bool = False,
        **settings: Any,
    ) -> Simulator:
        """A session, played to t = 0.

        ``market``: ``"noise"``, ``"flow"``, ``"strategic"``, ``"hawkes"``, ``"queue_reactive"``, ``"flow_u_shape"``, or a YAML file.
        ``seed``: of the session, by default 0. ``keep_log``: keep every event for :meth:`events`. ``keep_digest``: keep
        :attr:`events_digest`. Settings, as everywhere: ``opening_book`` (``"frozen"`` or ``"live"``), ``flow_file``, ``fees``,
        ``latency``, ``profile``.
        """

    def reset(self, seed: SupportsIndex) -> None:
        """Starts a new session and plays it to t = 0."""

    def run_until(self, time: float) -> None:
        """Plays everything that comes before ``time`` (s) and moves the clock there. Ctrl-C ends it earlier."""

    def submit_limit(
        self,
        side: _Side,
        price: SupportsIndex,
        quantity: SupportsIndex,
        *,
        time_in_force: _TimeInForce | None = None,
        post_only: bool = False,
        display: SupportsIndex | None = None,
    ) -> int:
        """Sends a limit order (price in ticks, quantity in lots) and returns its ticket. Orders good till a date are refused."""

    def submit_market(self, side: _Side, quantity: SupportsIndex) -> int:
        """Sends a market order and returns its ticket."""

    def submit_stop(self, side: _Side, stop: SupportsIndex, quantity: SupportsIndex) -> int:
        """Sends a stop order with its trigger in ticks and returns its ticket."""

    def cancel(self, ticket: SupportsIndex) -> None:
        """Sends the cancellation of an order."""

    def amend(
        self,
        ticket: SupportsIndex,
        *,
        quantity: SupportsIndex | None = None,
        price: SupportsIndex | None = None,
        stop: SupportsIndex | None = None,
    ) -> None:
        """Sends a change of an order: its open lots, its limit or its trigger (ticks)."""

    def cancel_quantity(self, side: _Side, price: SupportsIndex, quantity: SupportsIndex) -> None:
        """Sends the cancellation of up to ``quantity`` of the agent's lots at a price, newest order first."""

    def cancel_all(self, side: _Side | None = None) -> None:
        """Sends the cancellation of all of the agent's orders, of one side if given."""

    def reports(self) -> _Records:
        """What the agent has been told since it last asked: an array of ``lobgym.REPORT_DTYPE``. Kinds are those of ``EventKind``."""

    def fills(self) -> _Records:
        """The agent's fills of this session, as they happened at the book: an array of ``lobgym.FILL_DTYPE``."""

    def orders(self) -> _Records:
        """The agent's orders that may still trade, as far as it knows: an array of ``lobgym.AGENT_ORDER_DTYPE``."""

    def queue_position(self, ticket: SupportsIndex) -> tuple[int, int] | None:
        """Visible lots and orders ahead of one of the agent's orders; None if it does not rest."""

    def events(self) -> _Records:
        """Every event since this was last asked for: an array of ``lobgym.SESSION_EVENT_DTYPE``. Needs ``keep_log=True``."""

    def depth(self, levels: SupportsIndex | None = None) -> tuple[_Records, _Records]:
        """The best occupied levels of bids and asks, best first: two arrays of ``lobgym.LEVEL_DTYPE``, 10 levels at most by default."""

    def book_orders(self, side: _Side | None = None) -> _Records:
        """Everybody's resting orders in priority order: an array of ``lobgym.ORDER_DTYPE``, whose ids are the engine's handles."""

    def quantity_at(self, side: _Side, price: SupportsIndex) -> int:
        """Visible lots at a price."""

    @property
    def best_bid(self) -> int | None:
        """The highest bid, in ticks."""

    @property
    def best_ask(self) -> int | None:
        """The lowest ask, in ticks."""

    @property
    def spread(self) -> int | None:
        """Best ask - best bid, in ticks."""

    @property
    def mid(self) -> float | None:
        """Mean of best bid and best ask, in ticks."""

    @property
    def microprice(self) -> float | None:
        """The touch weighted by the quantity on the other side, in ticks."""

    @property
    def last_trade(self) -> int | None:
        """Price of the last trade, in ticks."""

    @property
    def now(self) -> float:
        """Time in seconds."""

    @property
    def seed(self) -> int:
        """The seed of the session."""

    @property
    def owner(self) -> int:
        """The agent's number in events; 0 owns a frozen opening book, 1 are the background traders, 2 is the strategic trader."""

    @property
    def traded(self) -> int:
        """Lots traded by everybody in this session."""

    @property
    def position(self) -> int:
        """Lots held; negative: sold short."""

    @property
    def cash(self) -> int:
        """Received for sales less paid for purchases, before fees, in ticks x lots."""

    @property
    def fees(self) -> float:
        """Fees paid, in ticks x lots; negative: rebates earned."""

    def profit(self) -> float | None:
        """Cash + position x mid - fees, in ticks x lots; None if a position cannot be valued as a side of the book is empty."""

    def digest(self) -> int:
        """A 64-bit digest of the book's state."""

    @property
    def events_digest(self) -> int | None:
        """A 64-bit digest of all events of the session and their times; None without ``keep_digest=True``."""

    def fork(self) -> Simulator:
        """A session of its own: the same past and, as long as the same is done to both, the same future."""

    def __copy__(self) -> Simulator: ...
    def __deepcopy__(self, _memo: object) -> Simulator: ...

@final
class Simulation:
    """What :func:`lobgym.simulate` has played."""

    @property
    def statistics(self) -> dict[str, Any]:
        """Spread, depth, volatility, autocorrelations, impact and event rates, as in the JSON of ``lobgym simulate`` (docs/cli.md)."""

    @property
    def events(self) -> _Records:
        """Every event of the first session, from the opening book on: an array of ``lobgym.SESSION_EVENT_DTYPE``."""

    @property
    def snapshots(self) -> dict[str, npt.NDArray[Any]]:
        """The first session's book at N times: ``time`` (N,) in s, ``best_bid`` and ``best_ask`` (N,) in ticks (NaN: empty side),
        ``bid_lots`` and ``ask_lots`` (N, levels): visible lots at the best price, one tick behind it, ..."""

    def to_json(self) -> str:
        """The statistics as the command writes them."""

    def write_events(self, path: _Path) -> None:
        """Writes the events to a ``.npz`` or ``.csv`` file (docs/data_format.md, "Session events")."""

    def write_snapshots(self, path: _Path) -> None:
        """Writes the snapshots to a ``.npz`` or ``.csv`` file (docs/data_format.md, "Book snapshots")."""

    def to_svg(self, path: _Path) -> None:
        """Draws the statistics into an SVG file."""

def simulate(
    market: str = "noise",
    *,
    seconds: float | None = None,
    sessions: SupportsIndex | None = None,
    seed: SupportsIndex | None = None,
    threads: SupportsIndex | None = None,
    interval: float | None = None,
    levels: SupportsIndex | None = None,
    record: bool = True,
    progress: _Progress = None,
    **settings: Any,
) -> Simulation:
    """Plays a market's sessions: what ``lobgym simulate`` does.

    ``market`` and settings: as of ``lobgym.Simulator``. ``seconds``: length of a session, by default 600. ``sessions``: how many the statistics are taken over, by
    default 20. ``seed``: by default 0. ``threads``: by default one a core; the results do not depend on it. ``interval``: seconds between
    snapshots, by default 1. ``levels``: of the snapshots and the depth profile, by default 10. ``record``: keep the first session's events and snapshots.
    ``progress``: called with the sessions done and their total. Ctrl-C ends it.
    """

@final
class Comparison:
    """What :func:`lobgym.compare` has found."""

    @property
    def table(self) -> Table:
        """A row for each market, size and strategy, with the columns of the command's JSON: mean reward (ticks a lot; higher is better),
        shortfall and its parts (ticks a lot; positive is paid), fill rates, completion time (s), risk."""

    @property
    def paired(self) -> Table:
        """Mean differences in reward over the same sessions (ticks a lot), with 95% confidence intervals."""

    @property
    def outcomes(self) -> Table:
        """A row for each market, size, strategy and episode."""

    @property
    def warnings(self) -> list[str]:
        """Strategies whose parent order the market could not take, policies that were left out of cells or may know the sessions, if any."""

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""

    def to_json(self) -> str:
        """The results as ``lobgym compare --json`` writes them."""

    def html(self) -> str:
        """The report: a page that needs nothing else."""

    def to_html(self, path: _Path) -> None:
        """Writes the report, as ``lobgym compare --html`` does."""

    def _repr_html_(self) -> str: ...

def compare(
    market: str | Sequence[str] | None = None,
    *,
    lots: SupportsIndex | Sequence[SupportsIndex] | str | None = None,
    strategies: str | Sequence[str] | None = None,
    side: str = "sell",
    episodes: SupportsIndex | None = None,
    seed: SupportsIndex | None = None,
    threads: SupportsIndex | None = None,
    horizon_seconds: float | None = None,
    step_seconds: float | None = None,
    participation_rate: float | None = None,
    risk_aversion: float | None = None,
    progress: _Progress = None,
    **settings: Any,
) -> Comparison:
    """Compares execution strategies over the same simulated sessions: what ``lobgym compare`` does.

    ``market``: one or several (``"all"``: the reference's three), by default ``"noise"``; settings as of ``lobgym.Simulator``. ``lots``: sizes of
    the parent order (``"all"``: 20 and 60), by default 20. ``strategies``: of sl, twap, twap-schedule, vwap, pov, ac, market; by default all; and
    ``"policy:PATH"``, a trained policy, which takes part in the cells of its own size. ``side``:
    ``"sell"`` or ``"buy"``. ``episodes``: sessions a market, by default 10,000. ``seed``: by default 0. ``threads``: by default one a core; the
    results do not depend on it. ``horizon_seconds``, ``step_seconds``: time to trade in, and between decisions, by default 150 and 15. ``participation_rate``: of
    pov. ``risk_aversion``: of ac. ``progress``: called with the episodes done and their total. Ctrl-C ends it.
    """

@final
class Evaluation:
    """What :func:`lobgym.evaluate` has found."""

    @property
    def table(self) -> Table:
        """A row for each policy, with the columns of the command's JSON: mean reward, its deviation and standard error, and what the
        environment has besides."""

    @property
    def paired(self) -> Table:
        """Mean differences in reward over the same sessions, with 95% confidence intervals."""

    @property
    def rewards(self) -> dict[str, NDArray[np.float64]]:
        """The reward of each session, by policy."""

    @property
    def settings(self) -> dict[str, Any]:
        """What it was made with: environment, episodes, seed."""

    @property
    def warnings(self) -> list[str]:
        """What should be known before the figures are believed, if anything."""

    def to_json(self) -> str:
        """The results as ``lobgym evaluate --json`` writes them."""

    def html(self) -> str:
        """The report: a page that needs nothing else."""

    def to_html(self, path: _Path) -> None:
        """Writes the report, as ``lobgym evaluate --html`` does."""

def evaluate(
    env: str | Mapping[str, Any] | None = None,
    policies: str | Sequence[str] | None = None,
    *,
    episodes: SupportsIndex | None = None,
    seed: SupportsIndex | None = None,
    threads: SupportsIndex | None = None,
    against: str | None = None,
    grid: bool = False,
    progress: _Progress = None,
    **settings: Any,
) -> Evaluation:
    """Evaluates policies over the same sessions of an environment, none of which a training plays: what ``lobgym evaluate`` does.

    ``env``: the name of an environment or of a configuration that comes with the package, or all settings as a mapping with ``"name"`` among them; by default
    ``"market_making"``. ``policies``: rules (``"join:skew=4"``), in ``"execution"`` strategies (``"twap"``), everywhere ``"policy:PATH"``, a trained policy's file
    or its run's directory; by default the environment's usual ones. ``episodes``: by default 2,000. ``seed``: by default 0. ``threads``: by default one a core;
    the results do not depend on it. ``against``: the policy that the others are compared with; by default the first, of a grid the best, in
    ``"execution"`` twap where it takes part. ``grid``: besides ``policies``, the rules of market making over their parameters, best first. ``progress``: called
    with the episodes done and their total. ``settings``: of the environment. Ctrl-C ends it.
    """

# End of book, simulator and comparison

# Environments

@final
class Env:
    """One environment with its episodes. `lobgym.Env` is it with Gymnasium's manners."""

    def __new__(
        cls,
        name: str,
        config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        settings: dict[str, Any] | None = None,
        *,
        picture_size: tuple[int, int] | None = None,
    ) -> Env: ...
    def ansi(self, *, colour: bool = False) -> str: ...
    def close(self) -> None: ...
    def fork(self) -> Env: ...
    def reset(self, seed: int | None = None) -> tuple[NDArray[np.float32], dict[str, float]]: ...
    def restore_state(self, state: State) -> tuple[NDArray[np.float32], dict[str, float]]: ...
    def rgb(self) -> NDArray[np.uint8] | None: ...
    def save_state(self) -> State: ...
    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, float]]: ...
    @property
    def action_description(
        self,
    ) -> tuple[str, tuple[int, ...], list[tuple[str, str, float, float]], list[tuple[str, list[str]]]]: ...
    @property
    def closed(self) -> bool: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def episode(self) -> int | None: ...
    @property
    def info_names(self) -> tuple[str, ...]: ...
    @property
    def observation_components(self) -> list[tuple[str, str, float, float]]: ...
    @property
    def observation_shape(self) -> tuple[int, ...]: ...
    @property
    def steps(self) -> int: ...

@final
class Policy:
    """A policy from a file. `lobgym.Policy` is it with Gymnasium's spaces."""

    def __new__(cls, path: _Path, seed: int) -> Policy: ...
    def fits(self, env: Env | VecEnv) -> None: ...
    def predict(
        self,
        observation: npt.ArrayLike,
        state: Any = None,
        episode_start: npt.ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]: ...
    @property
    def action_description(
        self,
    ) -> tuple[str, tuple[int, ...], list[tuple[str, str, float, float]], list[tuple[str, list[str]]]]: ...
    @property
    def header(self) -> dict[str, Any]: ...
    @property
    def observation_components(self) -> list[tuple[str, str, float, float]]: ...
    @property
    def observation_shape(self) -> tuple[int, ...]: ...
    @property
    def path(self) -> PathLike[str]: ...

@final
class State:
    """Where one or more environments stand."""

    @property
    def num_envs(self) -> int: ...

@final
class VecEnv:
    """A batch of environments on worker threads. `lobgym.VectorEnv` is it with Gymnasium's manners."""

    def __new__(
        cls,
        name: str,
        num_envs: int,
        config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        settings: dict[str, Any] | None = None,
        *,
        threads: int = 0,
        autoreset: str = "next_step",
        reuse_buffers: bool = False,
        infos: bool = True,
        picture_size: tuple[int, int] | None = None,
    ) -> VecEnv: ...
    def ansi(self, *, colour: bool = False) -> list[str]: ...
    def close(self) -> None: ...
    def fork(self) -> VecEnv: ...
    def reset(
        self, seeds: Sequence[int | None] | None = None, mask: Sequence[bool] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]: ...
    def restore_state(self, state: State, index: int | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]: ...
    def rgb(self) -> list[NDArray[np.uint8]]: ...
    def rollout(self, actions: Any, steps: int) -> tuple[float, int]: ...
    def save_state(self, index: int | None = None) -> State: ...
    def step(
        self, actions: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]: ...
    @property
    def action_description(
        self,
    ) -> tuple[str, tuple[int, ...], list[tuple[str, str, float, float]], list[tuple[str, list[str]]]]: ...
    @property
    def closed(self) -> bool: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def episodes(self) -> NDArray[np.int64]: ...
    @property
    def info_names(self) -> tuple[str, ...]: ...
    @property
    def num_envs(self) -> int: ...
    @property
    def observation_components(self) -> list[tuple[str, str, float, float]]: ...
    @property
    def observation_shape(self) -> tuple[int, ...]: ...
    @property
    def threads(self) -> int: ...

def _panic(elsewhere: bool) -> NoReturn: ...
def _settings(path: _Path) -> dict[str, Any]: ...
def _training_html(directory: _Path) -> str: ...

# Indicators: their signatures are in lobgym/indicators.py.

def _indicator(
    name: str, settings: dict[str, Any], columns: tuple[npt.ArrayLike | None, ...]
) -> list[NDArray[np.float64]]: ...

@final
class _Indicator:
    def __new__(cls, name: str, settings: dict[str, Any]) -> _Indicator: ...
    def update(self, *numbers: float) -> Any: ...
    def reset(self) -> None: ...
    @property
    def warm_up(self) -> int: ...

# Feature sets

@final
class FeatureSet:
    """Turns ticks into rows of features: named lists of indicators (docs/indicators.md).

    ``config``: the name of a set that comes with the library (``"default"``, ``"microstructure"``), the path of a YAML file, or a
    dictionary with the key ``features``. Ticks have any of the numbers ``open``, ``high``, ``low``, ``close``, ``volume``,
    ``bid_price``, ``bid_size``, ``ask_price``, ``ask_size`` and ``session``; what a column needs must be there. What is not legal raises
    ``ValueError`` or ``TypeError`` with its name, and changes nothing.
    """

    def __new__(cls, config: _Path | Mapping[str, Any] | None = None) -> FeatureSet: ...
    @property
    def config(self) -> dict[str, Any]:
        """The whole configuration, defaults included."""

    @property
    def names(self) -> list[str]:
        """The columns' names."""

    @property
    def needed(self) -> list[str]:
        """The numbers of a tick that its columns look at."""

    @property
    def warm_up(self) -> int:
        """Ticks at the beginning whose rows have NaN."""

    def reset(self) -> None:
        """As new."""

    def update(self, **tick: float) -> NDArray[np.float64]:
        """Takes a tick in; its row, with NaN in columns that are warming up."""

    def rows(self, **columns: npt.ArrayLike) -> NDArray[np.float64]:
        """The rows of whole columns, shape ``(T, len(names))``, from a beginning of its own: what ``update`` gives a new set, bit for bit."""

@final
class Normalisation:
    """``(rows - centre) / scale``, fitted on a training span of a feature set's rows and on nothing else."""

    @staticmethod
    def fit(
        features: FeatureSet,
        rows: NDArray[np.float64],
        span: tuple[int, int],
        *,
        method: str = "mean_std",
        times_ns: Sequence[int] | None = None,
    ) -> Normalisation:
        """Measures rows ``span[0]`` up to and without ``span[1]``; those with NaN do not count. ``method``: ``"mean_std"`` or ``"median_iqr"``."""

    @classmethod
    def from_json(cls, text: str) -> Normalisation:
        """Reads what ``to_json`` gave; ``ValueError`` for anything else."""

    def to_json(self) -> str:
        """With the feature set's configuration and the span, every bit kept."""

    @property
    def centre(self) -> NDArray[np.float64]:
        """What is taken off each column."""

    @property
    def scale(self) -> NDArray[np.float64]:
        """What each column is divided by; 1 where it was constant."""

    @property
    def names(self) -> list[str]:
        """The columns' names."""

    @property
    def span(self) -> tuple[int, int]:
        """The first row it was fitted on, and the row after the last."""

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows normalised, as a new array; NaN stays NaN."""
