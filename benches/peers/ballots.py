"""What a worker does with a task, and how the one who counts knows that a worker said it.

A task is a number and the texts of its checks. A ballot is the worker, the task, a value for each check, and the
signatures: none, one over the whole task, or one for each check. Everything is plain tuples, lists, numbers and bytes,
so that each peer carries it in its own encoding.
"""

import hashlib
import re
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

CHECK = "2 * 2 * 2 * 2 == 16"
WORKERS = 3
CHECK_CHARACTERS_MAX = 200

_VETTED = re.compile(r"[0-9 ()+\-*/%<>=!]+")
_NO_NAMES: dict[str, object] = {"__builtins__": {}}

Ballot = tuple[int, int, list[bool], list[bytes]]
"""Worker, number of the task, values in the order of the checks, signatures."""


class Signing(StrEnum):
    """What of a ballot is signed (Ed25519)."""

    NONE = "none"
    TASK = "task"
    CHECK = "check"


class Task(NamedTuple):
    """Checks that travel together."""

    number: int
    texts: list[str]


class BadBallot(Exception):
    """A ballot that no honest worker casts."""


def evaluate(text: str) -> bool:
    """The value of a check, by Python's own `eval`, compiled anew each time.

    Only numbers, operators and brackets pass, and no power: nothing that could name, call or blow up anything.
    """
    if len(text) > CHECK_CHARACTERS_MAX or not _VETTED.fullmatch(text) or "**" in text:
        raise ValueError(f"the check {text[:40]!r} is not plain arithmetic")
    return bool(eval(text, _NO_NAMES))


def _of_check(number: int, index: int, text: str, value: bool) -> bytes:
    return f"check\n{number}\n{index}\n{text}\n{value:d}".encode()


def _of_task(number: int, texts: list[str], values: list[bool]) -> bytes:
    checks = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return f"task\n{number}\n{checks}\n".encode() + bytes(values)


class Voter:
    """A worker's side: its key, and the ballots that it casts."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self._key = Ed25519PrivateKey.generate()

    def public_key(self) -> bytes:
        """The key by which its ballots are known, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def cast(self, number: int, texts: list[str], signing: str) -> Ballot:
        """Evaluates the checks of a task and signs as told."""
        values = [evaluate(text) for text in texts]
        signatures: list[bytes] = []
        if signing == Signing.TASK:
            signatures = [self._key.sign(_of_task(number, texts, values))]
        elif signing == Signing.CHECK:
            signatures = [
                self._key.sign(_of_check(number, index, text, value))
                for index, (text, value) in enumerate(zip(texts, values, strict=True))
            ]
        return self.worker, number, values, signatures


class Register:
    """The counting side: the workers' keys."""

    def __init__(self, public_keys: list[bytes], signing: Signing) -> None:
        self._keys = [Ed25519PublicKey.from_public_bytes(key) for key in public_keys]
        self._signing = signing

    def check(self, task: Task, ballot: Ballot) -> None:
        """Raises `BadBallot` unless the worker signed these values for this task."""
        worker, number, values, signatures = ballot
        if not 0 <= worker < len(self._keys) or len(values) != len(task.texts):
            raise BadBallot(f"ballot of worker {worker} for task {number}")
        if self._signing is Signing.NONE:
            return
        if self._signing is Signing.TASK:
            messages = [_of_task(number, task.texts, values)]
        else:
            checks = enumerate(zip(task.texts, values, strict=True))
            messages = [_of_check(number, index, text, value) for index, (text, value) in checks]
        if len(signatures) != len(messages):
            raise BadBallot(f"{len(signatures)} signatures of worker {worker} for task {number}")
        key = self._keys[worker]
        try:
            for signature, message in zip(signatures, messages, strict=True):
                key.verify(signature, message)
        except InvalidSignature as error:
            raise BadBallot(f"worker {worker} did not sign its ballot for task {number}") from error
