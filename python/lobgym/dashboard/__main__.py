"""The command: ``python -m lobgym.dashboard``."""

import sys

from lobgym.dashboard.command import main

if __name__ == "__main__":
    sys.exit(main())
