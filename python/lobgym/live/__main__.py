"""The command: ``python -m lobgym.live collect | replay-feed | store``."""

import sys

from lobgym.live.command import main

if __name__ == "__main__":
    sys.exit(main())
