"""The ridge regression as a model: novelty at its margin, and equal logits for calls and genes."""

import numpy as np
import pytest
from laboratory_samples import CLASSES, FEATURES, features, labels
from tissuestate.laboratories.answers import RidgeModel, novelty_of
from tissuestate.laboratories.calibration import calibrate
from tissuestate.laboratories.ridge import Ridge


def fitted_model(classes) -> tuple[RidgeModel, np.ndarray]:
    obs = labels()
    if not classes["subtype"]:
        obs["subtype"] = ""
    x = features(obs, {"B": np.linspace(-1, 1, FEATURES)})
    ridge = Ridge().fit(x, obs, classes)
    return RidgeModel(ridge, calibrate(ridge.scores(x), obs, classes), classes), x


@pytest.mark.parametrize("margin", [-0.3, 0.0, 0.4, 0.999999, 1.0, 1.4])
def test_a_sample_is_new_below_the_margin_and_known_at_it(margin):
    over_none = np.array([margin, np.nextafter(margin, 9) + 1e-9, margin - 1e-9, margin - 5])
    scores = np.column_stack([over_none, np.full(4, -9.0), np.zeros(4)])
    novelty = novelty_of(scores, margin)
    assert novelty[0] == 1
    assert (novelty > 1).tolist() == [False, False, True, True]
    assert (np.diff(novelty[[1, 0, 2, 3]]) > 0).all()


def test_a_tissue_that_leads_by_one_is_not_new_at_all():
    scores = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.7, 0.0]])
    np.testing.assert_allclose(novelty_of(scores, 0.4), [0, 0, 0.5])


STATES = CLASSES["disease_state"]
COHORTS = [
    CLASSES,
    {**CLASSES, "disease_state": [STATES[0], STATES[2]]},
    {**CLASSES, "subtype": [], "subtypes_of": {}},
]


@pytest.mark.parametrize("classes", COHORTS, ids=["all", "two states", "no subtypes"])
def test_mean_slopes_are_the_integral_of_the_gradients(classes):
    model, x = fitted_model(classes)
    rng = np.random.default_rng(0)
    start, ends = x.mean(axis=0), x[:4]
    ends[3] = start  # a path of no length has the gradient at its place
    for head, names in model.heads.items():
        contrasts = rng.normal(size=(len(ends), len(names)))

        def contrast(points, head=head, contrasts=contrasts):
            return (model.logits(points)[head] * contrasts).sum(axis=1)

        slopes, difference = model.mean_slopes(head, start, ends, contrasts)
        begin = np.tile(start, (len(ends), 1))
        np.testing.assert_allclose(difference, contrast(ends) - contrast(begin), atol=1e-9)
        np.testing.assert_allclose((slopes * (ends - start)).sum(axis=1), difference, atol=1e-6)
        steps, expected = 400, np.zeros(ends.shape)
        for share in (np.arange(steps) + 0.5) / steps:
            middle = begin + share * (ends - begin)
            for feature in (0, 5):
                nudge = 1e-5 * (np.arange(FEATURES) == feature)
                rise = contrast(middle + nudge) - contrast(middle - nudge)
                expected[:, feature] += rise / (2e-5 * steps)
        found = slopes[:, [0, 5]]
        np.testing.assert_allclose(found, expected[:, [0, 5]], atol=1e-3 * np.abs(found).max())


def test_it_calls_what_it_was_trained_on():
    model, x = fitted_model(CLASSES)
    obs = labels()
    known = (obs["tissue"] != "other").to_numpy()
    assert model.n_features == FEATURES
    assert (model.is_new(x) == ~known).mean() > 0.95
    calls = {head: np.array(model.heads[head])[z.argmax(1)] for head, z in model.logits(x).items()}
    for head in ("tissue", "disease_state"):
        assert (calls[head] == obs[head])[known].all()
    tumours = (obs["subtype"] != "").to_numpy()
    assert (calls["subtype"] == obs["subtype"])[tumours].all()
