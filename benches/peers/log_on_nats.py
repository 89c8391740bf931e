"""NATS JetStream as the log: a stream in files, one message a record, each acknowledged.

By itself it acknowledges once a message is with the operating system, and syncs every two minutes; newer servers can be
told to sync first (`sync_interval: always`). Where the server knows that, both are measured.
"""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import nats
from nats.js.api import StorageType, StreamConfig

from .logging_rates import measure, record
from .rates import Rate
from .servers import accepts, first_line_of, folder_in, free_port, running

NAME = "NATS JetStream"

_IN_FLIGHT = 256


def versions() -> dict[str, str]:
    """What runs here."""
    server = first_line_of(["nats-server", "--version"]).rpartition("v")[2]
    return {"nats-server": server, "nats-py": version("nats-py")}


class WrongCount(Exception):
    """The stream holds another number of records than it acknowledged."""


def _settings(folder: Path, port: int, sync_always: bool) -> Path:
    settings = folder / "settings"
    sync = ", sync_interval: always" if sync_always else ""
    settings.write_text(f'host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: "{folder}"{sync} }}\n')
    return settings


def _can_sync_always(scratch: Path) -> bool:
    """Whether the server accepts the setting."""
    with folder_in(scratch) as folder:
        test = ["nats-server", "--config", str(_settings(folder, free_port(), sync_always=True)), "-t"]
        return subprocess.run(test, capture_output=True).returncode == 0


@contextmanager
def _server(folder: Path, sync_always: bool) -> Iterator[int]:
    port = free_port()
    command = ["nats-server", "--config", str(_settings(folder, port, sync_always))]
    with running(command, folder, lambda: accepts(port)):
        yield port


async def _measure(case: str, port: int, seconds: float, warm_up: float) -> Rate:
    connection = await nats.connect(f"nats://127.0.0.1:{port}")
    try:
        stream = connection.jetstream()
        await stream.add_stream(StreamConfig(name="log", subjects=["log"], storage=StorageType.FILE))
        acknowledged = 0

        async def append(_number: int) -> None:
            nonlocal acknowledged
            await stream.publish("log", record())
            acknowledged += 1

        await measure(case, append, _IN_FLIGHT, 1, warm_up)
        rate = await measure(case, append, _IN_FLIGHT, 1, seconds)
        held = (await stream.stream_info("log")).state.messages
        if held != acknowledged:
            raise WrongCount(f"{held} records of {acknowledged}")
        return rate
    finally:
        await connection.close()


def rates(seconds: float, warm_up: float, scratch: Path) -> list[Rate]:
    """Records a second, as it comes and, where the server can, synced before each is acknowledged."""
    measured = []
    cases = [("single, not synced", False)] + [("single", True)] * _can_sync_always(scratch)
    for case, sync_always in cases:
        with folder_in(scratch) as folder, _server(folder, sync_always) as port:
            measured.append(asyncio.run(_measure(case, port, seconds, warm_up)))
    return measured
