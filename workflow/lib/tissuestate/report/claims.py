"""The claims of the paper's benchmark, checked on this run."""

from dataclasses import dataclass

import pandas as pd

from tissuestate.labels import HEADS

PAPER_MODEL, NO_PCA = "dl_pca", "dl_all"
RIVALS = ("dl_rf", NO_PCA, "dt", "et", "svm", "sgd", "knn")
CHEAPER = 6.0  # times; DL without PCA against DL PCA, by the paper
HOLDS, FAILS, OPEN = "holds", "fails", "open"


def check_claims(comparison: pd.DataFrame) -> pd.DataFrame:
    """Comparison of DL PCA with each rival: model, head, gain, low, high, verdict.

    comparison: of all models with DL PCA (`compare_predictions`). gain: of DL PCA, in balanced
    accuracy, with its 95 % interval. Claims about models that the run lacks are left out.
    """
    scored = comparison[comparison["metric"] == "balanced_accuracy"].set_index(["model", "head"])
    rows = []
    for key in ((model, head) for model in RIVALS for head in HEADS):
        if key in scored.index:
            row = scored.loc[key]
            low, high = -row["difference_high"], -row["difference_low"]
            verdict = HOLDS if low > 0 else FAILS if high < 0 else OPEN
            rows.append((*key, -row["difference"], low, high, verdict))
    return pd.DataFrame(rows, columns=["model", "head", "gain", "low", "high", "verdict"])


@dataclass(frozen=True)
class Cost:
    """Seconds of the final training, without the search, with components and on all genes."""

    components: float
    all_genes: float

    @property
    def ratio(self) -> float:
        """Cost on all genes divided by cost with components."""
        return self.all_genes / self.components

    @property
    def verdict(self) -> str:
        """Whether the ratio is at least that of the paper."""
        return HOLDS if self.ratio >= CHEAPER else FAILS


def check_cost(benchmark: pd.DataFrame) -> Cost | None:
    """Cost of training (`benchmark`: model, fit_seconds); None without both networks."""
    seconds = benchmark.groupby("model")["fit_seconds"].max()
    if not {PAPER_MODEL, NO_PCA} <= set(seconds.index):
        return None
    return Cost(float(seconds[PAPER_MODEL]), float(seconds[NO_PCA]))
