"""The first screen: what was asked, how good the answer is, and whether to believe it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bionn.report.run_files import Run
from bionn.report.wording import (
    counted,
    interval,
    listed,
    number,
    score_name,
    short,
)

SHOWN = {
    "binary": ("auroc", "auprc", "mcc", "accuracy"),
    "multiclass": ("accuracy", "auroc", "mcc", "f1"),
    "regression": ("r2", "pearson", "spearman", "mae"),
}


def answer(run: Run) -> dict[str, Any]:
    """The headline, the main numbers, the verdict, and warnings."""
    test, spread = run.metrics.get("test") or {}, run.metrics.get("test_std") or {}
    intervals = run.metrics.get("intervals") or {}
    tiles = [
        {
            "name": score_name(name),
            "value": number(test.get(name)),
            "note": interval(intervals.get(name)) or (spread and f"± {number(spread.get(name))}"),
        }
        for name in SHOWN[run.task]
        if name in test
    ]
    verdict, tone = comparison(run)
    return {
        "eyebrow": {
            "binary": "Classification: two classes",
            "multiclass": f"Classification: {len(run.classes) or 'several'} classes",
            "regression": "Regression",
        }[run.task],
        "title": title(run),
        "lead": lead(run),
        "tiles": tiles,
        "tiles_note": "95 % bootstrap intervals of the test rows"
        if intervals
        else "mean and standard deviation over the folds" * bool(spread),
        "verdict": verdict,
        "tone": tone,
        "warnings": [w.get("message", "") for w in run.audit.get("warnings") or []][:20]
        + [_message(w) for w in run.metrics.get("health") or []][:20],
    }


def title(run: Run) -> str:
    """``Predicting promoter or background from promoters.fasta``."""
    if run.is_regression:
        what = listed([short(name, 40) for name in run.targets], 3)
    elif len(run.classes) == 2:
        what = " or ".join(short(name, 40) for name in reversed(run.classes))
    else:
        what = listed([short(name, 30) for name in run.classes], 4)
    sources = [Path(str(s)).name for s in run.config.get("inputs") or [] if s is not None]
    origin = f" from {short(listed(sources, 2), 60)}" if sources else ""
    return f"Predicting {what}{origin}" if what else "A run of bionn"


def lead(run: Run) -> str:
    """One sentence with the main score."""
    test, name = run.metrics.get("test") or {}, run.main_score
    what = "sequences" if run.letters else "rows"
    if run.folds:
        counts = run.metrics.get("n", {}).get("test", [])
        total = sum(counts) if isinstance(counts, list) else counts
        repeats = run.metrics.get("repeats", 1)
        return (
            f"{counted(len(run.folds), 'network')} trained, one a fold, each tested on rows that it "
            f"had not seen ({total // repeats:,} in all): the mean {score_name(name)} is "
            f"{number(test.get(name))}."
        )
    count = run.metrics.get("n", {}).get("test", 0)
    ends = interval((run.metrics.get("intervals") or {}).get(name))
    return (
        f"On {count:,} test {what} that it had not seen in training, the network reaches "
        f"{_article(score_name(name))} {score_name(name)} of {number(test.get(name))}"
        + (f" (95 % interval {ends})." if ends else ".")
    )


def comparison(run: Run) -> tuple[str, str]:
    """The verdict in a sentence or two, and its tone: ``good``, ``even`` or ``bad``."""
    found, score = run.metrics.get("comparison"), score_name(run.main_score)
    if found:
        sentence, tone = _verdict(found, score)
        others = _others(run, found.get("baseline"))
        if not others:
            return sentence, tone
        joined = f"{sentence} {'But' if tone == 'good' else 'Beside it,'} {others}."
        return joined, "even" if tone == "good" else tone
    own = (run.metrics.get("test") or {}).get(run.main_score)
    known = {
        name: value
        for name, parts in (run.metrics.get("baselines") or {}).items()
        if (value := (parts.get("test") or {}).get(run.main_score)) is not None
    }
    if own is None or not known:
        return "No baseline was scored, so nothing is known of how much the network adds.", "even"
    name, value = max(known.items(), key=lambda pair: pair[1])
    if value >= own:
        return (
            f"The {name} baseline scores no lower: {score} {number(value)} against the network's "
            f"{number(own)}. The simpler model does as well.",
            "bad",
        )
    return (
        f"Every baseline scores lower; the best, {name}, reaches {score} {number(value)}. Whether by "
        "more than chance was not tested.",
        "good",
    )


def _verdict(found: dict[str, Any], score: str) -> tuple[str, str]:
    """The comparison with the baseline that is best on the validation rows."""
    best = f"the baseline that was best on validation rows, {found.get('baseline', 'unnamed')}"
    gap = found.get("difference")
    p, kind = found.get("p_value"), found.get("verdict")
    tail = f"difference {number(gap)}, 95 % interval {interval(found.get('interval'))}"
    tail += f", p {_p_value(p)}" if p is not None else ""
    if kind == "better":
        return (
            f"The network's {score} is higher than that of {best} ({tail}).",
            "good",
        )
    if kind == "worse":
        return (
            f"The network's {score} is lower than that of {best} ({tail}). "
            "Use the baseline, or change the network.",
            "bad",
        )
    return (
        f"A tie: the network and {best}, cannot be told apart on these test rows ({score}: {tail}). "
        "The simpler model does as well.",
        "even",
    )


def _others(run: Run, first: str | None) -> str:
    """Further baselines that are as good as the network, or better; empty where there are none."""
    told = {"tie": "as good, within chance", "worse": "better"}
    found = [
        f"the {short(name, 40)} baseline is {told[kind]}"
        for name, parts in (run.metrics.get("baselines") or {}).items()
        if name != first and (kind := (parts.get("comparison") or {}).get("verdict")) in told
    ]
    return listed(found)


def _p_value(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"=\N{NO-BREAK SPACE}{number(float(p))}"


def _message(warning: Any) -> str:
    return str(warning.get("message", warning)) if isinstance(warning, dict) else str(warning)


def _article(name: str) -> str:
    return (
        "an" if (name[0] in "AEFILMNORSX" and name[:2].isupper()) or name.startswith("R²") else "a"
    )
