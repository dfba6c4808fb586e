"""Collecting market data from running exchanges: ``python -m lobgym.live collect``, ``replay-feed``, ``store`` (docs/live.md).

Needs the extra ``lobgym[live]`` (DuckDB, websockets); ``import lobgym`` does not.
"""
