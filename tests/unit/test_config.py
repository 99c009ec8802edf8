"""The config: the sentence for a key, a type or a number that cannot be."""

import copy
from pathlib import Path

import pytest
import yaml
from tissuestate.config import check_config
from tissuestate.errors import InputError

SPACE = ("tuning", "space")


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[str, dict]:
    paths = sorted((root / "config").glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text()) for path in paths}


@pytest.fixture(scope="module")
def schema(root: Path) -> Path:
    return root / "workflow" / "schemas" / "config.schema.yaml"


def test_the_configs_that_come_with_it_are_accepted(shipped, schema):
    assert set(shipped) == {"config", "paper", "rnaseqdb"}
    for config in shipped.values():
        check_config(config, schema)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (("sede",), 1, r"there is no key 'sede'\. Did you mean 'seed'\?"),
        (("split", "mod"), "donor", r"no key 'mod' under 'split'\. Did you mean 'mode'\?"),
        (("split", "mode"), "donors", r"split: mode has 'donors'; expected one of donor, random"),
        (("split", "fractions"), [0.7, 0.2, 0.2], r"fractions is .* which sum to 1\.1"),
        (("split", "fractions"), [70, 15, 15], r"split: fractions: 70 is greater"),
        (("features", "components"), "300", r"components has '300'; expected a whole number"),
        (("features", "kinds"), ["pca", "rff"], r"features: kinds has 'rff'; expected one of"),
        (("features", "kinds"), ["rf"], r"features: kinds is \['rf'\]; pca belongs there"),
        (("trim",), "yes", r"trim has 'yes'; expected true or false"),
        (("correction", "n_sv"), -2, r"n_sv: 'auto' was expected, and -2 is less than"),
        ((*SPACE, "learning_rate"), ["1e-4", "1e-2"], r"learning_rate has '1e-4'.*write 1\.0e-4"),
        ((*SPACE, "learning_rate"), [0.01, 0.001], r"learning_rate is .*the lower end first"),
        ((*SPACE, "batch_size"), [0, 32], r"batch_size: 0 is less than the minimum of 1"),
        ((*SPACE, "dropout"), [0, 50], r"dropout: 50 is greater than"),
        (("features", "kinds"), ["pca", "all"], r"bundle_features is 'rf', but .* on pca, all"),
    ],
)
def test_a_mistake_is_one_sentence(place, value, sentence, shipped, schema):
    config = copy.deepcopy(shipped["config"]) | {"bundle_features": "rf"}
    *above, key = place
    section = config
    for name in above:
        section = section[name]
    if key in ("sede", "mod"):  # misspelt: the right one is missing
        del section[{"sede": "seed", "mod": "mode"}[key]]
    section[key] = value
    with pytest.raises(InputError, match=sentence) as caught:
        check_config(config, schema)
    assert len(str(caught.value)) < 250


def test_a_missing_key_is_named(shipped, schema):
    config = {key: value for key, value in shipped["config"].items() if key != "fit_on"}
    with pytest.raises(InputError, match="the key 'fit_on' is missing"):
        check_config(config, schema)
