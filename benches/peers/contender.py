"""One contender in a process of its own: starts it, warms it up, measures its cases, prints them as JSON."""

import argparse
import importlib
import json
import signal
import sys
from pathlib import Path
from types import FrameType, ModuleType

from .rates import CASES, Rate, Windows, measure

CLUSTERS = {"pipes": "on_pipes", "ray": "on_ray", "dask": "on_dask", "celery": "on_celery"}
LOGS = {"etcd": "log_on_etcd", "nats": "log_on_nats"}
QUORATE = "quorate"
ALL = [QUORATE, *CLUSTERS, *LOGS]


def _end(number: int, _frame: FrameType | None) -> None:
    """Ends by an exception, so that every context closes and no server outlives its driver."""
    sys.exit(128 + number)


def _cluster_rates(peer: ModuleType, arguments: argparse.Namespace) -> list[Rate]:
    windows: Windows = peer.WINDOWS
    rates = []
    with peer.cluster() as cluster:
        for case in CASES:
            if arguments.case is None or case.name.startswith(arguments.case):
                if arguments.warm_up > 0:
                    measure(cluster, case, windows, arguments.warm_up, arguments.scratch)
                rates.append(measure(cluster, case, windows, arguments.seconds, arguments.scratch))
    return rates


def _measured(arguments: argparse.Namespace) -> dict[str, object]:
    name: str = arguments.contender
    answer: dict[str, object]
    if name == QUORATE:
        from . import on_quorate

        rates, printed = on_quorate.rates(arguments.coordinator, arguments.scratch)
        answer = {"name": on_quorate.NAME, "versions": on_quorate.versions(arguments.coordinator), "printed": printed}
    else:
        peer = importlib.import_module(f".{(CLUSTERS | LOGS)[name]}", __package__)
        if name in CLUSTERS:
            rates = _cluster_rates(peer, arguments)
        else:
            rates = peer.rates(arguments.seconds, arguments.warm_up, arguments.scratch)
        answer = {"name": peer.NAME, "versions": peer.versions()}
    return answer | {"rates": [rate.as_dict() for rate in rates]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=ALL)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts")
    parser.add_argument("--warm-up", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--case", help="only cases whose name begins so")
    parser.add_argument("--scratch", type=Path, required=True, help="a folder on the disk to be measured")
    parser.add_argument("--coordinator", type=Path, help="Quorate's program")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    print(json.dumps(_measured(arguments)))


if __name__ == "__main__":
    main()
