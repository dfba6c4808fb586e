"""Progress as server-sent events: in order, without holes, and taken up again."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from serve_session import Client, ended, long, reached, serving, start, until


def parse(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, number and body of each event."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return events


def listen(
    client: Client, id: str, last: str | None = None, most: int | None = None
) -> list[tuple[str, str, dict[str, Any]]]:
    """The events of a job to its end, or so many."""
    headers = {} if last is None else {"Last-Event-ID": last}
    text = ""
    with client.stream("GET", f"/api/jobs/{id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        for part in answer.iter_text():
            text += part
            if most is not None and len(parse(text)) >= most:
                break
    return parse(text)[:most]


def test_a_stream_tells_every_change_and_growing_progress_and_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        id = start(client, "quick", steps=6_000)
        events = listen(client, id)
    changes = [body["state"] for kind, _, body in events if kind in ("state", "end")]
    assert changes == ["queued", "running", "finished"]
    assert events[-1][0] == "end"
    progress = [body["latest"]["steps"] for kind, _, body in events if kind == "progress"]
    assert len(progress) >= 2 and progress == sorted(set(progress)) and progress[-1] == 6_000
    assert [kind for kind, _, _ in events].index("progress") > 0


def test_a_client_that_comes_again_misses_nothing_and_hears_nothing_twice(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        id = start(client, "slow")
        reached(client, id, lambda job: (job["latest"] or {}).get("steps", 0) >= 300)
        first = listen(client, id, most=3)
        assert [kind for kind, _, _ in first] == ["state", "state", "progress"]
        client.post(f"/api/training/{id}/stop")
        ended(client, id, "stopped")
        second = listen(client, id, last=first[-1][1])
        assert [body["state"] for kind, _, body in second if kind != "progress"] == ["stopping", "stopped"]
        assert second[-1][0] == "end"
        before = first[-1][2]["latest"]["steps"]
        assert all(body["latest"]["steps"] > before for kind, _, body in second if kind == "progress")
        # All is told: the client is told not to come again.
        assert client.get(f"/api/jobs/{id}/events", headers={"Last-Event-ID": second[-1][1]}).status_code == 204
        assert len(listen(client, id)) >= 5
        wrong = client.get(f"/api/jobs/{id}/events", headers={"Last-Event-ID": "3-x"})
        assert wrong.status_code == 422 and wrong.json()["value"] == "3-x"
        assert client.get("/api/jobs/training-99/events").status_code == 404


def test_a_silent_stream_shows_that_it_lives(tmp_path: Path) -> None:
    with serving(tmp_path, heartbeat_seconds=0.3, max_trainings=1) as client:
        start(client, "slow")
        waiting = start(client, "quick")
        text = ""
        with client.stream("GET", f"/api/jobs/{waiting}/events") as answer:
            for part in answer.iter_text():
                text += part
                if text.count(": still here") == 2:
                    break
        assert len(parse(text)) == 1


def test_streams_have_a_limit_and_leave_room_when_they_are_closed(tmp_path: Path) -> None:
    with serving(tmp_path, max_streams=2) as client:
        id = start(client, "slow")
        address = f"/api/jobs/{id}/events"
        with client.stream("GET", address) as first, client.stream("GET", address) as second:
            # Kept: a connection is closed with what reads it.
            readers = [first.iter_text(), second.iter_text()]
            assert [next(reader) for reader in readers]
            refused = client.get(address)
            assert refused.status_code == 429 and "Retry-After" in refused.headers
        end = time.monotonic() + 10
        while True:
            with client.stream("GET", address) as third:
                if third.status_code == 200:
                    break
            assert time.monotonic() < end
            time.sleep(0.1)


@long
def test_streams_do_not_keep_a_server_from_ending(tmp_path: Path) -> None:
    from serve_session import Server

    with Server(tmp_path) as server:
        id = start(server.client, "slow")
        with server.client.stream("GET", f"/api/jobs/{id}/events") as answer:
            reader = answer.iter_text()
            assert next(reader)
            began = time.monotonic()
            server.process.terminate()
            server.process.wait(10)
            assert time.monotonic() - began < 5
        server.end()
        server.begin()


def test_streams_are_so_many_at_most_also_when_they_come_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, max_streams=2) as client:
        id = start(client, "slow")
        asking = f"GET /api/jobs/{id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        for _ in range(2):
            held = [socket.create_connection(("127.0.0.1", client.base_url.port or 80), timeout=60) for _ in range(12)]
            for each in held:
                each.sendall(asking)
            statuses = [each.recv(12)[9:] for each in held]
            assert sorted(statuses) == [b"200"] * 2 + [b"429"] * 10
            # Those that go make room for others.
            for each in held:
                each.close()
            until(lambda: opens(client, id))


def opens(client: Client, id: str) -> bool:
    """Whether there is room for two streams."""
    address = f"/api/jobs/{id}/events"
    with client.stream("GET", address) as one, client.stream("GET", address) as other:
        return one.status_code == other.status_code == 200
