"""etcd as the log: one put a record, or transactions of a thousand puts. It syncs its log before it acknowledges."""

import asyncio
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import grpc
from grpc_tools import protoc

from .logging_rates import measure, record
from .rates import BATCH, Rate
from .servers import accepts, first_line_of, folder_in, free_port, running

NAME = "etcd"

_IN_FLIGHT = 256
_TRANSACTIONS_IN_FLIGHT = 4


def versions() -> dict[str, str]:
    """What runs here."""
    return {"etcd": first_line_of(["etcd", "--version"]).split()[-1], "grpcio": grpc.__version__}


class WrongCount(Exception):
    """The log holds another number of records than it acknowledged."""


def _messages(folder: Path) -> tuple[ModuleType, ModuleType]:
    """The classes of `etcd.proto`."""
    here = Path(__file__).parent
    arguments = ["protoc", f"-I{here}", f"--python_out={folder}", f"--grpc_python_out={folder}", "etcd.proto"]
    if protoc.main(arguments):
        raise RuntimeError("etcd.proto does not compile")
    sys.path.insert(0, str(folder))
    return importlib.import_module("etcd_pb2"), importlib.import_module("etcd_pb2_grpc")


@contextmanager
def _server(folder: Path) -> Iterator[int]:
    port = free_port()
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    command = [
        *("etcd", "--name", "one", "--data-dir", "data", "--max-txn-ops", str(BATCH)),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"),
        *("--quota-backend-bytes", str(8 << 30), "--log-level", "error"),
    ]
    with running(command, folder, lambda: accepts(port)):
        yield port


async def _measure(port: int, folder: Path, seconds: float, warm_up: float) -> list[Rate]:
    messages, services = _messages(folder)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        log = services.KVStub(channel)
        acknowledged = 0

        def put(number: int) -> object:
            return messages.PutRequest(key=b"%020d" % number, value=record())

        async def single(_number: int) -> None:
            nonlocal acknowledged
            number, acknowledged = acknowledged, acknowledged + 1
            await log.Put(put(number))

        async def batch(_number: int) -> None:
            nonlocal acknowledged
            first, acknowledged = acknowledged, acknowledged + BATCH
            puts = [messages.RequestOp(request_put=put(number)) for number in range(first, first + BATCH)]
            answer = await log.Txn(messages.TxnRequest(success=puts))
            if not answer.succeeded:
                raise WrongCount("a transaction failed")

        rates = []
        for name, append, in_flight, each in [
            ("single", single, _IN_FLIGHT, 1),
            ("batch", batch, _TRANSACTIONS_IN_FLIGHT, BATCH),
        ]:
            await measure(name, append, in_flight, each, warm_up)
            rates.append(await measure(name, append, in_flight, each, seconds))
        held = await log.Range(messages.RangeRequest(key=b"0", range_end=b"\0", count_only=True))
        if held.count != acknowledged:
            raise WrongCount(f"{held.count} records of {acknowledged}")
        return rates


def rates(seconds: float, warm_up: float, scratch: Path) -> list[Rate]:
    """Records a second, by single puts and by transactions."""
    with folder_in(scratch) as folder, _server(folder) as port:
        return asyncio.run(_measure(port, folder, seconds, warm_up))
