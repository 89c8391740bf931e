"""From the answers of all rounds to one figure a contender and case."""

from statistics import median

RATE = "verdicts_per_s"
PROCESSOR_TIME = "cpu_us_per_verdict"

Medians = dict[str, dict[str, float]]
"""By the contender's short name, then by case: medians of the rounds."""


def _runs(results: dict, figure: str) -> dict[str, dict[str, list[float]]]:
    runs: dict[str, dict[str, list[float]]] = {}
    for answer in results["answers"]:
        cases = runs.setdefault(answer["contender"], {})
        for rate in answer["rates"]:
            if rate[figure] is not None:
                cases.setdefault(rate["case"], []).append(rate[figure])
    return runs


def medians(results: dict, figure: str = RATE) -> Medians:
    """The median of each."""
    return {
        name: {case: median(found) for case, found in cases.items()} for name, cases in _runs(results, figure).items()
    }


def spread(results: dict) -> float:
    """The farthest that a run lies from its median, as a part of the median."""
    distances = [
        abs(rate / median(rates) - 1)
        for cases in _runs(results, RATE).values()
        for rates in cases.values()
        for rate in rates
    ]
    return max(distances, default=0.0)


def names(results: dict) -> dict[str, str]:
    """How each contender is called."""
    return {answer["contender"]: answer["name"] for answer in results["answers"]}


def versions(results: dict) -> dict[str, str]:
    """All that ran, with its version."""
    return {program: version for answer in results["answers"] for program, version in answer["versions"].items()}


def latency_ms(results: dict, case: str) -> dict[str, float]:
    """Percentiles of one check on Quorate's idle cluster, medians of the rounds; empty where it was not measured."""
    printed = [
        figures["latency"]
        for answer in results["answers"]
        for figures in answer.get("printed", [])
        if figures["case"] == case and figures.get("latency")
    ]
    if not printed:
        return {}
    return {name: median(latency[f"{name}_ms"] for latency in printed) for name in ("p50", "p99")}
