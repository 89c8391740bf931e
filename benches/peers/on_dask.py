"""Dask (distributed): a local cluster of three worker processes; each task is mapped to each of them by its address."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from .ballots import WORKERS, Ballot, Signing, Task, Voter
from .rates import Windows

NAME = "Dask"
WINDOWS = Windows(single=200, batch=6)

_WAIT_S = 60


def versions() -> dict[str, str]:
    """What runs here."""
    import distributed

    return {"distributed": distributed.__version__}


@cache
def _voter(worker: int) -> Voter:
    """This worker process's key."""
    return Voter(worker)


def _public_key(worker: int) -> bytes:
    return _voter(worker).public_key()


def _cast(number: int, texts: list[str], worker: int, signing: str) -> Ballot:
    return _voter(worker).cast(number, texts, signing)


class _Dask:
    def __init__(self, client, addresses: list[str]) -> None:
        from distributed import as_completed

        self._client = client
        self._addresses = addresses
        self._completed = as_completed(with_results=True)
        self._keys = [
            client.submit(_public_key, worker, workers=[address], pure=False).result(timeout=_WAIT_S)
            for worker, address in enumerate(addresses)
        ]

    def public_keys(self) -> list[bytes]:
        return self._keys

    def send(self, tasks: list[Task], signing: Signing) -> None:
        numbers, texts = [task.number for task in tasks], [task.texts for task in tasks]
        for worker, address in enumerate(self._addresses):
            # One message to the scheduler for all of them; it still places, runs and reports each by itself.
            futures = self._client.map(
                _cast,
                numbers,
                texts,
                worker=worker,
                signing=signing.value,
                workers=[address],
                pure=False,
            )
            self._completed.update(futures)

    def ballots(self) -> list[Ballot]:
        return [ballot for _, ballot in self._completed.next_batch(block=True)]


@contextmanager
def cluster() -> Iterator[_Dask]:
    """Three workers, ended with the context."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_port=0,
            dashboard_address="127.0.0.1:0",
        ) as local,
        Client(local) as client,
    ):
        client.wait_for_workers(WORKERS, timeout=_WAIT_S)
        yield _Dask(client, sorted(client.scheduler_info(n_workers=-1)["workers"]))
