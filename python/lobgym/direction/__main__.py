"""The command: ``python -m lobgym.direction``."""

import sys

from lobgym.direction.command import main

if __name__ == "__main__":
    sys.exit(main())
