"""The command: ``python -m lobgym.serve [settings]``."""

import sys

from lobgym.serve.command import main

if __name__ == "__main__":
    sys.exit(main())
