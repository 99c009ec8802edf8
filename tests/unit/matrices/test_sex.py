"""The expressed sex in every unit and kind of id, of part of the genes, and of real samples."""

import numpy as np
import pandas as pd
import pytest
from sex_genes import PEOPLE, in_unit, sex_counts, sex_gene_map
from tissuestate.classification.inputs import Genes
from tissuestate.matrices.read import read_matrix
from tissuestate.matrices.sex import GENES, PARTNERS, contradicted, express_sex, find_genes

COUNTS = sex_counts()
TRUTH = [sex for _, _, sex in PEOPLE.values()]
UNITS = ["count", "normalised", "log2", "log2 of a little"]


def expressed(table: pd.DataFrame, unit: str = "count") -> list[str]:
    """The expressed sex of samples × symbols."""
    table = table.sort_index(axis=1)
    values = table.to_numpy(np.float32)
    places = find_genes(table.columns.to_numpy(str))
    return express_sex(values, places, values, [unit.split()[0]] * len(values)).tolist()


@pytest.mark.parametrize("unit", UNITS)
def test_the_sex_is_known_in_every_unit(unit):
    assert expressed(in_unit(COUNTS, unit), unit) == TRUTH


@pytest.mark.parametrize("unit", UNITS)
def test_no_sample_depends_on_the_others(unit):
    table = in_unit(COUNTS, unit)
    alone = [expressed(table.loc[[name]], unit)[0] for name in table.index]
    assert alone == TRUTH
    places = find_genes(np.sort(table.columns.to_numpy(str)))
    several = pd.concat([table, in_unit(COUNTS, "count")]).sort_index(axis=1).to_numpy(np.float32)
    units = [unit.split()[0]] * len(table) + ["count"] * len(table)
    assert express_sex(several, places, several, units).tolist() == TRUTH + TRUTH


def test_without_xist_women_are_known_by_the_absence_of_y_alone():
    found = expressed(COUNTS.drop(columns="XIST"))
    assert found == ["XX", "XX", "XY", "XY", "", "XX", "XY"]
    blank = COUNTS.assign(XIST=[np.nan, 700, np.nan, 2, np.nan, 1, 400])
    assert expressed(blank) == ["XX", "XX", "XY", "XY", "", "", ""]


def test_part_of_the_genes_is_enough_and_too_few_are_not():
    some = list(PARTNERS)[:4]
    kept = [*some, *(PARTNERS[name] for name in some)]
    assert expressed(COUNTS[["XIST", *kept]]) == TRUTH
    assert set(expressed(COUNTS[["XIST", *some]])) == {""}
    assert set(expressed(COUNTS.drop(columns=["XIST", *some]))) == {""}
    assert set(expressed(COUNTS.drop(columns=list(GENES)))) == {""}
    silent = COUNTS.assign(**{PARTNERS[name]: 0.0 for name in some})
    assert set(expressed(silent)) == {""}


@pytest.mark.parametrize("unit", ["count", "log2"])
@pytest.mark.parametrize("kind", ["symbol", "ensembl", "entrez"])
@pytest.mark.parametrize("bundle", [["GENE1", "GENE2"], ["GENE1", "XIST", "UTY", "KDM6A", "GENE2"]])
def test_a_bundle_need_not_hold_the_genes_and_ids_may_be_of_any_kind(unit, kind, bundle):
    table = in_unit(COUNTS, unit)
    genes = sex_gene_map()
    ids = genes.table.set_index("symbol").assign(symbol=lambda rows: rows.index)[kind]
    table = table.set_axis(ids[table.columns].tolist(), axis=1)
    table["doubled"] = table.iloc[:, 0]  # not known
    table = pd.concat([table, table[ids[["UTY"]]]], axis=1)  # rows that are added up
    given = table.to_numpy(np.float32)
    values, _, sex = Genes.of(table, bundle, genes).gather(given, [unit] * len(given))
    assert sex.tolist() == TRUTH
    assert values.shape == (len(given), len(bundle))
    np.testing.assert_array_equal(values[:, 0], in_unit(COUNTS, unit)["GENE1"])


def test_what_an_expressed_sex_contradicts():
    assert contradicted("XY", "female", "kidney") == ["sex"]
    assert contradicted("XX", "male", "prostate") == ["sex", "tissue"]
    assert contradicted("XY", "", "uterus") == contradicted("XY", "", "Cervix") == ["tissue"]
    assert contradicted("XX", "female", "breast") == contradicted("XY", "", "prostate") == []
    assert contradicted("", "male", "uterus") == []


def test_real_prostates_are_men_and_real_uteri_women(data):
    folder = data / "tcga_gtex" / "rnaseqdb"
    for name, sex in (("prad-rsem-count-tcga", "XY"), ("ucec-rsem-count-tcga", "XX")):
        matrix = read_matrix(folder / f"{name}.txt.gz")
        symbols = [name.split("|")[0] for name in matrix.ids]
        table = pd.DataFrame(matrix.values, matrix.samples, symbols)
        table = table[[symbol for symbol in GENES if symbol in table.columns]]
        assert table.shape[1] == 14  # no XIST: a table of proteins
        assert set(expressed(table)) == {sex}
        assert set(expressed(np.log2(table + 1), "log2")) == {sex}
