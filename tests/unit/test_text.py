"""What a file is, by its first bytes, whatever its name says."""

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.errors import InputError, suggest_nearest
from tissuestate.matrices.read import read_matrix
from tissuestate.text import detect_kind, open_content, read_text

TABLE = b"gene\ts1\ts2\n" + b"".join(b"G%d\t%d\t7\n" % (i, i) for i in range(50))


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            kind = "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x"
            archive.writestr(name, kind)
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("counts.tsv")
        entry.size = len(TABLE)
        archive.addfile(entry, io.BytesIO(TABLE))
    return buffer.getvalue()


def numpy_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(9.0))
    return buffer.getvalue()


def feather() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"s1": [1.0]}).to_feather(buffer)
    return buffer.getvalue()


NO_TABLES = {
    "compressed with bzip2": bz2.compress(TABLE),
    "compressed with xz": lzma.compress(TABLE),
    "compressed with lzma": lzma.compress(TABLE, lzma.FORMAT_ALONE),
    "compressed with zstd": b"\x28\xb5\x2f\xfd\x24\x01" + bytes(30),
    "an Excel workbook": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "a LibreOffice spreadsheet": zipped("mimetype"),
    "arrays of numpy": zipped("x.npy"),
    "an Excel workbook or a zip file": zipped("counts.tsv"),
    "an Excel workbook (.xls)": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "a web page": b"\n<!DOCTYPE html>\n<html><head>",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3",
    "a tar archive": tar(),
    "an array of numpy": numpy_file(),
    "a Python pickle": pickle.dumps(np.arange(9.0)),
    "a Feather or Arrow file": feather(),
    "an R file (.rds)": b"X\n\0\0\0\3\0\4\2\1",
    "an R file (.RData)": b"RDX3\nX\n\0\0\0\3",
    "UTF-16 text": TABLE.decode().encode("utf-16"),
    "a MatrixMarket file": b"%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1\n",
    "a FASTQ file": b"@r1\nACGT\n+\nIIII\n",
    "a FASTA file": b">chr1\nACGT\n",
    "a BAM file": b"BAM\1" + bytes(20),
    "a CRAM file": b"CRAM\3\0" + bytes(20),
    "a SAM file": b"@HD\tVN:1.6\n",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    "a file of zero bytes": bytes(5000),
    "a binary file of unknown kind": bytes(range(1, 200)),
}


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("name", NO_TABLES)
def test_files_that_are_no_table_are_named_and_not_read(
    name: str, gz: bool, tmp_path: Path
) -> None:
    content = NO_TABLES[name]
    path = tmp_path / "counts.tsv"
    path.write_bytes(gzip.compress(content) if gz else content)
    assert detect_kind(path).name.startswith(name)
    assert detect_kind(path).zipped == gz
    sentence = name.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(InputError, match=sentence) as caught:
        read_matrix(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=sentence):
        read_text(path)


def test_gzip_in_gzip_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "counts.tsv.gz"
    path.write_bytes(gzip.compress(gzip.compress(TABLE)))
    with pytest.raises(InputError, match="packed twice with gzip: unpack it once"):
        read_matrix(path)


def test_utf16_without_its_mark_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "counts.tsv").write_bytes(TABLE.decode().encode("utf-16-le"))
    assert detect_kind(tmp_path / "counts.tsv").name == "UTF-16 text"


@pytest.mark.parametrize("text", [
    *("gene\ts1\n", "RDX\t10\nCRAM1\t5\n", "PAR1\t4\n", "BZh\t1\n", "A\n2", "# note\ngene\ts1\n"),
    *("gene;s1\n", "é\ts1\n", "\ufeffgene\ts1\n", "@weird\ts1\n", ">x\ts1\n", "", "\n\n"),
])  # fmt: skip
def test_text_is_recognised_as_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text, encoding="utf-8")
    assert detect_kind(tmp_path / "x").name == ""


def test_empty_gzip_members_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"") + gzip.compress(TABLE))
    assert detect_kind(tmp_path / "x.gz").head == TABLE
    with open_content(tmp_path / "x.gz") as stream:
        assert stream.read() == TABLE


def block(content: bytes) -> bytes:
    """A block as bgzip writes it (SAM specification, section 4.1)."""
    packed = bytearray(gzip.compress(content))
    size = len(packed) + 8 - 1
    extra = b"\x06\x00BC\x02\x00" + size.to_bytes(2, "little")
    return bytes(packed[:3]) + b"\x04" + bytes(packed[4:10]) + extra + bytes(packed[10:])


def test_blocks_of_bgzip_end_with_their_mark(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv.gz"
    end = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
    path.write_bytes(block(TABLE) + end)
    assert read_matrix(path).values.shape == (2, 50)
    path.write_bytes(block(TABLE))
    with pytest.raises(InputError, match=r"truncated or damaged .the block that marks its end"):
        read_matrix(path)


@pytest.mark.parametrize(
    ("word", "words", "found"),
    [
        ("P-1-T", ["XP.1.T", "XP.2.N"], "XP.1.T"),
        ("P_1_T", ["P-1-T", "P-2-N"], "P-1-T"),
        ("1-T", ["X1.T", "X2.T"], "X1.T"),
        ("p1", ["P1", "P22"], "P1"),
        ("TCGA-A7-A0CE", ["TCGA.A7.A0CE.01", "TCGA.B6.A0IM.01"], "TCGA.A7.A0CE.01"),
        ("P 1", ["P1", "Q1"], "P1"),
        ("kidny", ["kidney", "liver"], "kidney"),
        ("--", ["a", "b"], ""),
        ("spleen", ["kidney", "liver"], ""),
    ],
)
def test_the_suggestion_ignores_case_and_punctuation(word, words, found) -> None:
    assert suggest_nearest(word, words) == (f" Did you mean {found!r}?" if found else "")
