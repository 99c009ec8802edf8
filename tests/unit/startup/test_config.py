"""The config: its layers, and the sentence for a key, a type or a number that cannot be."""

import copy
from pathlib import Path

import pytest
from conftest import DEFAULTS
from tissuestate.errors import InputError
from tissuestate.startup.config import (
    check_config,
    check_yaml,
    complete_config,
    expand_short_forms,
    read_layers,
)
from tissuestate.startup.config_docs import keys, read_schema

SPACE = ("tuning", "space")
NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[str, dict]:
    """The complete config of each file that comes with the workflow."""
    paths = sorted((root / "config").glob("*.yaml"))
    return {path.stem: read_layers(DEFAULTS, path) for path in paths}


@pytest.fixture(scope="module")
def schema(root: Path) -> Path:
    return root / "workflow" / "schemas" / "config.schema.yaml"


def test_the_packaged_configs_are_accepted(shipped, schema):
    names = {"config", "defaults", "hg38", "laboratories", "paper", "recount3", "rnaseqdb"}
    assert set(shipped) == names
    for config in shipped.values():
        check_config(config, schema)


@pytest.mark.parametrize(
    "name", ["config", "hg38", "laboratories", "paper", "recount3", "rnaseqdb"]
)
def test_packaged_configs_state_only_what_differs_from_the_defaults(root, name):
    defaults = dict(leaves(read_layers(DEFAULTS)))
    said = dict(leaves(read_layers(root / "config" / f"{name}.yaml")))
    assert {key for key, value in said.items() if defaults.get(key, ...) == value} == set()


def leaves(config, place=()):
    """Every value of a config, with the keys that lead to it."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value, (*place, key))
        else:
            yield (*place, key), value


def test_the_schema_has_all_defaults_and_describes_each_key(schema):
    described = list(keys(read_schema(schema)))
    assert len(described) > 60
    assert [place for place, key in described if not key.get("description")] == []
    defaults = {place: key["default"] for place, key in described if "default" in key}
    assert defaults == dict(leaves(read_layers(DEFAULTS)))


def test_a_config_overrides_the_defaults():
    own = {"samples": "my.tsv", "features": {"kinds": ["pca"]}, "demo": {"pairs": 2000}}
    config = complete_config(own, DEFAULTS, {})
    defaults = read_layers(DEFAULTS)
    assert config["features"] == defaults["features"] | {"kinds": ["pca"]}
    assert config["demo"] == {"pairs": 2000}
    untouched = defaults.keys() - own.keys()
    assert {key: config[key] for key in untouched} == {key: defaults[key] for key in untouched}
    assert complete_config({"reference": None}, DEFAULTS, {})["reference"] is None
    assert complete_config({}, DEFAULTS, {}) == defaults


def test_any_key_may_be_given_on_the_command_line(schema):
    words = {  # as Snakemake reads --config: numbers and False at the top, else text
        "samples": "my.tsv",
        "trim": "true",
        "demo": "null",
        "seed": 5,
        "features": {"components": "30", "kinds": ["pca", "rf"]},
        "split": {"fractions": ["0.5", "0.25", "0.25"]},
        "correction": {"n_sv": "auto"},
    }
    config = complete_config({**words, "device": "cpu"}, DEFAULTS, words)
    check_config(config, schema)
    assert config["trim"] is True and config["demo"] is None and config["seed"] == 5
    assert config["features"]["components"] == 30
    assert config["split"]["fractions"] == [0.5, 0.25, 0.25]
    assert config["correction"]["n_sv"] == "auto"
    with pytest.raises(InputError, match=r"^--config: trim has 'yes please'; expected true or"):
        words = {"trim": "yes please"}
        check_config(complete_config(words, DEFAULTS, words), schema, overrides=words)


@pytest.mark.parametrize(
    ("config", "words", "expected"),
    [
        ({}, {"bundle": "b", "samples": "new.tsv"}, ("b", "new.tsv", None)),
        ({}, {"bundle": "b", "samples": "new.tsv", "explain": "false"}, ("b", "new.tsv", False)),
        ({"samples": "cohort.tsv"}, {"bundle": "b"}, ("b", "cohort.tsv", None)),
        ({"classify": {"samples": "new.tsv"}}, {"bundle": "b"}, ("b", "new.tsv", None)),
        ({"classify": {"samples": "a"}}, {"bundle": "b", "samples": "c"}, ("b", "c", None)),
        ({"classify": {"bundle": "b"}}, {"samples": "new.tsv"}, ("b", "new.tsv", None)),
        ({"samples": "cohort.tsv"}, {"explain": "true"}, (None, None, True)),
        ({"classify": {"bundle": "b", "samples": "new.tsv"}}, {}, ("b", "new.tsv", None)),
    ],
)
def test_short_forms_of_the_command_line_set_the_section(config, words, expected, schema):
    found = complete_config({**config, **words}, DEFAULTS, words)
    check_config(found, schema)
    section = found["classify"]
    assert (section["bundle"], section["samples"], section["explain"]) == expected
    assert "bundle" not in found and "explain" not in found


def test_a_mistake_names_the_line_of_the_file_that_has_it(schema, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("seed: 1\nsplit:\n  mod: donor\n")
    second.write_text("seed: 2\n")

    def sentence(words=None):
        words = words or {}
        config = {**read_layers(first, second), **words}
        with pytest.raises(InputError) as caught:
            files, overrides = [first, second], expand_short_forms(words, words)
            check_config(complete_config(config, DEFAULTS, words), schema, files, overrides)
        return str(caught.value)

    assert sentence().startswith("first.yaml, line 3: there is no key 'mod' under 'split'. Did you")
    first.write_text("seed: 1\nbundle: 5\n")
    second.write_text("# none\nseed: 2.0\n")
    assert sentence().startswith("second.yaml, line 2: seed has 2.0;")
    second.write_text("seed: 2\n")
    assert sentence().startswith("config: classify: bundle has 5; expected text or null")
    first.write_text("seed: 1\n")
    assert sentence({"explain": "maybe"}).startswith("--config: classify: explain has 'maybe'")
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    first.write_text("quality: {min_mrin: low}\n")
    assert sentence().startswith(f"{first}, line 1: quality: min_mrin has 'low'; expected a number")


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
        ((*SPACE, "learning_rate"), [NAN, 0.01], r"learning_rate has \.nan; expected a finite"),
        ((*SPACE, "learning_rate"), [0.0001, INF], r"learning_rate has \.inf; .* finite"),
        ((*SPACE, "dropout"), [0, NAN], r"tuning: space: dropout has \.nan"),
        (("split", "fractions"), [NAN, 0.15, 0.15], r"split: fractions has \.nan"),
        (("quality", "min_aligned"), NAN, r"quality: min_aligned has \.nan"),
        (("quality", "min_assigned"), NAN, r"quality: min_assigned has \.nan"),
        (("quality", "min_mrin"), -INF, r"quality: min_mrin has -\.inf"),
        (("quality", "min_aligned"), True, r"min_aligned has true; expected a number\."),
        (("quality", "min_aligned"), "0.4", r"min_aligned has '0\.4'; .*leave quotes off"),
        (("quality", "min_aligned"), None, r"min_aligned has nothing \(null\); expected a number"),
        (("seed",), 2.0, r"seed has 2\.0; expected a whole number \(without a point: 2\)"),
        (("seed",), 1.0e300, r"seed has 1e\+300; expected a whole number"),
        (("seed",), 10**300, r"seed: 10* is greater than the maximum"),
        (("seed",), True, r"seed has true; expected a whole number"),
        (("features", "components"), 20.0, r"components has 20\.0; .*without a point: 20"),
        (("features", "components"), 10**12, r"components: 10* is greater than the maximum"),
        (("tuning", "evaluations"), 1.0, r"evaluations has 1\.0; .*without a point: 1\)"),
        ((*SPACE, "batch_size"), [8.0, 32.0], r"batch_size has 8\.0; .*without a point: 8\)"),
        ((*SPACE, "width"), [True, 128], r"width has true; expected a"),
        (("correction", "n_sv"), 2.0, r"n_sv has 2\.0; expected auto or .*without a point: 2"),
        (("cohort", "expected_genes"), 300.0, r"expected_genes has 300\.0; .*point: 300"),
        (("classify", "explain"), "maybe", r"explain has 'maybe'; expected true or false"),
        (("classes",), "résumé.tsv", r"classes has 'résumé\.tsv'; 'é' may not stand there"),
        (("samples",), "résumé.tsv", r"samples has 'résumé\.tsv'; 'é' may not stand there"),
        (("samples",), 5, r"samples has 5; expected text or null"),
        (
            ("reference", "genome", "checksum"),
            "md5:12",
            r"has 'md5:12'; expected .*md5",
        ),
        (("features", "kinds"), ["pca", "all"], r"bundle_features is 'rf', but .* on pca, all"),
    ],
)
def test_a_mistake_is_one_sentence(place, value, sentence, shipped, schema):
    config = copy.deepcopy(shipped["config"]) | {"bundle_features": "rf"}
    *above, key = place
    section = config
    for name in above:
        section = section[name]
    section[key] = value
    with pytest.raises(InputError, match=sentence) as caught:
        check_config(config, schema)
    assert len(str(caught.value)) < 600


def test_a_missing_key_is_named(shipped, schema):
    with pytest.raises(InputError, match="the key 'pairs' under 'demo' is missing"):
        check_config(shipped["config"] | {"demo": {}}, schema)


def test_values_that_yaml_reads_differently_are_refused(root, tmp_path):
    for path in (root / "config").glob("*.yaml"):
        check_yaml(path)
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 1\nquality:\n  min_mrin: -0.11\n  min_aligned: 0.4\n  min_mrin: -1\n")
    with pytest.raises(InputError, match=r"mine.yaml, line 5: the key 'min_mrin' .* in line 3"):
        check_yaml(file)
    file.write_text("split: {mode: donor, mode: random}\n")
    with pytest.raises(InputError, match="line 1: the key 'mode'"):
        check_yaml(file)
    for number, read in (("010", 8), ("1:30", 90), ("0x10", 16)):
        file.write_text(f"seed: {number}\n")
        with pytest.raises(InputError, match=rf"line 1: YAML reads {number} as {read};"):
            check_yaml(file)
    file.write_text("a: {seed: 1}\nseed: 2\nb: [{seed: 3}, {seed: 4}]\n")
    check_yaml(file)
