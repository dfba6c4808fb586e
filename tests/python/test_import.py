"""What `import lobgym` costs and brings along."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, time
begin = time.process_time()
{imports}
print(time.process_time() - begin)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def run(imports: str) -> tuple[float, set[str]]:
    """Processor seconds, and the names of all top-level modules."""
    command = [sys.executable, "-c", PROGRAM.format(imports=imports)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    seconds, modules = done.stdout.splitlines()
    return float(seconds), set(modules.split())


def test_import_costs_little_beside_what_it_needs() -> None:
    # Processor time, the best of a few, beside NumPy and Gymnasium in the same minute: what else the machine does is not our concern.
    ours, theirs = (min(run(f"import {names}")[0] for _ in range(5)) for names in ("lobgym", "numpy, gymnasium"))
    assert ours < 2 * theirs


def test_import_needs_numpy_and_gymnasium_and_nothing_else() -> None:
    more = run("import lobgym")[1] - run("import numpy, gymnasium")[1]
    assert more - set(sys.stdlib_module_names) == {"lobgym"}
