"""Servers that live as long as a context: on the loopback, on ports and in folders that the system gives."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_START_S = 30
_STOP_S = 10
_PAUSE_S = 0.02


def free_port() -> int:
    """A port that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Whether somebody listens on this port of the loopback."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def first_line_of(command: list[str]) -> str:
    """What a program says of its version."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]


@contextmanager
def folder_in(scratch: Path) -> Iterator[Path]:
    """An empty folder on the disk to be measured."""
    with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


@contextmanager
def running(command: list[str], folder: Path, ready: Callable[[], bool]) -> Iterator[subprocess.Popen]:
    """A child that runs `command`, from when it is ready until the context ends."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"{command[0]} is not installed; run scripts/setup peers")
    log = folder / "log"
    with log.open("wb") as output:
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + _START_S
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-2000:]}")
            time.sleep(_PAUSE_S)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
