"""What the figures hold for: processor, kernel, disk, and what the pieces of the work cost in Python by themselves."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .ballots import CHECK, evaluate

_SYNCS = 500
_SYNC_BYTES = 512
_CALLS = 2000
_TRIES = 5


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _is_virtual() -> bool:
    return " hypervisor" in Path("/proc/cpuinfo").read_text()


def _sync_ms(scratch: Path) -> dict[str, float]:
    """Percentiles of one short append with its fdatasync."""
    took_ms = []
    with tempfile.NamedTemporaryFile(dir=scratch) as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            os.write(file.fileno(), b"." * _SYNC_BYTES)
            os.fdatasync(file.fileno())
            took_ms.append((time.perf_counter() - started) * 1e3)
    hundredths = statistics.quantiles(took_ms, n=100)
    return {"p50": hundredths[49], "p99": hundredths[98]}


def _call_us(work: Callable[[], object]) -> float:
    """The best mean of some tries."""
    means = []
    for _ in range(_TRIES):
        started = time.perf_counter()
        for _ in range(_CALLS):
            work()
        means.append((time.perf_counter() - started) / _CALLS * 1e6)
    return min(means)


def pieces_us() -> dict[str, float]:
    """Microseconds of one evaluation of the check, one signature, one verification."""
    key = Ed25519PrivateKey.generate()
    public_key, signature = key.public_key(), key.sign(CHECK.encode())
    return {
        "evaluate": _call_us(lambda: evaluate(CHECK)),
        "sign": _call_us(lambda: key.sign(CHECK.encode())),
        "verify": _call_us(lambda: public_key.verify(signature, CHECK.encode())),
    }


def describe(scratch: Path) -> dict[str, object]:
    """This machine, now."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if platform.system() == "Linux" else ""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "virtual": _is_virtual(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_bytes / 2**30),
        "system": system,
        # What follows the numbers names a build, not a version.
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "fdatasync_ms": _sync_ms(scratch),
        "python_us": pieces_us(),
    }
