"""The commands of docs/serve.md, in their order, against a server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from serve_session import ended, fake_command, reached, serving, write_bars

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_page_s_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = [sys.executable, "-c", "import time; time.sleep(100)"]
    monkeypatch.setattr("lobgym.serve.works.Collecting.command", lambda _self, _job: quiet)
    fake_command(tmp_path)
    (tmp_path / "presets" / "market_making_ppo.yaml").write_text("env: {}\ntrain: {}\n")
    write_bars(tmp_path, "btc-5s", 6)
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    commands = [command for block in blocks for command in re.split(r"\n(?=curl )", block.strip())]
    assert len(commands) >= 18
    with serving(tmp_path) as client:
        shown = [
            re.sub(r"\?.*|/(collection|training|trading)-\d+", "/ID", path)
            for path in re.findall(r"8000(/api/[^\s'?]+)", "\n".join(commands))
        ]
        for command in commands:
            own = command.replace("http://127.0.0.1:8000", str(client.base_url).rstrip("/"))
            own = re.sub(r"^curl ", "curl --silent --show-error --fail-with-body ", own)
            done = subprocess.run(["bash", "-c", own], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            assert done.stdout
            if "/events" in command:
                assert "event: end" in done.stdout and '"finished"' in done.stdout
            if "feature_set=default' -H" in command:
                reached(client, "trading-3", lambda job: (job["latest"] or {}).get("step") == 6)
        write_bars(tmp_path, "btc-5s", 1, first=6)
        assert ended(client, "trading-3", "finished")["latest"]["action"] == "kill"
        assert ended(client, "training-4", "stopped") and ended(client, "collection-1", "stopped")
        # Each address that there is.
        known = {re.sub(r"\{id\}", "ID", path) for path in client.get("/openapi.json").json()["paths"]}
        assert known - set(shown) == {"/api/jobs/ID", "/api/trading/ID/stop"}
