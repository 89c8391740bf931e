"""Quorate, measured by itself: `coordinator bench agreement` on an embedded cluster of three workers, over QUIC.

It always signs. With a ledger on disk a verdict is there once it is durable; without, the ledger is in memory.
"""

import json
import os
import subprocess
from pathlib import Path

from .rates import Rate
from .servers import first_line_of

NAME = "Quorate"

_LIMIT_S = 300
_COMMAND = ["bench", "agreement", "--json", "--rounds", "1", "--items", "40000"]
"""It warms up by itself; 40,000 single checks, and twenty times as many in batches, take it some seconds."""
_CASES = {"signed": [], "signed and durable": ["--durable"]}
"""What is added to the command for each case; one run gives the single rate, the batched one, and the latency."""


def versions(coordinator: Path) -> dict[str, str]:
    """What runs here."""
    return {"quorate": first_line_of([str(coordinator), "--version"]).split(maxsplit=1)[1]}


def rates(coordinator: Path, scratch: Path) -> tuple[list[Rate], list[dict]]:
    """The rates, and what the program printed."""
    measured: list[Rate] = []
    printed: list[dict] = []
    for case, options in _CASES.items():
        ended = subprocess.run(
            [str(coordinator), *_COMMAND, *options],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            # Its ledger lies on the same disk as those of the others.
            env=os.environ | {"TMPDIR": str(scratch.resolve())},
        )
        if ended.returncode:
            raise RuntimeError(f"coordinator {' '.join(_COMMAND + options)}: {ended.stderr[-2000:]}")
        figures = json.loads(ended.stdout.strip().splitlines()[-1])
        printed.append({"case": case} | figures)
        for key, mode in [("single", "single"), ("batched", "batch")]:
            rate = figures[key]
            cpu_us = rate.get("cpu_us_per_check")
            measured.append(Rate(f"{mode}, {case}", rate["checks"], rate["elapsed_s"], rate["checks_per_s"], cpu_us))
    return measured, printed
