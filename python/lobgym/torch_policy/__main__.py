"""``python -m lobgym.torch_policy export-onnx RUN FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lobgym.torch_policy import export_onnx


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code: 0, 1 for what cannot be read or written, 2 for what is no policy or is not installed."""
    parser = argparse.ArgumentParser(prog="python -m lobgym.torch_policy", description="Policies for other runtimes.")
    commands = parser.add_subparsers(required=True)
    export = commands.add_parser("export-onnx", help="write a policy as an ONNX file")
    export.add_argument("policy", metavar="RUN|POLICY", help="a run's directory or a policy file")
    export.add_argument("out", metavar="FILE", help="the ONNX file")
    options = parser.parse_args(arguments)
    try:
        export_onnx(options.policy, options.out)
    except (ImportError, ValueError) as error:
        print(f"lobgym: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"lobgym: {error}", file=sys.stderr)
        return 1
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
