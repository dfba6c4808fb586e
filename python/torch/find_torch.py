"""Gives a virtual environment PyTorch: another environment's, where one has the right version, or a fresh one.

Run by the virtual environment's Python: python find_torch.py VERSION [INTERPRETER ...]
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

#: Prints the Python version and, if there is one, PyTorch's version and the directory it lies in. Does not import it.
PROBE = """
import importlib.metadata, importlib.util, pathlib, sys
print(*sys.version_info[:2])
spec = importlib.util.find_spec("torch")
if spec and spec.origin:
    print(importlib.metadata.version("torch"))
    print(pathlib.Path(spec.origin).parents[1])
"""


def probe(interpreter: str) -> tuple[str, str, str] | None:
    """Python version, PyTorch's version without the build, and its directory; ``None`` without PyTorch."""
    try:
        done = subprocess.run([interpreter, "-c", PROBE], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    lines = done.stdout.splitlines()
    return (lines[0], lines[1].partition("+")[0], lines[2]) if len(lines) == 3 else None


def main() -> None:
    """See above."""
    wanted, candidates = sys.argv[1], sys.argv[2:]
    own = probe(sys.executable)
    if own is not None and own[1] == wanted:
        print(f"torch {wanted}: {own[2]}")
        return
    here = " ".join(map(str, sys.version_info[:2]))
    for interpreter in candidates:
        found = probe(interpreter)
        if found is not None and found[:2] == (here, wanted):
            # What lies in this environment itself goes first.
            link = Path(sysconfig.get_path("purelib")) / "torch_of_another_environment.pth"
            link.write_text(found[2] + "\n", encoding="utf-8")
            print(f"torch {wanted}: {found[2]}, of {interpreter}")
            return
    print(f"torch {wanted}: installing it", flush=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"torch=={wanted}"], check=True)


if __name__ == "__main__":
    main()
