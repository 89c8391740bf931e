"""The figures as bars, on a logarithmic scale: an SVG that is the same for the same figures."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot  # noqa: E402  (the way of drawing is chosen before)
from matplotlib.axes import Axes  # noqa: E402

from .contender import CLUSTERS, QUORATE  # noqa: E402
from .medians import medians, names  # noqa: E402

_VARIANTS = {
    "as it comes": "#9db4c0",
    "signed": "#e0a458",
    "signed and durable": "#b5402a",
    "each check signed and durable": "#5c2018",
}
_BAR = 0.25


def _bars(axes: Axes, mode: str, found: dict, called: dict[str, str]) -> None:
    order = [name for name in [QUORATE, *CLUSTERS] if name in found]
    for row, name in enumerate(order):
        present = [variant for variant in _VARIANTS if f"{mode}, {variant}" in found[name]]
        for place, variant in enumerate(present):
            rate = found[name][f"{mode}, {variant}"]
            at = row + (place - (len(present) - 1) / 2) * _BAR
            axes.barh(at, rate, height=_BAR * 0.9, color=_VARIANTS[variant])
            axes.annotate(f"{rate:,.0f}", (rate, at), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(order)), [called[name] for name in order])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(10, axes.get_xlim()[1] * 3)
    axes.spines[["top", "right"]].set_visible(False)


def draw(results: dict, file: Path) -> None:
    """Writes the plot."""
    found, called = medians(results), names(results)
    # Text as text, and no date and no random names inside: a new file shows only new figures.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "peers", "font.family": "sans-serif"})
    figure, (single, batch) = pyplot.subplots(2, 1, figsize=(8, 8.5), layout="constrained")
    single.set_title("each check its own task", loc="left", fontsize=11)
    batch.set_title("1,000 checks a task", loc="left", fontsize=11)
    _bars(single, "single", found, called)
    _bars(batch, "batch", found, called)
    batch.set_xlabel("verdicts a second (logarithmic)")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=color) for color in _VARIANTS.values()]
    figure.legend(handles, list(_VARIANTS), loc="outside lower center", ncols=len(_VARIANTS), frameon=False, fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="svg", metadata={"Date": None})
    pyplot.close(figure)
