"""The page of the API: made of its OpenAPI description, without anything from another server."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from lobgym.serve.models import PATTERNS

__all__ = ["html"]

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 13px/1.45 ui-monospace, monospace } pre { white-space: pre-wrap; padding: .6rem; background: #8881; border-radius: 4px }
details { border: 1px solid #8886; border-radius: 4px; margin: .4rem 0; padding: .3rem .7rem } summary { cursor: pointer }
b.get { color: #2a7ab8 } b.post { color: #2e8b57 } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #8883 }
"""


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = whole["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _kind(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        schema = _resolved(schema, whole)
        return str(schema.get("title", "object")) if "enum" not in schema else _kind(schema, whole)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each, whole) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), whole)}"
    words = [str(schema.get("type", "anything"))]
    for key, text in (
        *(("minimum", ">= {}"), ("exclusiveMinimum", "> {}"), ("maximum", "<= {}"), ("exclusiveMaximum", "< {}")),
        *(("maxLength", "at most {} characters"), ("pattern", "({})")),
    ):
        if key in schema:
            words.append(text.format(PATTERNS.get(schema[key], schema[key]) if key == "pattern" else schema[key]))
    return " ".join(words)


def _rows(fields: list[tuple[str, dict[str, Any], bool, str]], whole: dict[str, Any], *, asked: bool = True) -> str:
    lines = []
    for name, schema, required, text in fields:
        default = (
            "required"
            if required and asked
            else f"default {json.dumps(schema['default'])}"
            if "default" in schema
            else ""
        )
        cells = (f"<code>{escape(name)}</code>", escape(_kind(schema, whole)), escape(default), escape(text))
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(lines)}</table>" if lines else ""


def _fields(schema: dict[str, Any], whole: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool, str]]:
    schema = _resolved(schema, whole)
    if schema.get("type") == "array":
        return _fields(schema["items"], whole)
    required = set(schema.get("required", []))
    return [
        (name, each, name in required, str(each.get("description", "")))
        for name, each in schema.get("properties", {}).items()
    ]


def _operation(path: str, method: str, what: dict[str, Any], whole: dict[str, Any]) -> str:
    parts = [
        f"<summary><b class={method}>{method.upper()}</b> <code>{escape(path)}</code> {escape(what['summary'])}</summary>"
    ]
    parameters = [
        (f"{each['name']} ({each['in']})", each["schema"], each.get("required", False), each.get("description", ""))
        for each in what.get("parameters", [])
    ]
    if parameters:
        parts.append("<h4>Parameters</h4>" + _rows(parameters, whole))
    curl = (
        f"curl -X {method.upper()} http://127.0.0.1:8000{path}"
        if method != "get"
        else f"curl http://127.0.0.1:8000{path}"
    )
    if "requestBody" in what:
        body = _resolved(what["requestBody"]["content"]["application/json"]["schema"], whole)
        parts.append("<h4>Body</h4>" + _rows(_fields(body, whole), whole))
        example = json.dumps(body.get("examples", [{}])[0])
        curl += f" -H 'Content-Type: application/json' -d '{example}'"
    parts.append(f"<pre>{escape(curl)}</pre>")
    for code, response in what["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if code.startswith("2") and schema is not None:
            parts.append(f"<h4>Answer {code}</h4>" + _rows(_fields(schema, whole), whole, asked=False))
    codes = (f"{code}: {escape(each['description'])}" for code, each in what["responses"].items() if code >= "4")
    parts.append(f"<h4>Refusals</h4><p>{'<br>'.join(codes)}</p>" if what["responses"] else "")
    return f"<details>{''.join(parts)}</details>"


def html(whole: dict[str, Any]) -> str:
    """The page of a description."""
    sections: dict[str, list[str]] = {}
    for path, methods in whole["paths"].items():
        for method, what in methods.items():
            sections.setdefault(what.get("tags", ["other"])[0], []).append(_operation(path, method, what, whole))
    body = "".join(f"<h2>{escape(name)}</h2>{''.join(each)}" for name, each in sections.items())
    info = whole["info"]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>lobgym</title>"
        f"<style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        f"<p>For programs: <a href=/openapi.json>openapi.json</a></p>{body}</html>"
    )
