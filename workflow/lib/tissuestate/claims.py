"""The claims of the paper's benchmark, each beside what this run found."""

from collections.abc import Iterator

import pandas as pd

from tissuestate.sheet import HEADS
from tissuestate.wording import head_title, model_title

DEEP, NO_PCA = "dl_pca", "dl_all"
RIVALS = ("dl_rf", NO_PCA, "dt", "et", "svm", "sgd", "knn")
CHEAPER = 6.0  # times; DL without PCA against DL PCA, by the paper


def check_claims(comparison: pd.DataFrame, benchmark: pd.DataFrame) -> pd.DataFrame:
    """A row a claim: claim, found, verdict (holds, does not hold, cannot be told apart).

    comparison: of all models with DL PCA (see `tissuestate.compare`). benchmark: model, head,
    fit_seconds. Claims about models that the run has not are left out.
    """
    rows = [*_better(comparison), *_cheaper(benchmark)]
    return pd.DataFrame(rows, columns=["claim", "found", "verdict"])


def _better(comparison: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    scored = comparison[comparison["metric"] == "balanced_accuracy"].set_index(["model", "head"])
    for model in RIVALS:
        for head in HEADS:
            if (model, head) not in scored.index:
                continue
            row = scored.loc[(model, head)]
            gain, low, high = (
                -row[name] for name in ("difference", "difference_high", "difference_low")
            )
            yield (
                f"DL PCA scores higher than {model_title(model)}: {head_title(head).lower()}",
                f"{gain:+z.3f} balanced accuracy (95 % interval {low:+z.3f} to {high:+z.3f})",
                _verdict(low, high),
            )


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "cannot be told apart"


def _cheaper(benchmark: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """What training costs with and without components, the search left out."""
    seconds = benchmark.groupby("model")["fit_seconds"].max()
    if {DEEP, NO_PCA} <= set(seconds.index):
        ratio = seconds[NO_PCA] / seconds[DEEP]
        yield (
            f"Training DL PCA costs a sixth of {model_title(NO_PCA)}",
            f"{ratio:.1f} times cheaper ({seconds[DEEP]:.0f} s against {seconds[NO_PCA]:.0f} s)",
            "holds" if ratio >= CHEAPER else "does not hold",
        )
