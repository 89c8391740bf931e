"""The figures as Markdown, put between two marks of a page."""

import textwrap
from collections.abc import Callable
from pathlib import Path

from .contender import CLUSTERS, LOGS, QUORATE
from .medians import PROCESSOR_TIME, Medians, latency_ms, medians, names, spread, versions

BEGIN = "<!-- bench-peers: what stands between these marks is written by `make bench-peers` -->"
END = "<!-- bench-peers: end -->"

_QUORATE_BEST = {"single": "single, signed and durable", "batch": "batch, signed and durable"}
_COLUMNS = [
    ("single, as it comes", "single"),
    ("single, signed and durable", "single"),
    ("batch, as it comes", "batch"),
    ("batch, signed and durable", "batch"),
    ("batch, each check signed and durable", "batch"),
]
_LOG_COLUMNS = [("single", "single"), ("single, not synced", "single"), ("batch", "batch")]
_LINE_CHARACTERS = 120


def _cell(rate: float | None, quorate: float | None) -> str:
    if rate is None:
        return ""
    if quorate is None:
        return f"{rate:,.0f}"
    times = quorate / rate
    return f"{rate:,.0f} ({times:,.0f}x)" if times >= 10 else f"{rate:,.0f} ({times:.1f}x)"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(first: str) -> list[str]:
    return [_line([first, *(case for case, _ in _COLUMNS)]), "|---|" + "---:|" * len(_COLUMNS)]


def _own(quorate: dict[str, float]) -> list[float | None]:
    """Quorate's figures by the columns of the others: it never goes unsigned."""
    by_column = quorate | {f"{mode}, as it comes": quorate.get(f"{mode}, signed") for mode in _QUORATE_BEST}
    return [by_column.get(case) for case, _ in _COLUMNS]


def _own_cells(quorate: dict[str, float], write: Callable[[float | None], str]) -> list[str]:
    marks = [" *" if case.endswith("as it comes") else "" for case, _ in _COLUMNS]
    cells = [write(figure) for figure in _own(quorate)]
    return [cell and f"**{cell}**{mark}" for cell, mark in zip(cells, marks, strict=True)]


def _verdicts(found: Medians, called: dict[str, str]) -> list[str]:
    quorate = found.get(QUORATE, {})
    lines = _head("verdicts a second")
    if quorate:
        lines.append(_line([f"**{called[QUORATE]}**", *_own_cells(quorate, lambda rate: _cell(rate, None))]))
    for peer in CLUSTERS:
        if peer in found:
            cells = [_cell(found[peer].get(case), quorate.get(_QUORATE_BEST[mode])) for case, mode in _COLUMNS]
            lines.append(_line([called[peer], *cells]))
    return lines


def _microseconds(time_us: float | None) -> str:
    return "" if time_us is None else f"{time_us:,.0f}" if time_us >= 100 else f"{time_us:.1f}"


def _processor_time(found: Medians, called: dict[str, str]) -> list[str]:
    lines = _head("processor time a verdict, us")
    if QUORATE in found:
        lines.append(_line([f"**{called[QUORATE]}**", *_own_cells(found[QUORATE], _microseconds)]))
    for peer in CLUSTERS:
        if peer in found:
            lines.append(_line([called[peer], *(_microseconds(found[peer].get(case)) for case, _ in _COLUMNS)]))
    return lines


def _records(found: Medians, called: dict[str, str]) -> list[str]:
    lines = [
        _line(["records a second", "single, synced", "single, not synced", "batch, synced"]),
        "|---|---:|---:|---:|",
    ]
    quorate = found.get(QUORATE, {})
    for log in LOGS:
        if log in found:
            cells = [_cell(found[log].get(case), quorate.get(_QUORATE_BEST[mode])) for case, mode in _LOG_COLUMNS]
            lines.append(_line([called[log], *cells]))
    return lines


def _about(results: dict) -> str:
    machine = results["machine"]
    sync, python = machine["fdatasync_ms"], machine["python_us"]
    virtual = "a virtual machine with " if machine["virtual"] else ""
    programs = ", ".join(f"{program} {version}" for program, version in versions(results).items())
    where = (
        f"Measured on {results['started'][:10]}: {virtual}{machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']}; load average before: "
        f"{machine['load_before']:.1f}. One short append with its fdatasync took {sync['p50']:.2f} ms (p50), "
        f"{sync['p99']:.2f} ms (p99). By itself, Python took {python['evaluate']:.1f} us to evaluate the check, "
        f"{python['sign']:.0f} us to sign and {python['verify']:.0f} us to verify."
    )
    what = (
        f"{programs}; the Python packages on Python {machine['python']}. Medians of {results['rounds']} rounds, "
        f"each run {results['seconds']} s long (Quorate's as long as its checks take); no run lay farther than "
        f"{spread(results):.0%} from its median. All of it took {results['took_s'] / 60:.0f} minutes."
    )
    return f"{_wrapped(where)}\n\n{_wrapped(what)}"


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, width=_LINE_CHARACTERS, break_on_hyphens=False)


def render(results: dict) -> str:
    """The page's part."""
    found, called = medians(results), names(results)
    blocks = [_about(results)]
    if QUORATE in found:
        blocks.append("In brackets: how many times that is what Quorate decides, signed and durable.")
    blocks.append("\n".join(_verdicts(found, called)))
    if QUORATE in found:
        blocks.append("\\* Signed, as always; the ledger in memory.")
    if latency := latency_ms(results, "signed and durable"):
        blocks.append(
            f"One check on Quorate's idle cluster, signed and durable: p50 {latency['p50']:.2f} ms, "
            f"p99 {latency['p99']:.2f} ms."
        )
    blocks.append("\n".join(_processor_time(medians(results, PROCESSOR_TIME), called)))
    if any(log in found for log in LOGS):
        blocks.append("\n".join(_records(found, called)))
    return "\n\n".join(blocks)


def write(results: dict, page: Path) -> None:
    """Puts the figures between the marks."""
    text = page.read_text()
    before, begins, rest = text.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not begins or not ends:
        raise ValueError(f"{page} lacks the line {BEGIN!r} or, after it, {END!r}")
    figure = "![verdicts a second, on a logarithmic scale](figures/peers.svg)"
    page.write_text(f"{before}{BEGIN}\n\n{render(results)}\n\n{figure}\n\n{END}{after}")
