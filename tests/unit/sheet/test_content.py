"""The files that a sheet names are looked at before anything runs."""

import bz2
import gzip
import lzma
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.errors import InputError
from tissuestate.sheet.content import check_files
from tissuestate.sheet.sheet import read_sheet

PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n"
FIRST = b"".join(b"@r%d/1\nACGTAC%s\n+\nIIIIIII\n" % (i, b"ACGT"[i % 4 :][:1]) for i in range(40))
SECOND = FIRST.replace(b"/1", b"/2").replace(b"ACGTAC", b"TTGCAA")
BAM = gzip.compress(b"BAM\1" + bytes(100))
CRAM = b"CRAM\3\0" + bytes(30)


@pytest.fixture
def check(tmp_path: Path):
    def check(**cells: bytes) -> None:
        names = {}
        for column, content in cells.items():
            (tmp_path / column).write_bytes(content)
            names[column] = str(tmp_path / column)
        sheet = tmp_path / "sheet.tsv"
        sheet.write_text(
            "\t".join(["sample", *names]) + "\n" + "\t".join(["P1", *names.values()]) + "\n"
        )
        check_files(read_sheet(sheet, labelled=False))

    return check


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_of_the_expected_kinds_are_accepted(pack, check):
    check(fastq_1=pack(FIRST), fastq_2=pack(SECOND))
    check(fastq_1=pack(b"\n\n" + FIRST))
    check(fastq_1=pack(b">r1\nACGT\n"))
    check(fastq_1=pack(b"@r1\n" + b"ACGT" * 5000 + b"\n+\n" + b"IIII" * 5000 + b"\n"))
    check(bam=BAM)
    check(bam=CRAM)
    check(matrix=pack(b"gene\ts1\nTP53\t1\n"))


@pytest.mark.parametrize(
    ("column", "content", "sentence"),
    [
        ("fastq_1", bz2.compress(FIRST), "compressed with bzip2; expected FASTQ.*bunzip2"),
        ("fastq_1", lzma.compress(FIRST), "compressed with xz; expected FASTQ.*unxz"),
        ("fastq_1", PAGE, "a web page; expected FASTQ"),
        ("fastq_1", gzip.compress(PAGE), "a web page, packed with gzip"),
        ("fastq_1", gzip.compress(b""), r"is empty \(gzip of nothing\)"),
        ("fastq_1", b"", "is empty"),
        ("fastq_1", BAM, "a BAM file, packed with gzip; expected FASTQ.*under bam"),
        ("fastq_1", b"@HD\tVN:1.6\n", "a SAM file; expected FASTQ"),
        ("fastq_1", b"gene\ts1\nTP53\t1\n", "text that begins with b'gene"),
        ("fastq_1", CRAM, "a CRAM file; expected FASTQ.*under bam"),
        ("bam", FIRST, "a FASTQ file; expected BAM or CRAM; name it .* under fastq_1"),
        ("bam", gzip.compress(CRAM), "a CRAM file, packed with gzip; expected BAM or CRAM"),
        ("bam", b"@SQ\tSN:chr1\tLN:5\n", "a SAM file; expected BAM or CRAM; make BAM of it"),
        ("bam", gzip.compress(b"@SQ\tSN:chr1\tLN:5\n"), "a SAM file, packed with gzip"),
        ("bam", b"chr1\t5\n", "text that begins with b'chr1"),
        ("matrix", FIRST, "a FASTQ file; expected a table"),
        ("matrix", lzma.compress(b"gene\ts1\n"), "compressed with xz; expected a table"),
        ("matrix", gzip.compress(PAGE), "a web page, packed with gzip; expected a table"),
        ("matrix", gzip.compress(b"PAR1\0\0"), "a Parquet file, packed with gzip"),
    ],
)
def test_a_file_of_another_kind_is_named_with_its_kind(column, content, sentence, check):
    with pytest.raises(InputError, match=sentence) as caught:
        check(**{column: content})
    assert str(caught.value).startswith(f"sample 'P1', column {column}: ")


@pytest.mark.parametrize(
    "second",
    [FIRST, FIRST.replace(b"/1", b"/2"), gzip.compress(FIRST, 1), FIRST.replace(b"\n", b"\r\n")],
    ids=["copy", "renamed reads", "packed otherwise", "other line ends"],
)
def test_mates_with_equal_reads_are_refused(second, check):
    with pytest.raises(InputError, match="begin with the same reads, so both are the same mate"):
        check(fastq_1=gzip.compress(FIRST), fastq_2=second)


def test_damage_beyond_the_first_bytes_is_not_looked_for(check):
    bases = np.random.default_rng(0).choice(np.frombuffer(b"ACGT", np.uint8), 99_999).tobytes()
    damaged = bytearray(gzip.compress(b"@r1\n" + bases + b"\n+\n" + bases + b"\n"))
    damaged[9000:9100] = b"\xff" * 100
    check(fastq_1=bytes(damaged), fastq_2=SECOND)


def test_thousands_of_files_take_seconds(tmp_path: Path):
    table = tmp_path / "m.tsv"
    table.write_text("gene\ts1\nTP53\t1\n")
    names = [f"P{i}" for i in range(5000)]
    sheet = pd.DataFrame({"sample": names, "matrix": str(table)})
    sheet[["fastq_1", "fastq_2", "bam"]] = ""
    start = time.perf_counter()
    check_files(sheet)
    assert time.perf_counter() - start < 10
