"""Processor time of a driver with all that it started: what a busy machine hardly changes, other than a rate."""

import psutil


def of_family_s() -> float:
    """Seconds in user and in system mode, of this process and of its descendants that run now."""
    own = psutil.Process()
    total_s = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system
    return total_s
