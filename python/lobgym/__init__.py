"""An event-driven limit order book simulator with environments for reinforcement learning.

``import lobgym`` registers ``lobgym/Execution-v0``, ``lobgym/MarketMaking-v0``, ``lobgym/ModelMarketMaking-v0``,
``lobgym/PortfolioRebalancing-v0``, ``lobgym/MultiAssetTrading-v0`` and ``lobgym/Trader-v0`` with Gymnasium, for ``gymnasium.make`` and, as one native batch on worker threads, ``gymnasium.make_vec``.
"""

from gymnasium.envs.registration import register as _register

from lobgym._core import (
    AGENT_ORDER_DTYPE,
    BASIC_MESSAGE_DTYPE,
    EVENT_DTYPE,
    FILL_DTYPE,
    LEVEL_DTYPE,
    MESSAGE_DTYPE,
    ORDER_DTYPE,
    REPORT_DTYPE,
    SESSION_EVENT_DTYPE,
    STOP_DTYPE,
    Comparison,
    Evaluation,
    OrderBook,
    Simulation,
    Simulator,
    State,
    __version__,
    compare,
    evaluate,
    simulate,
)
from lobgym.book import (
    EventFlag,
    EventKind,
    MessageFlag,
    MessageKind,
    OrderFlag,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
    format_events,
    messages,
)
from lobgym.envs import Env
from lobgym.errors import BusyError, ClosedError, InternalError, InvalidAction, SessionError
from lobgym.policy import Policy
from lobgym.runs import Run, load_run
from lobgym.table import Table
from lobgym.training import train
from lobgym.tuning import Tuning, tune
from lobgym.vector import VectorEnv

__all__ = [
    "AGENT_ORDER_DTYPE",
    "BASIC_MESSAGE_DTYPE",
    "EVENT_DTYPE",
    "FILL_DTYPE",
    "LEVEL_DTYPE",
    "MESSAGE_DTYPE",
    "ORDER_DTYPE",
    "REPORT_DTYPE",
    "SESSION_EVENT_DTYPE",
    "STOP_DTYPE",
    "BusyError",
    "ClosedError",
    "Comparison",
    "Env",
    "Evaluation",
    "EventFlag",
    "EventKind",
    "InternalError",
    "InvalidAction",
    "MessageFlag",
    "MessageKind",
    "OrderBook",
    "OrderFlag",
    "Policy",
    "Reason",
    "Run",
    "SelfTradePrevention",
    "SessionError",
    "Side",
    "Simulation",
    "Simulator",
    "State",
    "Table",
    "TimeInForce",
    "Tuning",
    "VectorEnv",
    "__version__",
    "compare",
    "evaluate",
    "format_events",
    "load_run",
    "messages",
    "simulate",
    "train",
    "tune",
]

for _id, _name in {
    "lobgym/Execution-v0": "execution",
    "lobgym/MarketMaking-v0": "market_making",
    "lobgym/ModelMarketMaking-v0": "model_market_making",
    "lobgym/MultiAssetTrading-v0": "multi_asset_trading",
    "lobgym/PortfolioRebalancing-v0": "portfolio_rebalancing",
    "lobgym/Trader-v0": "trader",
}.items():
    _register(
        _id,
        entry_point="lobgym.envs:Env",
        vector_entry_point="lobgym.vector:VectorEnv",
        # The native environment refuses a step before reset() itself.
        order_enforce=False,
        kwargs={"name": _name},
    )
del _id, _name
