"""All that the routes share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lobgym.serve.collected import Collected
from lobgym.serve.jobs import Jobs
from lobgym.serve.ledger import Ledger
from lobgym.serve.places import Places
from lobgym.serve.settings import Settings
from lobgym.serve.views import Views
from lobgym.serve.works import works

__all__ = ["Service"]


@dataclass(frozen=True)
class Service:
    """A server without its HTTP."""

    settings: Settings
    places: Places
    ledger: Ledger
    jobs: Jobs
    views: Views
    collected: Collected
    #: Held from looking whether something may begin until it is in the ledger.
    starting: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, settings: Settings) -> Service:
        """Takes the state directory and what is in it.

        Raises:
            ServeError: If it cannot be used, or another server has it.

        """
        places = Places(settings.state)
        places.hold()
        ledger = Ledger(places.root / "jobs.sqlite")
        collected = Collected(places, ledger)
        jobs = Jobs(settings, places, ledger, works(settings, places, ledger))
        return cls(settings, places, ledger, jobs, Views(settings, places, collected), collected)

    def start(self) -> None:
        """Takes up the jobs."""
        self.jobs.start()

    def close(self) -> None:
        """Gives everything back."""
        self.jobs.close()
        self.ledger.close()
        self.places.release()
