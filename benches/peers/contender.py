"""One contender in a process of its own: starts it, warms it up, measures its cases, prints them as JSON."""

import argparse
import importlib
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from .rates import CASES, measure

CLUSTERS = {
    "pipes": "on_pipes",
    "celery": "on_celery",
    "dask": "on_dask",
    "ray": "on_ray",
}


def _end(number: int, _frame: FrameType | None) -> None:
    """Ends by an exception, so that every context closes and no server outlives its driver."""
    sys.exit(128 + number)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=CLUSTERS)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warm-up", type=float, default=1, metavar="SECONDS")
    parser.add_argument("--case", action="append", help="only cases whose name begins so")
    parser.add_argument("--scratch", type=Path, required=True, help="a folder on the disk to be measured")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    module = importlib.import_module(f".{CLUSTERS[arguments.contender]}", __package__)
    rates = []
    with module.cluster() as cluster:
        for case in CASES:
            if arguments.case and not any(case.name.startswith(name) for name in arguments.case):
                continue
            if arguments.warm_up > 0:
                measure(cluster, case, module.WINDOWS, arguments.warm_up, arguments.scratch)
            rates.append(measure(cluster, case, module.WINDOWS, arguments.seconds, arguments.scratch))
    print(json.dumps({"name": module.NAME, "versions": module.versions(), "rates": [rate.as_dict() for rate in rates]}))


if __name__ == "__main__":
    main()
