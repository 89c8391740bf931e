"""Celery with Redis as broker and as result backend: three workers, each with a queue of its own.

A worker runs its tasks in its main process (the pool `solo`), which is the fastest for such short ones. Tasks are
published through one connection; results come back by the publications of Redis that Celery subscribes to.
"""

import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from celery import Celery
from celery.result import AsyncResult

from .ballots import WORKERS, Ballot, Signing, Task, Voter
from .rates import Windows
from .servers import accepts, first_line_of, free_port, running

NAME = "Celery, Redis"
WINDOWS = Windows(single=100, batch=6)

_WAIT_S = 60
_URL = "PEERS_REDIS_URL"

app = Celery("peers", broker=os.environ.get(_URL), backend=os.environ.get(_URL))
app.conf.update(
    task_serializer="msgpack",
    result_serializer="msgpack",
    accept_content=["msgpack"],
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    task_track_started=False,
    result_expires=600,
)


def versions() -> dict[str, str]:
    """What runs here."""
    import celery
    import redis

    server = first_line_of(["redis-server", "--version"]).split("v=")[1].split()[0]
    return {"celery": celery.__version__, "redis-server": server, "redis-py": redis.__version__}


def _queue(worker: int) -> str:
    return f"worker-{worker}"


@cache
def _voter(worker: int) -> Voter:
    """This worker process's key."""
    return Voter(worker)


@app.task(name="public_key")
def public_key(worker: int) -> bytes:
    """The key of the worker whose queue this was sent to."""
    return _voter(worker).public_key()


@app.task(name="cast")
def cast(worker: int, number: int, texts: list[str], signing: str) -> Ballot:
    """The ballot of the worker whose queue this was sent to."""
    return _voter(worker).cast(number, texts, signing)


class _Celery:
    def __init__(self) -> None:
        self._arrived: deque[Ballot] = deque()
        asked = [public_key.apply_async((worker,), queue=_queue(worker)) for worker in range(WORKERS)]
        self._keys = [result.get(timeout=_WAIT_S) for result in asked]

    def public_keys(self) -> list[bytes]:
        return self._keys

    def send(self, tasks: list[Task], signing: Signing) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for number, texts in tasks:
                for worker in range(WORKERS):
                    result = cast.apply_async(
                        (worker, number, texts, signing.value), queue=_queue(worker), producer=producer
                    )
                    result.then(self._on_result)

    def _on_result(self, result: AsyncResult) -> None:
        self._arrived.append(tuple(result.result))

    def ballots(self) -> list[Ballot]:
        consumer = app.backend.result_consumer
        while not self._arrived:
            consumer.drain_events(timeout=_WAIT_S)
        arrived = list(self._arrived)
        self._arrived.clear()
        return arrived


@contextmanager
def cluster() -> Iterator[_Celery]:
    """Three workers and a Redis without persistence, as it is used for passing messages; ended with the context."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celery-")))
        port = free_port()
        redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        stack.enter_context(running(redis, folder, lambda: accepts(port)))
        url = f"redis://127.0.0.1:{port}/0"
        os.environ[_URL] = url
        # The workers import this package, too, wherever they run.
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        app.conf.update(broker_url=url, result_backend=url)
        for worker in range(WORKERS):
            own = folder / str(worker)
            own.mkdir()
            # The first answer tells that it has started.
            stack.enter_context(running(_worker_command(worker), own, lambda: True))
        yield _Celery()


def _worker_command(worker: int) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--app", __name__, "worker", "--queues", _queue(worker)),
        *("--hostname", f"{_queue(worker)}@localhost", "--pool", "solo", "--loglevel", "ERROR"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
