"""How many records a second a log takes and acknowledges, with so many requests in flight for some seconds.

A record is as long as a signed decision in the ledger of the peers. The log decides nothing, and checks no signature.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from .processor_time import of_family_s
from .rates import Rate

RECORD_BYTES = 270


def record() -> bytes:
    """A record that cannot be compressed to less than half."""
    return os.urandom(RECORD_BYTES // 2).hex().encode()


async def measure(
    case: str, append: Callable[[int], Awaitable[None]], in_flight: int, records_each: int, seconds: float
) -> Rate:
    """Appends until the time is over; `append` gets the number of a request and returns once it is acknowledged."""
    cpu_before_s = of_family_s()
    started = time.perf_counter()
    requests = 0
    last_at = started

    async def line() -> None:
        nonlocal requests, last_at
        while time.perf_counter() < started + seconds:
            number = requests
            requests += 1
            await append(number)
            last_at = time.perf_counter()

    await asyncio.gather(*(line() for _ in range(in_flight)))
    records = requests * records_each
    elapsed_s = last_at - started
    cpu_us = (of_family_s() - cpu_before_s) / records * 1e6
    return Rate(case, records, elapsed_s, records / elapsed_s, cpu_us)
