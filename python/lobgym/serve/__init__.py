"""Collecting, training and trading over HTTP: ``python -m lobgym.serve`` (docs/serve.md).

Needs the extra ``lobgym[serve]`` (FastAPI, uvicorn, pydantic-settings); ``import lobgym`` does not.
"""
