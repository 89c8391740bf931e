"""Ray: three actors, each in a process of its own, called side by side; `ray.wait` tells which have answered."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from .ballots import WORKERS, Ballot, Signing, Task, Voter
from .rates import Windows

NAME = "Ray"
WINDOWS = Windows(single=300, batch=6)

_WAIT_S = 60
_STORE_BYTES = 256 << 20
_AT_ONCE = 300


def versions() -> dict[str, str]:
    """What runs here."""
    import ray

    return {"ray": ray.__version__}


class _Ray:
    def __init__(self, actors: list) -> None:
        import ray

        self._ray = ray
        self._actors = actors
        self._pending: list = []
        self._keys = ray.get([actor.public_key.remote() for actor in actors], timeout=_WAIT_S)

    def public_keys(self) -> list[bytes]:
        return self._keys

    def send(self, tasks: list[Task], signing: Signing) -> None:
        for number, texts in tasks:
            self._pending += [actor.cast.remote(number, texts, signing.value) for actor in self._actors]

    def ballots(self) -> list[Ballot]:
        # Answers come about in the order of the calls, so the oldest are asked for.
        ready, rest = self._ray.wait(self._pending[:_AT_ONCE], num_returns=1, timeout=_WAIT_S)
        if not ready:
            raise TimeoutError(f"no actor answered within {_WAIT_S} s")
        self._pending[:_AT_ONCE] = rest
        return self._ray.get(ready)


@contextmanager
def cluster() -> Iterator[_Ray]:
    """Three workers, ended with the context."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Otherwise it writes one into the user's home.
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    import ray

    # Its sockets' paths must be short, so it gets a folder where the system keeps such.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        try:
            actor = ray.remote(num_cpus=1)(Voter)
            yield _Ray([actor.remote(worker) for worker in range(WORKERS)])
        finally:
            ray.shutdown()
