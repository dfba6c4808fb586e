"""Who may ask, what reaches the file system, and how much is too much."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from serve_session import Client, Server, ended, httpx, serving, start, until, write_bars

from lobgym.serve.errors import ServeError
from lobgym.serve.ledger import Ledger
from lobgym.serve.limits import Buckets
from lobgym.serve.places import Places
from lobgym.serve.settings import is_loopback, load

TOKEN = "correct-horse-battery-staple"


def raw(client: Client, request: bytes, patience: float = 10.0) -> bytes:
    """What the server answers to these bytes."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=patience) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
            head, _, body = answer.partition(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if length and len(body) >= int(length[0].split(b":")[1]):
                break
        return answer


def test_a_token_is_asked_for_everywhere_but_where_it_tells_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as client:
        described = client.get("/openapi.json").json()
        assert described["security"] == [{"token": []}]
        for path, methods in described["paths"].items():
            for method in methods:
                answer = client.request(method, path.replace("{id}", "x"))
                if path == "/api/health":
                    assert answer.status_code == 200
                    continue
                assert answer.status_code == 401, path
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                assert answer.json()["error"] == "Authorization"
        for wrong in ("x", TOKEN[:-1], TOKEN + "x", "ä" * 30):
            headers = {"Authorization": f"Bearer {wrong}".encode("latin-1")}
            assert client.get("/api/jobs", headers=headers).status_code == 401
        assert client.get("/api/jobs", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
        assert client.get(f"/api/jobs?token={TOKEN}").status_code == 401
        assert client.get("/api/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", "127.0.0.1.example.com"])
def test_other_addresses_demand_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOBGYM_TOKEN", raising=False)
    assert not is_loopback(host)
    with pytest.raises(ServeError, match="host") as refused:
        load({"host": host})
    assert "LOBGYM_TOKEN" in str(refused.value)
    monkeypatch.setenv("LOBGYM_TOKEN", TOKEN)
    assert load({"host": host})[0].host == host
    monkeypatch.setenv("LOBGYM_TOKEN", "short")
    with pytest.raises(ServeError, match="token") as refused:
        load({"host": host})
    assert "short" not in str(refused.value)


def test_on_loopback_the_server_answers_to_its_own_name_only(tmp_path: Path) -> None:
    with serving(tmp_path, allowed_hosts=("trading.example",)) as client:
        port = client.base_url.port
        for host in ("127.0.0.1", "localhost", f"localhost:{port}", "[::1]:80", "trading.example", "127.0.0.2"):
            assert client.get("/api/health", headers={"Host": host}).status_code == 200, host
        for host in (
            "evil.com",
            "localhost.evil.com",
            f"evil.com:{port}",
            "127.0.0.1.evil.com",
            "0.0.0.0",
            "",
            "[",
            "a@127.0.0.1@b",
        ):
            answer = client.get("/api/health", headers={"Host": host})
            # uvicorn's own refusal of what is no host at all.
            assert answer.status_code in (400, 403), host


def test_pages_of_other_sites_cannot_ask_through_a_browser(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        id = start(client, "slow")
        for origin in ("http://evil.com", "null", "http://127.0.0.1:1"):
            answer = client.post(f"/api/training/{id}/stop", headers={"Origin": origin})
            assert answer.status_code == 403 and answer.json()["error"] == "Origin"
        own = str(client.base_url).rstrip("/")
        answer = client.get("/api/jobs", headers={"Origin": own})
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
        preflight = client.options("/api/jobs", headers={"Origin": own, "Access-Control-Request-Method": "POST"})
        assert preflight.status_code == 405
        assert client.post(f"/api/training/{id}/stop").status_code == 202


OUTSIDE = [
    "../secret",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a.b",
    "A",
    "",
    "-a",
    "a\n",
    "ä",
    "x" * 65,
    "a\0",
    "%2e%2e",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out_of_the_state_directory(name: str, tmp_path: Path) -> None:
    with pytest.raises(ServeError):
        Places(tmp_path / "state").inside("bars", name, ".csv")


def test_links_out_of_the_state_directory_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("start_ns,close\n0,42\n")
    place = write_bars(tmp_path).parent
    (place / "linked.csv").symlink_to(secret)
    (place / "within.csv").symlink_to(place / "prices.csv")
    (tmp_path / "state" / "runs").mkdir()
    (tmp_path / "state" / "runs" / "out").symlink_to(tmp_path)
    with serving(tmp_path) as client:
        answer = client.get("/api/data?name=linked")
        assert answer.status_code == 422 and "42" not in answer.text
        answer = client.post("/api/training/run_ppo_tcn_futures", json={"bars": "linked"})
        assert answer.status_code == 422
        assert len(client.get("/api/data?name=within").json()["bars"]) == 10
        listed = {store["name"]: store["bars_bytes"] for store in client.get("/api/data").json()["stores"]}
        assert listed["linked"] is None and listed["prices"] is not None
        assert client.get("/api/runs").json() == []


def test_addresses_with_other_names_find_nothing(tmp_path: Path) -> None:
    names = ["..%2f..%2fetc%2fpasswd", "%2e%2e", "..;", "a%00", "a%0a", "%ff", "A", "x" * 65]
    addresses = ["/api/training/{}", "/api/trading/{}", "/api/data/{}", "/api/jobs/{}/log", "/api/jobs/{}/events"]
    with serving(tmp_path) as client:
        host = f"127.0.0.1:{client.base_url.port}"
        for name in names:
            for address in addresses:
                # By hand: clients tidy such addresses up.
                answer = raw(client, f"GET {address.format(name)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert answer.split(b" ")[1] in (b"404", b"422", b"400"), answer


def test_bodies_have_a_limit_however_they_come(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_bytes=1000) as client:
        small, large = b'{"id": "' + b"x" * 60 + b'"}', b'{"id": "' + b"x" * 2000 + b'"}'
        headers = {"Content-Type": "application/json"}
        assert client.post("/api/data/stop", content=small, headers=headers).status_code == 404
        answer = client.post("/api/data/stop", content=large, headers=headers)
        assert answer.status_code == 413 and answer.json()["legal"] == "at most 1000 bytes"
        chunked = client.post("/api/data/stop", content=iter([large[:900], large[900:]]), headers=headers)
        assert chunked.status_code == 413
        # Refused before it is sent.
        head = f"POST /api/data/stop HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {10**12}\r\n\r\n"
        assert raw(client, head.encode()).split(b" ")[1] == b"413"
        assert client.get("/api/health").status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with serving(tmp_path, body_seconds=0.2) as client:
        began = time.monotonic()
        answer = raw(client, b"POST /api/data/stop HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{")
        assert answer.split(b" ")[1] == b"408"
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("request_line", ["GET /api/health", "HEAD /docs", "POST /api/health", "GET /api/jobs"])
@pytest.mark.parametrize("body", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_no_body_is_waited_for_where_none_belongs(request_line: str, body: str, tmp_path: Path) -> None:
    with serving(tmp_path, body_seconds=1_000.0, max_requests=1) as client:
        answer = raw(client, f"{request_line} HTTP/1.1\r\nHost: 127.0.0.1\r\n{body}\r\n\r\n".encode())
        assert answer.split(b" ")[1] == b"400" and b"connection: close" in answer.lower()
        # One without anything in it is none.
        assert client.get("/api/health", headers={"Content-Length": "0"}).status_code == 200


def test_strangers_cannot_hold_the_places_of_those_who_have_the_token(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN, body_seconds=1_000.0, max_requests=2) as client:
        port, held = client.base_url.port, []
        for line in ("GET /api/health", "GET /docs", "POST /api/health", "POST /api/data/stop"):
            for _ in range(2):
                held.append(socket.create_connection(("127.0.0.1", port or 80), timeout=10))
                held[-1].sendall(f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n".encode())
        # Each has been looked at: it is answered.
        assert {each.recv(12)[9:] for each in held} == {b"400", b"401"}
        assert client.get("/api/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        for each in held:
            each.close()


def test_strangers_have_a_rate_of_their_own(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN, rate_per_second=0.001, rate_burst=3) as client:
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert [client.get("/api/jobs").status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        assert client.get("/api/health").status_code == 429
        assert [client.get("/api/health", headers=known).status_code for _ in range(2)] == [200, 200]
        assert [client.get("/api/jobs", headers=known).status_code for _ in range(2)] == [200, 429]


def test_a_proxy_that_is_trusted_says_for_whom_it_asks(tmp_path: Path) -> None:
    def statuses(client: Client) -> list[int]:
        return [
            client.get("/api/health", headers={"X-Forwarded-For": f"203.0.113.{each}"}).status_code
            for each in (1, 1, 2)
        ]

    limit: dict[str, Any] = {"rate_per_second": 0.001, "rate_burst": 1}
    with serving(tmp_path, **limit, trusted_proxies=("127.0.0.0/8",)) as client:
        assert statuses(client) == [200, 429, 200]
    for proxies in ((), ("10.0.0.1",)):
        with serving(tmp_path, **limit, trusted_proxies=proxies) as client:
            assert statuses(client) == [200, 429, 429]


@pytest.mark.parametrize(
    ("begin", "used"), [(b"", False), (b"GET / HTTP/1.1\r\nHost: 127", False), (b"GET / HT", True)]
)
def test_a_head_that_does_not_come_ends_the_connection(begin: bytes, used: bool, tmp_path: Path) -> None:
    with (
        serving(tmp_path, body_seconds=0.3) as client,
        socket.create_connection(("127.0.0.1", client.base_url.port or 80), timeout=60) as connection,
    ):
        if used:
            connection.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(begin)
        while connection.recv(65_536):
            pass


def test_a_slow_answer_is_not_taken_for_a_head_that_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Ledger.jobs
    with serving(tmp_path, body_seconds=0.2) as client:
        monkeypatch.setattr("lobgym.serve.ledger.Ledger.jobs", lambda *a, **b: time.sleep(1) or jobs(*a, **b))
        assert client.get("/api/jobs").status_code == 200
        monkeypatch.undo()


def test_connections_are_so_many_at_most(tmp_path: Path) -> None:
    with serving(tmp_path, max_connections=3) as client:
        port = client.base_url.port or 80
        held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(3)]
        # The server has seen them.
        for each in held:
            each.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert each.recv(12) == b"HTTP/1.1 200"
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as further,
            contextlib.suppress(ConnectionResetError),
        ):
            assert further.recv(1) == b""
        for each in held:
            each.close()
        until(lambda: not closes(client))
        assert client.get("/api/health").status_code == 200


def closes(client: Client) -> bool:
    """Whether the server ends a connection at once."""
    try:
        return client.get("/api/health").status_code != 200
    except httpx.TransportError:
        return True


def test_an_answer_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    with serving(tmp_path, request_seconds=0.2, max_requests=2) as client:
        monkeypatch.setattr("lobgym.serve.ledger.Ledger.jobs", lambda *_args, **_more: let_go.wait(300) and [])
        try:
            # Answered while the thread that should have answered still hangs.
            for _ in range(2):
                answer = client.get("/api/jobs")
                assert answer.status_code == 503 and "retry-after" in answer.headers
                assert answer.json()["error"] == "the answer took too long"
            # Its place is taken until it has come back.
            assert client.get("/api/health").json()["error"] == "too many requests at once"
        finally:
            let_go.set()
            monkeypatch.undo()
        until(lambda: client.get("/api/health").status_code == 200)
        assert client.get("/api/jobs").status_code == 200


def test_a_client_has_so_many_requests(tmp_path: Path) -> None:
    with serving(tmp_path, rate_per_second=0.5, rate_burst=3) as client:
        answers = [client.get("/api/health") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
        assert answers[-1].json()["error"] == "too many requests"


def test_tokens_come_back_and_clients_are_apart() -> None:
    now = 0.0
    buckets = Buckets(2.0, 4, lambda: now)

    def taken(client: str, times: int) -> int:
        count = 0
        for _ in range(times):
            try:
                buckets.take(client)
                count += 1
            except ServeError:
                pass
        return count

    assert taken("a", 10) == 4
    assert taken("b", 10) == 4
    now = 1.0
    assert taken("a", 10) == 2
    now = 1000.0
    assert taken("a", 10) == 4
    for client in range(10_000):
        buckets.take(str(client))
    assert len(buckets._clients) == 4096


def test_errors_of_the_server_tell_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError("secret detail")

    with serving(tmp_path) as client:
        monkeypatch.setattr("lobgym.serve.ledger.Ledger.jobs", broken)
        answer = client.get("/api/jobs")
        monkeypatch.undo()
    assert answer.status_code == 500 and "secret" not in answer.text
    assert set(answer.json()) == {"error", "value", "legal"}
    assert "secret detail" in capfd.readouterr().err


def test_the_state_directory_is_closed_to_others(tmp_path: Path) -> None:
    state = tmp_path / "state"
    old = os.umask(0o022)
    try:
        Places(state)
        assert state.stat().st_mode & 0o077 == 0
        # One that is there already: of an earlier server, with bars put into it by hand, or empty.
        state.chmod(0o755)
        (state / "jobs.sqlite-wal").touch()
        Places(state)
        assert state.stat().st_mode & 0o077 == 0
        # What has other things in it is somebody's business, and maybe not only ours.
        for mode in (0o755, 0o750, 0o701):
            (state / "letters").touch()
            state.chmod(mode)
            with pytest.raises(ServeError, match=f"chmod 700 {state}"):
                Places(state)
            assert state.stat().st_mode & 0o777 == mode
        state.chmod(0o700)
        Places(state)
    finally:
        os.umask(old)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a directory away")
def test_a_state_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, -1)
    with pytest.raises(ServeError, match="a directory of the user who runs the server"):
        Places(tmp_path)


def test_what_the_server_and_its_jobs_write_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ended(server.client, start(server.client), "finished")
        files = {path: path.stat().st_mode for path in (tmp_path / "state").rglob("*") if path.is_file()}
    names = {path.name.partition(".")[2] for path in files}
    assert {"sqlite", "log", "pid"} <= names and any("runs" in path.parts for path in files)
    assert [str(path) for path, mode in files.items() if mode & 0o077] == []


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "lobgym.serve", "--port", str(port)],
            **{"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 60},
        )
    assert done.returncode == 1
    assert f"host:port is 127.0.0.1:{port}; legal: an address that is free" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_real_server_refuses_to_be_open_to_all(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOBGYM_")}
    done = subprocess.run(
        [sys.executable, "-m", "lobgym.serve", "--host", "0.0.0.0", "--port", "0"],
        **{"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 60},
    )
    assert done.returncode == 2
    assert "host is 0.0.0.0; legal: 127.0.0.1, or any address together with a token" in done.stderr
    assert list(tmp_path.iterdir()) == []
