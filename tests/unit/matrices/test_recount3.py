"""A recount3 project from a local mirror: read counts, or a sentence and no file."""

import gzip
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.errors import InputError
from tissuestate.labels import OTHER, STATES
from tissuestate.matrices.read import read_matrix
from tissuestate.matrices.recount3 import fetch_project
from tissuestate.sheet.classes import ClassTable

# recount3's layout: https://rna.recount.bio/docs/raw-files.html
FOLDER = "human/data_sources/gtex"
SUMS = f"{FOLDER}/gene_sums/EN/SPLEEN/gtex.gene_sums.SPLEEN.G026.gz"
QUALITY = f"{FOLDER}/metadata/EN/SPLEEN/gtex.recount_qc.SPLEEN.MD.gz"
SUMS_TEXT = (
    "##annotation=G026\n##date.generated=2020-06-06\n"
    "gene_id\tGTEX-A.1\tGTEX-B.1\nENSG00000000003.14\t15100\t0\nENSG00000000005.5\t77\t760\n"
)
QUALITY_TEXT = (
    "rail_id\texternal_id\tstudy\tstar.average_mapped_length\n"
    "2\tGTEX-B.1\tSPLEEN\t152.0\n1\tGTEX-A.1\tSPLEEN\t151.0\n"
)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The mirror's folder, served; its files can be replaced."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "mirror"
    for name, text in ((SUMS, SUMS_TEXT), (QUALITY, QUALITY_TEXT)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(gzip.compress(text.encode()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("RECOUNT3_URL", f"http://127.0.0.1:{server.server_address[1]}/")
    yield folder
    server.shutdown()
    server.server_close()


def test_the_listed_projects_have_an_address_of_recount3_and_known_classes(root: Path) -> None:
    table = pd.read_csv(root / "resources" / "recount3.tsv", sep="\t", keep_default_na=False)
    tissues = {OTHER, *ClassTable.read(root / "resources" / "classes.tsv").tissues}
    assert table["matrix"].is_unique
    for row in table.itertuples():
        source, project = re.fullmatch("recount3://(gtex|tcga|sra)/(.+)", row.matrix).groups()
        assert source != "sra" or re.fullmatch("[SED]RP[0-9]{6}", project)
        assert set(row.tissue.split(", ")) <= tissues
        assert set(row.disease_state.split(", ")) <= {"", *STATES}
        assert (row.disease_state == "") == (row.tissue == OTHER)


def test_coverage_is_divided_by_each_samples_read_length(mirror: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "gtex.SPLEEN.parquet"
    fetch_project("gtex", "SPLEEN", target)
    matrix = read_matrix(target, {"GTEX-B.1": "", "GTEX-A.1": ""})
    assert matrix.ids.tolist() == ["ENSG00000000003.14", "ENSG00000000005.5"]
    # By hand: 15100 / 151 = 100, 77 / 151 = 0.51; 0 / 152 = 0, 760 / 152 = 5.
    np.testing.assert_array_equal(matrix.values, [[0, 5], [100, 1]])
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (SUMS, None, "the server says 404"),
        (QUALITY, None, "the server says 404"),
        (SUMS, b"<html>maintenance</html>", "no gzip file but something else"),
        (SUMS, gzip.compress(SUMS_TEXT.encode())[:-9], "not a readable table"),
        (QUALITY, gzip.compress(b"rail_id\tstudy\n1\tSPLEEN\n"), "lacks external_id"),
        (QUALITY, gzip.compress(QUALITY_TEXT.encode().replace(b"151.0", b"")), "GTEX-A.1"),
    ],
)
def test_a_mirror_with_other_content_is_refused(mirror, tmp_path, name, content, words) -> None:
    if content is None:
        (mirror / name).unlink()
    else:
        (mirror / name).write_bytes(content)
    target = tmp_path / "new" / "gtex.SPLEEN.parquet"
    with pytest.raises(InputError, match=words):
        fetch_project("gtex", "SPLEEN", target)
    assert list(target.parent.iterdir()) == []


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recount3://geo/X: .*expected gtex, tcga or sra"):
        fetch_project("geo", "X", tmp_path / "x.parquet")
