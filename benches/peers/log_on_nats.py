"""NATS JetStream as the log: a stream in files, one message a record, each acknowledged.

By itself it acknowledges once a message is with the operating system, and syncs every two minutes; from 2.10 on,
`sync_interval: always` makes it sync first. Where the server knows that, both are measured.
"""

import asyncio
import re
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
_SYNCS_ALWAYS_FROM = (2, 10)


def versions() -> dict[str, str]:
    """What runs here."""
    return {"nats-server": _server_version(), "nats-py": version("nats-py")}


def _server_version() -> str:
    return first_line_of(["nats-server", "--version"]).rpartition("v")[2]


def _can_sync_always() -> bool:
    parts = re.findall(r"\d+", _server_version())
    return tuple(int(part) for part in parts[:2]) >= _SYNCS_ALWAYS_FROM


class WrongCount(Exception):
    """The stream holds another number of records than it acknowledged."""


@contextmanager
def _server(folder: Path, sync_always: bool) -> Iterator[int]:
    port = free_port()
    sync = ", sync_interval: always" if sync_always else ""
    settings = folder / "settings"
    settings.write_text(f'host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: "{folder}"{sync} }}\n')
    with running(["nats-server", "--config", str(settings)], folder, lambda: accepts(port)):
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
    cases = [("single, not synced", False)] + [("single", True)] * _can_sync_always()
    for case, sync_always in cases:
        with folder_in(scratch) as folder, _server(folder.resolve(), sync_always) as port:
            measured.append(asyncio.run(_measure(case, port, seconds, warm_up)))
    return measured
