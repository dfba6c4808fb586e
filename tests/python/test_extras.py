"""What is not installed is named, with the way to it."""

from __future__ import annotations

import subprocess
import sys


def last_line(code: str) -> str:
    """Of what goes wrong."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    return result.stderr.splitlines()[-1]


def test_policies_as_modules_say_that_they_need_torch() -> None:
    message = last_line("import sys; sys.modules['torch'] = None; import lobgym.torch_policy")
    assert "ImportError: lobgym.torch_policy needs PyTorch" in message and "pip install 'lobgym[agents]'" in message


def test_searches_say_that_they_need_optuna() -> None:
    message = last_line("import sys; sys.modules['optuna'] = None; from lobgym.tuning import tune; tune({})")
    assert "ImportError: lobgym.tune needs Optuna 4 or later: pip install 'lobgym[tune]'" in message


def test_the_server_says_what_it_needs() -> None:
    code = (
        "import sys; sys.modules['{}'] = None; from lobgym.serve.command import main; sys.exit(main(['--port', '0']))"
    )
    for module in ("fastapi", "pydantic_settings", "uvicorn"):
        message = last_line(code.format(module))
        assert message == f"lobgym: this needs {module}: pip install 'lobgym[serve]'"
