"""How many verdicts a second a cluster of workers reaches: a window of tasks in flight, kept full for some seconds.

The clock runs from the first task to the last decision, with the filling and the emptying of the window. Where there is
a ledger, a decision counts once it is durable. Every verdict is checked, and every ballot is waited for.
"""

import tempfile
import time
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from .ballots import CHECK, Ballot, Register, Signing, Task
from .ledger import Ledger
from .majority import Decision, MajorityCount
from .processor_time import of_family_s

BATCH = 1000
"""Checks in a task, where they are batched."""


class Cluster(Protocol):
    """Three workers, however they are reached."""

    def public_keys(self) -> list[bytes]:
        """Each worker's key."""
        ...

    def send(self, tasks: list[Task], signing: Signing) -> None:
        """Sends each task to all three workers, in one go where the peer has such a thing."""
        ...

    def ballots(self) -> list[Ballot]:
        """Waits for a ballot; gives all that are there."""
        ...


@dataclass(frozen=True, slots=True)
class Windows:
    """How many tasks are in flight at most, as suits a peer."""

    single: int
    batch: int


@dataclass(frozen=True, slots=True)
class Case:
    """One way of running the work."""

    name: str
    batch: int
    signing: Signing
    durable: bool


CASES = [
    Case("single, as it comes", 1, Signing.NONE, durable=False),
    Case("single, signed and durable", 1, Signing.CHECK, durable=True),
    Case("batch, as it comes", BATCH, Signing.NONE, durable=False),
    Case("batch, signed and durable", BATCH, Signing.TASK, durable=True),
    Case("batch, each check signed and durable", BATCH, Signing.CHECK, durable=True),
]


@dataclass(frozen=True, slots=True)
class Rate:
    """What came of one run."""

    case: str
    verdicts: int
    elapsed_s: float
    verdicts_per_s: float
    cpu_us_per_verdict: float | None
    """Processor time of all processes that take part, where it is known."""
    groups: int = 0
    """How often the ledger was made durable."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class WrongVerdict(Exception):
    """A check was decided, but not as arithmetic has it."""


class _Verdicts:
    """What was decided, in memory, and when the last decision came."""

    def __init__(self, batch: int) -> None:
        self._right = [True] * batch
        self._by_task: dict[int, list[bool]] = {}
        self.last_at = time.perf_counter()

    def __len__(self) -> int:
        return len(self._by_task)

    def keep(self, decisions: list[Decision]) -> None:
        """Keeps decisions, and sees that they are right."""
        for decision in decisions:
            if list(decision.values) != self._right or decision.number in self._by_task:
                raise WrongVerdict(f"task {decision.number}")
            self._by_task[decision.number] = decision.values
        if decisions:
            self.last_at = time.perf_counter()


def measure(cluster: Cluster, case: Case, windows: Windows, seconds: float, scratch: Path) -> Rate:
    """Runs `case` for so many seconds."""
    register = Register(cluster.public_keys(), case.signing)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        ledger: AbstractContextManager[Ledger | None] = nullcontext()
        if case.durable:
            ledger = closing(Ledger(Path(folder) / "ledger"))
        with ledger as open_ledger:
            return _measure(cluster, case, register, windows, seconds, open_ledger)


def _measure(
    cluster: Cluster,
    case: Case,
    register: Register,
    windows: Windows,
    seconds: float,
    ledger: Ledger | None,
) -> Rate:
    window = windows.single if case.batch == 1 else windows.batch
    count = MajorityCount(register)
    verdicts = _Verdicts(case.batch)
    sent = decided = 0
    cpu_before_s = of_family_s()
    started = time.perf_counter()
    while True:
        if len(count) <= window // 2 and time.perf_counter() < started + seconds:
            tasks = [_task(number, case.batch) for number in range(sent, sent + window - len(count))]
            for task in tasks:
                count.open(task)
            cluster.send(tasks, case.signing)
            sent += len(tasks)
        if not len(count):
            break
        decisions = [made for ballot in cluster.ballots() if (made := count.count(ballot))]
        decided += len(decisions)
        if ledger is not None:
            if decisions:
                ledger.append(decisions)
            decisions = ledger.durable(wait=decided - len(verdicts) > 2 * window)
        verdicts.keep(decisions)
    while ledger is not None and len(verdicts) < sent:
        verdicts.keep(ledger.durable(wait=True))
    if len(verdicts) != sent or count.late != sent or count.dissents:
        raise WrongVerdict(f"{len(verdicts)} of {sent} tasks, {count.late} late, {count.dissents} dissents")
    elapsed_s = verdicts.last_at - started
    done = sent * case.batch
    cpu_us = (of_family_s() - cpu_before_s) / done * 1e6
    return Rate(case.name, done, elapsed_s, done / elapsed_s, cpu_us, ledger.groups if ledger else 0)


def _task(number: int, batch: int) -> Task:
    """Texts that are objects of their own, as if read from a file: none is sent by reference to another."""
    return Task(number, "\n".join([CHECK] * batch).split("\n"))
