"""Runs every contender in turn, some rounds long, and writes medians: a table and a plot for the pages, JSON beside.

In turn, not one after the other to its end: what changes on the machine meanwhile changes all of them.
"""

import argparse
import ctypes
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from . import contender, machine, plot, table

_LIMIT_S = 600
_STOP_S = 15
_PR_SET_CHILD_SUBREAPER = 36


def _adopt_orphans() -> None:
    """Lets the servers of a driver that was killed become children of this process (Linux; prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_all(driver: subprocess.Popen) -> None:
    """Ends a driver, and then whatever it left."""
    driver.terminate()
    try:
        driver.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        driver.kill()
        driver.wait()
    # This process has no children but the driver; psutil compares times of birth, so no number is mistaken.
    left = psutil.Process().children(recursive=True)
    for orphan in left:
        with suppress(psutil.NoSuchProcess):
            orphan.kill()
    psutil.wait_procs(left, timeout=_STOP_S)


def _run(name: str, arguments: argparse.Namespace, scratch: Path) -> dict | None:
    """One contender's answer; `None` if it failed, which is told."""
    command = [
        *(sys.executable, "-m", f"{__package__}.contender", name, "--scratch", str(scratch)),
        *("--seconds", str(arguments.seconds), "--warm-up", str(arguments.warm_up)),
        *("--coordinator", str(arguments.coordinator)),
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        answer, remarks = child.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        _tell(f"  {name} took more than {_LIMIT_S} s and was ended")
        return None
    finally:
        _end_all(child)
    if child.returncode:
        _tell(f"  {name} failed: {remarks.strip()[-1500:]}")
        return None
    return json.loads(answer.strip().splitlines()[-1])


def _tell(remark: str) -> None:
    print(remark, file=sys.stderr, flush=True)


def _rounds(arguments: argparse.Namespace, scratch: Path) -> list[dict]:
    """All answers, each with its round."""
    answers = []
    for number in range(1, arguments.rounds + 1):
        for name in arguments.only or contender.ALL:
            _tell(f"round {number} of {arguments.rounds}: {name}")
            # Servers have limits of their own on how long they start; a busy machine may miss one.
            answer = _run(name, arguments, scratch) or _run(name, arguments, scratch)
            if answer is not None:
                answers.append({"round": number, "contender": name} | answer)
                for rate in answer["rates"]:
                    _tell(f"  {rate['case']}: {rate['verdicts_per_s']:,.0f}/s")
    return answers


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts")
    parser.add_argument("--warm-up", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--only", action="append", choices=contender.ALL, help="only this one; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one short round; the pages stay as they are")
    parser.add_argument("--coordinator", type=Path, default=Path("target/release/coordinator"))
    parser.add_argument("--output", type=Path, default=Path("target/bench-peers"), help="where raw figures go")
    parser.add_argument("--pages", type=Path, default=Path("docs"), help="where the table and the plot go")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.warm_up = 1, 1.0, 0.3
    return arguments


def _measured(arguments: argparse.Namespace, scratch: Path) -> dict:
    started = datetime.now(UTC)
    results = {
        "started": started.isoformat(timespec="seconds"),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "machine": machine.describe(scratch),
        "answers": _rounds(arguments, scratch),
    }
    return results | {"took_s": round((datetime.now(UTC) - started).total_seconds())}


def main() -> int:
    """The command line."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _adopt_orphans()
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Ledgers and logs of the contenders: beside the build, since the system's folder for such may be in memory.
    with tempfile.TemporaryDirectory(dir=arguments.output, prefix="scratch-", ignore_cleanup_errors=True) as folder:
        results = _measured(arguments, Path(folder).resolve())
    raw = arguments.output / "results.json"
    raw.write_text(json.dumps(results, indent=1) + "\n")
    print(table.render(results))
    _tell(f"raw figures: {raw}; {results['took_s']} s")
    asked = arguments.only or contender.ALL
    if len(results["answers"]) < arguments.rounds * len(asked):
        _tell("not every contender gave figures in every round: the pages stay as they are")
        return 1
    if arguments.quick or arguments.only:
        _tell("a part or a short run: the pages stay as they are")
        return 0
    table.write(results, arguments.pages / "benchmarks.md")
    plot.draw(results, arguments.pages / "figures" / "peers.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
