"""Usual levels of genes by class: numpy's mean and deviation, and no class of few donors."""

import numpy as np
import pandas as pd
from tissuestate.expression.levels import FEWEST, ClassLevels


def test_levels_are_those_of_classes_with_enough_donors():
    rng = np.random.default_rng(0)
    values = rng.normal(8, 2, (40, 6)).astype(np.float32)
    labels = pd.DataFrame(
        {
            "donor": [f"d{number}" for number in range(40)],
            "disease_state": "neoplastic",
            "tissue": ["kidney"] * 20 + ["liver"] * 20,
            "subtype": "",
        }
    )
    labels.loc[20:, "donor"] = [f"d{number % (FEWEST - 1)}" for number in range(20)]
    levels = ClassLevels.from_arrays(ClassLevels().fit(values, labels).to_arrays())
    assert levels.names_.tolist() == ["disease_state:neoplastic", "tissue:kidney"]
    low, high = levels.range_of("tissue", "kidney", [5, 0])
    mean, deviation = values[:20].mean(axis=0), values[:20].std(axis=0)
    print("largest difference:", np.abs(low - (mean - 2 * deviation)[[5, 0]]).max())
    np.testing.assert_allclose(low, (mean - 2 * deviation)[[5, 0]], atol=0.02)
    np.testing.assert_allclose(high, (mean + 2 * deviation)[[5, 0]], atol=0.02)
    assert np.isnan(levels.range_of("tissue", "liver", [0])).all()
