"""The paper's claims, held against a run."""

import pandas as pd
from tissuestate.claims import check_claims


def comparison(*rows) -> pd.DataFrame:
    columns = ["model", "head", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=columns).assign(metric="balanced_accuracy")


def test_a_claim_holds_only_beyond_uncertainty():
    table = comparison(
        ("dl_pca", "tissue", None, None, None),
        ("dt", "tissue", -0.20, -0.30, -0.10),
        ("et", "tissue", -0.01, -0.03, 0.01),
        ("dl_all", "tissue", 0.05, 0.01, 0.09),
        ("logreg", "tissue", 0.05, 0.01, 0.09),  # the paper does not speak of it
    )
    seconds = pd.DataFrame({"model": ["dl_pca", "dl_all"], "fit_seconds": [10.0, 65.0]})
    found = check_claims(table, seconds).set_index("claim")
    assert found["verdict"].to_dict() == {
        "DL PCA scores higher than DL all genes: tissue of origin": "does not hold",
        "DL PCA scores higher than decision tree: tissue of origin": "holds",
        "DL PCA scores higher than extra trees: tissue of origin": "cannot be told apart",
        "Training DL PCA costs a sixth of DL all genes": "holds",
    }
    assert found["found"].iloc[1] == "+0.200 balanced accuracy (95 % interval +0.100 to +0.300)"
    assert found["found"].iloc[-1] == "6.5 times cheaper (10 s against 65 s)"


def test_a_run_without_all_genes_has_no_claim_of_cost():
    seconds = pd.DataFrame({"model": ["dl_pca", "dl_rf"], "fit_seconds": [10.0, 20.0]})
    assert check_claims(comparison(("dl_pca", "tissue", None, None, None)), seconds).empty
