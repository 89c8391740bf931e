"""A durable ledger: a plain file, appended in groups, each made durable by one fdatasync.

While one group is on its way to the disk, the decisions that come meanwhile gather to the next, as in the group commits
of databases. This is the cheapest that keeps its promise; SQLite (WAL, synchronous=FULL) would pay for its index, too.
"""

import os
import queue
import threading
from pathlib import Path

from .majority import Decision

_END = None


def _line(decision: Decision) -> bytes:
    """One decision: its task, its values, and who signed what."""
    values = "".join("1" if value else "0" for value in decision.values)
    ballots = "\t".join(f"{worker}:{b''.join(signatures).hex()}" for worker, _, _, signatures in decision.ballots)
    return f"{decision.number}\t{values}\t{ballots}\n".encode()


class Ledger:
    """Appends decisions by a thread of its own, so that counting goes on while the disk works."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._waiting: queue.SimpleQueue[list[Decision] | None] = queue.SimpleQueue()
        self._durable: queue.SimpleQueue[list[Decision]] = queue.SimpleQueue()
        self._error: OSError | None = None
        self.groups = 0
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    def append(self, decisions: list[Decision]) -> None:
        """Hands decisions over; they are durable once `durable` gives them back."""
        self._waiting.put(decisions)

    def durable(self, wait: bool) -> list[Decision]:
        """The decisions that became durable since the last call; with `wait`, at least one group."""
        arrived: list[Decision] = []
        while True:
            try:
                arrived += self._durable.get(block=wait and not arrived, timeout=10)
            except queue.Empty:
                break
        if self._error is not None:
            raise self._error
        return arrived

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        self._waiting.put(_END)
        self._thread.join()
        os.close(self._file)

    def _write(self) -> None:
        ended = False
        while not ended:
            groups = [self._waiting.get()]
            while not self._waiting.empty():
                groups.append(self._waiting.get())
            ended = _END in groups
            decisions = [decision for group in groups if group is not _END for decision in group]
            if not decisions:
                continue
            try:
                text = memoryview(b"".join(_line(decision) for decision in decisions))
                while text:
                    text = text[os.write(self._file, text) :]
                os.fdatasync(self._file)
            except OSError as error:
                self._error = error
                return
            self.groups += 1
            self._durable.put(decisions)
