"""A user's table of transcripts and genes: its forms, its faults, and what it makes of a table."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.errors import InputError
from tissuestate.matrices.gene_map import COLUMNS, GeneMap
from tissuestate.matrices.gene_rows import MappedRows
from tissuestate.matrices.tx2gene import read_tx2gene

TWO, GENES = ["ENST00000000001", "ENST00000000002"], ["ENSG00000141510", "ENSG00000146648"]
EXPECTED = dict(zip(TWO, GENES, strict=True))
GTF = "".join(
    f'chr1\tx\texon\t{n}\t{n + 9}\t.\t+\t.\tgene_id "{gene}.4_2"; transcript_id "{name}.1";\n'
    for n, (name, gene) in enumerate(EXPECTED.items(), start=1)
)


@pytest.mark.parametrize(
    "text",
    [
        "TXNAME,GENEID\n" + "".join(f"{t}.3,{g}.12\n" for t, g in EXPECTED.items()),
        "".join(f"{t}\t{g}\n" for t, g in EXPECTED.items()),
        "".join(f"{t}\t{g}\tTP53\r\n" for t, g in EXPECTED.items()),
        'tx_id;gene_id\n"' + '\n"'.join(f'{t}";"{g}"' for t, g in EXPECTED.items()),
        "gene\ttranscript\n" + "".join(f"{g}\t{t}\n" for t, g in EXPECTED.items()),
        "".join(f"{t} {g}\n" for t, g in EXPECTED.items()) + f"\n{TWO[0]}.9_PAR_Y {GENES[0]}\n",
        f"#!genome-build x\n{GTF}",
    ],
    ids=["tximport", "tab", "alevin", "quoted", "swapped", "spaces", "gtf"],
)
def test_each_form_gives_the_same_map(tmp_path: Path, text: str) -> None:
    (tmp_path / "plain").write_text(text)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("plain", "packed.gz"):
        assert read_tx2gene(tmp_path / name) == EXPECTED


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a\tb\nt1\tg1\nt2\t\n", "row 3: found .*, expected a transcript and its gene"),
        (b"t1\tg1\nt1\tg2\n", "row 2: 't1' is of 'g2' here, and of 'g1' before"),
        (b"alone\n", "found 'alone' in its first row, expected two columns"),
        (b"", "found '' in its first row"),
        (b"tx\tgene\n", "a header, but no row"),
        (b"t1\tg\xff\n", "not UTF-8"),
        (b"t" * 200_000 + b"\tg1\n", "not a text table"),
        (b"%PDF-1.4 ", "a PDF document"),
        (GTF.replace("transcript_id", "tid").encode(), "no line has a transcript_id"),
    ],
)
def test_faults_are_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "tx2gene.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_tx2gene(path)


def test_a_table_of_transcripts_becomes_its_table_of_genes(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [["EGFR", GENES[1], "1956", "", "ENST00000000009"], ["TP53", GENES[0], "7157", "", TWO[1]]],
        columns=list(COLUMNS),
    )
    before = GeneMap(table)
    own = {TWO[0]: GENES[0], "NM_000546": "TP53", "MSTRG.1.1": "EGFR", TWO[1]: "MSTRG.9"}
    ids = [f"{TWO[0]}.7", "NM_000546.6", "MSTRG.1.1", "ENST00000000009", TWO[1], "NM_999999.1"]
    values = np.array([[10.0, 5.0, 3.0, 4.0, 7.0, 1.0]])
    mapped = MappedRows.from_ids(ids, before.with_transcripts(own))
    counts = mapped.rows.collapse(values, ["count"])[0][0]
    assert dict(zip(mapped.symbols, counts, strict=True)) == {"EGFR": 7, "MSTRG.9": 7, "TP53": 15}
    assert mapped.transcripts.all() and mapped.known.tolist() == [True] * 5 + [False]
    path = tmp_path / "genes.tsv.gz"
    before.with_transcripts(own).write(path)  # as a bundle keeps it
    again = GeneMap.read(path).to_symbols(ids)[0].tolist()
    assert again == ["TP53", "TP53", "EGFR", "EGFR", "MSTRG.9", ""]
