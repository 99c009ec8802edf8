"""Contributions of genes: they add up, follow from first principles, and find simulated markers."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from reading import MARKUP, Page, render_page
from tissuestate.classification.explanation import (
    LEADING,
    SHOWN,
    Explainer,
    class_gene_facts,
    class_genes,
    integrate_gradients,
    top_genes,
)
from tissuestate.demo.genome import synthesise_genome
from tissuestate.demo.reads import MARKERS, draw_genes, expected_expression
from tissuestate.evaluation.chain import Chain
from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import ConditionalMean
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.novelty import Novelty
from tissuestate.features.transformers import AllGenes, ForestGenes, PrincipalComponents
from tissuestate.models.frozen import FrozenNetwork
from tissuestate.models.network import load_network, save_network
from tissuestate.models.training import Hyperparameters, fit_network, predict_logits

pytestmark = pytest.mark.slow

TISSUES = ("kidney", "liver", "lung", "thyroid")
STATES = ("non-neoplastic", "peri-neoplastic", "neoplastic")
SUBTYPES_OF = {"kidney": ["kich", "kirc"], "lung": ["luad", "lusc"]}
SUBTYPES = tuple(name for group in SUBTYPES_OF.values() for name in group)


@dataclass
class Model:
    """The parts of a Classifier that explaining looks at."""

    folder: object
    genes: list[str]
    chain: Chain
    description: dict


@pytest.fixture(scope="module")
def simulated():
    """Counts of 160 samples from the demo's own model of expression, and who their markers are."""
    rng = np.random.default_rng(4)
    truth = draw_genes(synthesise_genome(0), 0)
    rows = []
    for number in range(160):
        tissue, state = TISSUES[number % 4], STATES[number // 4 % 3]
        own = SUBTYPES_OF.get(tissue, [])
        subtype = own[number // 12 % 2] if own and state == "neoplastic" else ""
        study = "atlas" if state == "non-neoplastic" else ("oncology", "atlas")[number // 24 % 2]
        name = f"s{number}"
        rows.append((name, name, tissue, state, subtype, study))
    columns = ["sample", "specimen", "tissue", "disease_state", "subtype", "study"]
    obs = pd.DataFrame(rows, columns=columns).set_index("sample", drop=False)
    rates = np.array([expected_expression(truth, row, 0) for _, row in obs.iterrows()])
    counts = rng.poisson(3e5 * rates / rates.sum(axis=1, keepdims=True)).astype(np.float32)
    return counts, obs, truth.set_index("symbol")["marker_of"]


@pytest.fixture(scope="module", params=["pca", "rf", "all"])
def model(request, simulated, tmp_path_factory) -> tuple[Model, np.ndarray]:
    """Normalised, corrected, reduced and trained on; and the normalised expression."""
    counts, obs, truth = simulated
    genes = truth.index.tolist()
    units = ["count"] * len(counts)
    normaliser = Normaliser().fit(counts, units)
    values = normaliser.transform(counts, units)
    correction = SurrogateVariableCorrection("two-step", 2).fit(
        values, obs[["tissue", "disease_state"]]
    )
    corrected = correction.transform(values)
    transformer = {
        "pca": PrincipalComponents(30),
        "rf": ForestGenes(100, n_trees=50),
        "all": AllGenes(),
    }[request.param].fit(
        corrected, obs["tissue"] + obs["disease_state"] + obs["subtype"], genes=genes
    )
    x = transformer.transform(corrected)
    folder = tmp_path_factory.mktemp(request.param)
    heads = {"disease_state": STATES, "tissue": TISSUES, "subtype": SUBTYPES}
    frozen = []
    for task, names in (("multitask", ("disease_state", "tissue")), ("subtype", ("subtype",))):
        codes = {head: pd.Index(heads[head]).get_indexer(pd.Index(obs[head])) for head in names}
        known = codes[names[0]] >= 0
        labels = {head: codes[head][known] for head in names}
        trained = fit_network(
            *(x[known], labels, x[known], labels, {head: heads[head] for head in names}),
            Hyperparameters(widths=(64, 32, 32, 16, 16), batch_size=32, dropout=0.1),
            epochs=40,
            seed=1,
            threads=1,
        )
        save_network(folder / task, trained.network)
        frozen.append(FrozenNetwork.load(folder / task))
    imputation = ConditionalMean().fit(values)
    chain = Chain(normaliser, imputation, correction, transformer, Novelty(), frozen)
    return Model(folder, genes, chain, {"classes": heads, "subtypes_of": SUBTYPES_OF}), values


@pytest.fixture(scope="module")
def explainer(model) -> Explainer:
    return Explainer(model[0])


def calls_of(model: Model, values: np.ndarray, obs: pd.DataFrame) -> pd.DataFrame:
    """Calls, with subtypes if the tissue has any."""
    x = model.chain.project(values)
    logits = model.chain.logits(x)
    calls = pd.DataFrame(index=obs.index)
    calls["disease_state"] = np.array(STATES)[logits["disease_state"].argmax(axis=1)]
    calls["tissue"] = np.array(TISSUES)[logits["tissue"].argmax(axis=1)]
    calls["subtype"] = [
        ""
        if tissue not in SUBTYPES_OF
        else max(SUBTYPES_OF[tissue], key=dict(zip(SUBTYPES, row, strict=True)).get)
        for tissue, row in zip(calls["tissue"], logits["subtype"], strict=True)
    ]
    return calls


@pytest.mark.slow
def test_contributions_add_up_to_the_logit_difference_within_one_percent(
    model, explainer, simulated
):
    model, values = model
    calls = calls_of(model, values, simulated[1])
    average = model.chain.correction.mean_[None]
    for head, names, others in (
        ("disease_state", STATES, None),
        ("tissue", TISSUES, None),
        ("subtype", SUBTYPES, SUBTYPES_OF),
    ):
        called = (calls[head] != "").to_numpy()
        found = explainer.explain(values[called], head, calls.loc[called, head].tolist())
        assert found.contributions.shape == values[called].shape
        logits = {}
        for key, y in (("sample", values[called]), ("average", average)):
            x = model.chain.project(y)
            network = load_network(model.folder / ("subtype" if others else "multitask"))
            logits[key] = predict_logits(network, x)[head]
        for row, name in enumerate(calls.loc[called, head]):
            rivals = next((g for g in SUBTYPES_OF.values() if name in g), names)
            rivals = [names.index(n) for n in rivals if n != name]
            margins = [z[names.index(name)] - z[rivals].mean()
                       for z in (logits["sample"][row], logits["average"][0])]  # fmt: skip
            difference = margins[0] - margins[1]
            assert found.difference[row] == pytest.approx(difference, abs=1e-5)
            assert found.contributions[row].sum() == pytest.approx(difference, rel=0.01)


def test_for_a_linear_network_a_contribution_is_weight_times_deviation(explainer, model):
    """The gradient is then the same everywhere: finite differences of expression are the truth."""
    model, values = model
    torch.manual_seed(0)
    linear = load_network(model.folder / "multitask").double()
    linear.hidden = torch.nn.Sequential()
    linear.heads = torch.nn.ModuleDict(
        {"tissue": torch.nn.Linear(len(model.chain.features.names_), 4)}
    )
    linear.double()
    explained = Explainer(model)
    explained.integrals["tissue"] = partial(integrate_gradients, linear, "tissue")
    y = values[:1].astype(np.float64)
    found = explained.explain(y, "tissue", ["lung"]).contributions[0]

    def margin(z: np.ndarray) -> float:
        x = model.chain.project(z)
        with torch.no_grad():
            logits = linear(torch.from_numpy(x.astype(np.float64)))["tissue"][0].numpy()
        return float(logits[2] - np.delete(logits, 2).mean())

    for gene in np.argsort(-np.abs(found))[:5]:
        moved = y.copy()
        moved[0, gene] = model.chain.correction.mean_[gene]
        assert margin(y) - margin(moved) == pytest.approx(found[gene], rel=1e-3, abs=1e-4)


def test_a_missing_gene_contributes_nothing_and_the_rest_still_adds_up(model, explainer):
    model, values = model
    some = values[:8].astype(np.float64)
    some[:, ::3] = np.nan
    found = explainer.explain(some, "tissue", [TISSUES[i % 4] for i in range(8)])
    assert (found.contributions[:, ::3] == 0).all()
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.difference, rtol=0.01)


def test_the_simulated_markers_of_a_class_come_out_on_top(model, explainer, simulated):
    model, values = model
    _, obs, truth = simulated
    calls = calls_of(model, values, obs)
    for head in calls:
        calls.loc[calls[head] != obs[head], head] = ""
    frame = pd.DataFrame(values, obs.index, model.genes)
    table = class_genes(explainer, calls, iter([frame]))
    found = {}
    for (head, name), rows in table.groupby(["head", "class"]):
        # a marker of a tissue's subtype tells the tissue, too
        own = [f"{head}:{name}", *(f"subtype:{subtype}" for subtype in SUBTYPES_OF.get(name, ()))]
        if own[0] in MARKERS:
            found[own[0]] = truth[rows["gene"].iloc[:10]].isin(own).mean()
        assert rows["contribution"].is_monotonic_decreasing
        assert rows["rank"].iloc[:20].tolist() == list(range(1, 21))
        others = table[(table["head"] == head) & (table["rank"] <= LEADING)]
        assert set(others["gene"]) <= set(rows["gene"])
        assert abs(rows["difference"].iloc[0]) > rows["contribution"].iloc[0]
    print(found)
    shares = list(found.values())
    assert len(shares) == 10
    assert min(shares) >= 0.5  # by chance one in ten
    assert np.mean(shares) >= 0.8
    up = table[table["head"] == "tissue"]
    assert (up["level"][truth[up["gene"]].to_numpy() == "tissue:" + up["class"]] == "higher").all()


def test_top_genes_of_samples_are_named_with_their_levels(model, explainer, simulated):
    model, values = model
    obs = simulated[1].iloc[:5]
    calls = calls_of(model, values[:5], obs)
    calls.loc["s0", "subtype"] = ""
    frame = pd.DataFrame(values[:5], obs.index, model.genes)
    table = top_genes(explainer, calls, iter([frame.iloc[:2], frame.iloc[2:]]))
    assert set(table["sample"]) == set(obs.index)
    assert table.loc[table["sample"] == "s0", "head"].unique().tolist() == [
        "disease_state",
        "tissue",
    ]
    for (_, _), rows in table.groupby(["sample", "head"]):
        assert rows["rank"].tolist() == list(range(1, 21))
        assert rows["contribution"].abs().is_monotonic_decreasing
    row = table.iloc[0]
    place = model.genes.index(row["gene"])
    assert row["expression"] == values[0, place]
    assert row["average"] == model.chain.correction.mean_[place]


def class_table(name: str = "kidney") -> pd.DataFrame:
    """Two classes of one head, one of another without a rival, with more genes than are shown."""
    rows = [
        (head, label, rank, f"{name}{rank}", 13.0 - rank, "lower" if rank == 2 else "higher")
        for head, label in (("tissue", "liver"), ("tissue", name), ("disease_state", "neoplastic"))
        for rank in range(12, 0, -1)
    ]
    columns = ["head", "class", "rank", "gene", "contribution", "level"]
    table = pd.DataFrame(rows, columns=columns).assign(samples=1500)
    table.loc[(table["class"] == "liver") & (table["rank"] == 1), "gene"] = "ALB"
    table.loc[(table["class"] == "liver") & (table["rank"] == 3), "contribution"] = -6.0
    return table.assign(difference=np.where(table["head"] == "tissue", 240.0, 0.0))


def test_the_first_genes_of_each_class_are_shown_by_rank():
    facts = class_gene_facts(class_table())
    tissue = facts["heads"]["tissue"]
    assert [row["name"] for row in tissue["classes"]] == ["kidney", "liver"]
    genes = tissue["classes"][0]["genes"]
    assert [gene["gene"] for gene in genes] == [f"kidney{rank}" for rank in range(1, SHOWN + 1)]
    assert genes[0]["cells"] == {"kidney": 12 / 240, "liver": None}  # liver has another first gene
    assert genes[1]["cells"] == {"kidney": 11 / 240, "liver": 11 / 240}
    assert [gene["higher"] for gene in genes].count(False) == 1
    assert [row["part"] for row in tissue["classes"]] == pytest.approx([50 / 240, 34 / 240])
    assert facts["median_part"] == pytest.approx(42 / 240)
    assert tissue["largest"] == 12 / 240
    assert facts["heads"]["disease_state"]["alone"] == ["neoplastic"]
    page = Page(render_page("genes.html.j2", facts))
    assert "kidney1 ↑ 5.0%, kidney2 ↓ 4.6%, kidney3 ↑" in page.text
    assert "1,500" in page.text
    assert ">−2.5</td>" in render_page("genes.html.j2", facts)  # against liver


def test_no_name_of_a_class_or_gene_becomes_markup():
    plain, marked = (
        Page(render_page("genes.html.j2", class_gene_facts(class_table(name))))
        for name in ("A", MARKUP)
    )
    assert marked.elements == plain.elements
    assert MARKUP in marked.text
