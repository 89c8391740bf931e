"""Counting: a task is decided as soon as two of its three ballots agree; the third is counted when it comes."""

from dataclasses import dataclass, field

from .ballots import WORKERS, BadBallot, Ballot, Register, Task

QUORUM = WORKERS // 2 + 1


class NoMajority(Exception):
    """Every worker voted and no two agree."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What two workers agreed on, with the ballots that prove it."""

    number: int
    values: list[bool]
    ballots: list[Ballot]


@dataclass(slots=True)
class _Open:
    task: Task
    ballots: list[Ballot] = field(default_factory=list)
    decided: list[bool] | None = None


class MajorityCount:
    """The tasks that still miss ballots, and how many ballots came late or dissented."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._open: dict[int, _Open] = {}
        self.late = 0
        self.dissents = 0

    def __len__(self) -> int:
        """How many tasks miss a ballot."""
        return len(self._open)

    def open(self, task: Task) -> None:
        """Awaits the ballots for a task."""
        self._open[task.number] = _Open(task)

    def count(self, ballot: Ballot) -> Decision | None:
        """Checks and counts a ballot; gives the decision if this one makes it."""
        worker, number, values, _ = ballot
        opened = self._open.get(number)
        if opened is None or any(worker == earlier[0] for earlier in opened.ballots):
            raise BadBallot(f"worker {worker} was not asked, or voted twice, for task {number}")
        self._register.check(opened.task, ballot)
        opened.ballots.append(ballot)
        complete = len(opened.ballots) == WORKERS
        if complete:
            del self._open[number]
        if opened.decided is not None:
            self.late += 1
            self.dissents += values != opened.decided
            return None
        agreeing = [earlier for earlier in opened.ballots if earlier[2] == values]
        if len(agreeing) >= QUORUM:
            opened.decided = values
            self.dissents += len(opened.ballots) - len(agreeing)
            return Decision(number, values, agreeing)
        if complete:
            raise NoMajority(f"no two workers agree on task {number}")
        return None
