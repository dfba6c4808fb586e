"""Settings: what is in force, where it came from, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import serve_session  # noqa: F401  skips where the server's packages are not installed

from lobgym.serve.command import main
from lobgym.serve.errors import ServeError
from lobgym.serve.settings import Settings, load

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own and no variables."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LOBGYM_{name.upper()}", raising=False)
    monkeypatch.delenv("LOBGYM_SETTINGS", raising=False)
    return tmp_path


def test_each_source_gives_way_to_the_next(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "lobgym.toml").write_text(
        'port = 1\nmax_queue = 2\nrate_burst = 3\nallowed_feed_hosts = ["a.example"]\n'
    )
    monkeypatch.setenv("LOBGYM_PORT", "4")
    monkeypatch.setenv("LOBGYM_MAX_QUEUE", "5")
    monkeypatch.setenv("LOBGYM_ALLOWED_HOSTS", "B.example, c.example")
    settings, origins = load({"port": "6"})
    assert (settings.port, settings.max_queue, settings.rate_burst, settings.max_streams) == (6, 5, 3, 64)
    assert settings.allowed_hosts == ("b.example", "c.example") and settings.allowed_feed_hosts == ("a.example",)
    found = [origins[name].text for name in ("port", "max_queue", "rate_burst", "max_streams")]
    assert found == ["command line", "environment LOBGYM_MAX_QUEUE", "file lobgym.toml", "default"]


def test_files_are_toml_or_yaml_and_can_be_named(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "mine.yaml").write_text("port: 7\nallowed_hosts: [x.example]\n")
    assert load({}, Path("mine.yaml"))[0].port == 7
    monkeypatch.setenv("LOBGYM_SETTINGS", "mine.yaml")
    assert load({})[0].allowed_hosts == ("x.example",)
    (nowhere / "empty.yaml").write_text("")
    assert load({}, Path("empty.yaml"))[0] == Settings()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "prot: 3", "a.yaml: unknown setting (prot); legal: one of host, port, "),
        ("a.yaml", "max_quue: 3", "(did you mean max_queue?)"),
        ("a.toml", "port = 99999", "port is 99999; legal: less than or equal to 65535 (from: file a.toml)"),
        ("a.toml", "port = ", "settings is a.toml; legal: TOML or YAML"),
        ("a.yaml", "port: [", "settings is a.yaml; legal: YAML"),
        ("a.yaml", "- port", "legal: settings, as in `port: 8000`"),
        ("a.json", "{}", "legal: a file .toml, .yaml or .yml"),
        ("a.yaml", "token: short", "token is (not shown); legal: 16 or more printable characters"),
        ("a.yaml", "rate_per_second: .nan", "rate_per_second"),
        ("a.yaml", "collect_into: mysql://x", "collect_into is (not shown); legal: postgresql://HOST/DATABASE"),
        ("a.yaml", "collect_into: postgresql://me:secret@x/y", "legal: a URL without a password"),
        (
            "a.yaml",
            "collect_into: postgresql://x/y?password=secret",
            "collect_into is (not shown); legal: a URL without",
        ),
        ("a.yaml", "trusted_proxies: ['*']", "legal: IP addresses, or networks as 10.0.0.0/8"),
    ],
)
def test_wrong_files_are_named(name: str, text: str, message: str, nowhere: Path) -> None:
    (nowhere / name).write_text(text)
    with pytest.raises(ServeError) as refused:
        load({}, Path(name))
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--settings", "nothing.toml"]) == 2
    assert "settings is nothing.toml; legal: a file that can be read" in capsys.readouterr().err


def test_slips_in_variables_are_named_and_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBGYM_TEST_POSTGRES", "x")
    monkeypatch.setenv("LOBGYM_FUZZ_SECONDS", "3")
    load({})
    monkeypatch.setenv("LOBGYM_PROT", "3")
    with pytest.raises(ServeError, match="unknown variable") as refused:
        load({})
    assert "did you mean LOBGYM_PORT?" in str(refused.value)


def test_the_command_prints_what_is_in_force_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOBGYM_TOKEN", "a-token-that-is-long")
    assert main(["settings", "--host", "0.0.0.0", "--json"]) == 0
    text = capsys.readouterr().out
    rows = {row["setting"]: row for row in json.loads(text)}
    assert set(rows) == set(Settings.model_fields)
    assert (rows["host"]["value"], rows["host"]["from"]) == ("0.0.0.0", "command line")
    assert (rows["token"]["value"], rows["token"]["from"]) == ("********", "environment LOBGYM_TOKEN")
    assert "a-token" not in text
    assert main(["settings"]) == 0
    text = capsys.readouterr().out
    assert "a-token" not in text and len(text.splitlines()) == len(Settings.model_fields)


def test_wrong_options_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "many"]) == 2
    assert "port is many; legal: a valid integer" in capsys.readouterr().err
    assert main(["--jobs-on-exit", "kill"]) == 2
    assert "jobs_on_exit is kill; legal: 'leave' or 'stop'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["--nothing"])


def test_the_page_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        default = rows.pop(name).strip().strip("`").replace(",", "")
        value = "none" if field.default in (None, ()) else field.default
        assert default == str(value).removesuffix(".0").replace("True", "true"), name
