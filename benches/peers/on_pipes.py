"""Plain Python processes: three children of `multiprocessing`, and a pair of pipes to each.

Frames are a length and a pickle. Whoever reads takes all that the pipe holds and answers it in one write, so that many
small tasks share a system call. The counting side never blocks on a full pipe: it would wait for a worker that waits
for it.
"""

import multiprocessing
import os
import pickle
import selectors
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from .ballots import WORKERS, Ballot, Signing, Task, Voter
from .rates import Windows

NAME = "Python processes, pipes"
WINDOWS = Windows(single=1000, batch=6)

_READ_BYTES = 1 << 20
_WAIT_S = 30
_LENGTH = struct.Struct("<I")


def versions() -> dict[str, str]:
    """Nothing but Python."""
    return {}


def _frame(message: object) -> bytes:
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class _Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def take(self, received: bytes) -> list:
        """All messages that are complete with these bytes."""
        self._bytes += received
        messages, start = [], 0
        while len(self._bytes) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes, start)
            end = start + _LENGTH.size + length
            if end > len(self._bytes):
                break
            messages.append(pickle.loads(memoryview(self._bytes)[start + _LENGTH.size : end]))
            start = end
        del self._bytes[:start]
        return messages


def _write_all(pipe: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _work(worker: int, tasks: int, ballots: int, not_ours: list[int]) -> None:
    """A worker's life, until its pipe is closed."""
    for pipe in not_ours:
        os.close(pipe)
    voter = Voter(worker)
    _write_all(ballots, _frame(voter.public_key()))
    frames = _Frames()
    while received := os.read(tasks, _READ_BYTES):
        cast = (voter.cast(*message) for message in frames.take(received))
        _write_all(ballots, b"".join(_frame(ballot) for ballot in cast))


class _Line:
    """The counting side's ends of the pipes to one worker."""

    def __init__(self, tasks: int, ballots: int) -> None:
        self.tasks = tasks
        self.ballots = ballots
        self.frames = _Frames()
        self.unsent = bytearray()
        os.set_blocking(tasks, False)


class _Processes:
    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._ready = selectors.DefaultSelector()
        for line in lines:
            self._ready.register(line.ballots, selectors.EVENT_READ, line)
        self._keys = [line.frames.take(os.read(line.ballots, _READ_BYTES))[0] for line in lines]

    def public_keys(self) -> list[bytes]:
        return self._keys

    def send(self, tasks: list[Task], signing: Signing) -> None:
        frames = b"".join(_frame((task.number, task.texts, signing.value)) for task in tasks)
        for line in self._lines:
            if not line.unsent:
                self._ready.register(line.tasks, selectors.EVENT_WRITE, line)
            line.unsent += frames

    def ballots(self) -> list[Ballot]:
        arrived: list[Ballot] = []
        while not arrived:
            events = self._ready.select(_WAIT_S)
            if not events:
                raise TimeoutError(f"no worker answered within {_WAIT_S} s")
            for key, _ in events:
                line: _Line = key.data
                if key.fd == line.tasks:
                    self._write(line)
                else:
                    arrived += self._read(line)
        return arrived

    def _write(self, line: _Line) -> None:
        del line.unsent[: os.write(line.tasks, line.unsent)]
        if not line.unsent:
            self._ready.unregister(line.tasks)

    @staticmethod
    def _read(line: _Line) -> list[Ballot]:
        received = os.read(line.ballots, _READ_BYTES)
        if not received:
            raise EOFError("a worker ended early")
        return line.frames.take(received)

    def close(self) -> None:
        self._ready.close()


@contextmanager
def cluster() -> Iterator[_Processes]:
    """Three workers, ended with the context."""
    fork = multiprocessing.get_context("fork")
    lines: list[_Line] = []
    children = []
    for worker in range(WORKERS):
        (tasks, tasks_in), (ballots_out, ballots) = os.pipe(), os.pipe()
        not_ours = [pipe for line in lines for pipe in (line.tasks, line.ballots)] + [tasks_in, ballots_out]
        child = fork.Process(target=_work, args=(worker, tasks, ballots, not_ours), daemon=True)
        child.start()
        children.append(child)
        os.close(tasks)
        os.close(ballots)
        lines.append(_Line(tasks_in, ballots_out))
    try:
        processes = _Processes(lines)
        yield processes
        processes.close()
    finally:
        for line in lines:
            os.close(line.tasks)
            os.close(line.ballots)
        for child in children:
            child.join(timeout=5)
            if child.is_alive():
                child.kill()
