"""The paper's claims, checked on a run."""

import pandas as pd
import pytest
from tissuestate.report.claims import check_claims, check_cost


def comparison(*rows) -> pd.DataFrame:
    columns = ["model", "head", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=columns).assign(metric="balanced_accuracy")


def seconds(**fit) -> pd.DataFrame:
    return pd.DataFrame({"model": list(fit), "fit_seconds": list(fit.values())})


def test_a_claim_holds_only_if_its_interval_is_above_zero():
    table = comparison(
        ("dl_pca", "tissue", None, None, None),
        ("dt", "tissue", -0.20, -0.30, -0.10),
        ("et", "tissue", -0.01, -0.03, 0.01),
        ("dl_all", "tissue", 0.05, 0.01, 0.09),
        ("logreg", "tissue", 0.05, 0.01, 0.09),  # the paper does not speak of it
    )
    found = check_claims(table).set_index("model")
    assert found["verdict"].to_dict() == {
        "dl_all": "fails",
        "dt": "holds",
        "et": "open",
    }
    assert found.loc["dt", ["gain", "low", "high"]].tolist() == [0.20, 0.10, 0.30]


def test_the_cost_is_a_sixth_or_the_claim_does_not_hold():
    cost = check_cost(seconds(dl_pca=10.0, dl_all=65.0))
    assert cost.ratio == pytest.approx(6.5)
    assert cost.verdict == "holds"
    assert check_cost(seconds(dl_pca=10.0, dl_all=27.0)).verdict == "fails"


def test_a_run_without_all_genes_has_no_claim_of_cost():
    assert check_cost(seconds(dl_pca=10.0, dl_rf=20.0)) is None
