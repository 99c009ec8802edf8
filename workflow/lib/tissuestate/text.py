"""Kinds of files, recognised by their first bytes, and the content of text files."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tissuestate.errors import InputError

HEAD = 4096  # bytes from which the kind is recognised
BOM = b"\xef\xbb\xbf"
PARQUET, HDF5 = "a Parquet file", "an HDF5 file"
BAM, CRAM, SAM = "a BAM file", "a CRAM file", "a SAM file"
FASTQ, FASTA, SRA = "a FASTQ file", "a FASTA file", "an SRA archive"
READS = (BAM, CRAM, SAM, FASTQ, SRA)
_GZIP = b"\x1f\x8b"
_END_OF_BLOCKS = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

_AS_TEXT = "save the table as text separated by tabs"
_UTF8 = "save it as tab-separated UTF-8 text"
_AGAIN = "download or copy the file again"
_FROM_R = "write the table in R with write.table(x, FILE, sep = '\\t', quote = FALSE)"
_AS_PARQUET = "write it as Parquet or as text separated by tabs"
_IN_SHEET = "name it in a sample sheet, under"
_BY_GZIP = "or pack it with gzip instead"
# First bytes of the files of each kind. Letters alone count only if other bytes are not text.
_MAGIC: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    ((_GZIP,), "a gzip file", "it is packed twice with gzip: unpack it once"),
    ((b"BZh",), "compressed with bzip2", f"unpack it with bunzip2, {_BY_GZIP}"),
    ((b"\xfd7zXZ\0",), "compressed with xz", f"unpack it with unxz, {_BY_GZIP}"),
    ((b"\x28\xb5\x2f\xfd",), "compressed with zstd", f"unpack it with unzstd, {_BY_GZIP}"),
    ((b"\x04\x22\x4d\x18",), "compressed with lz4", f"unpack it with unlz4, {_BY_GZIP}"),
    ((b"LZIP",), "compressed with lzip", f"unpack it with lzip -d, {_BY_GZIP}"),
    ((b"\x5d\0\0",), "compressed with lzma", f"unpack it with unlzma, {_BY_GZIP}"),
    ((b"\x1f\x9d",), "compressed with compress", f"unpack it with uncompress, {_BY_GZIP}"),
    ((b"7z\xbc\xaf\x27\x1c",), "a 7-Zip archive", "unpack it with 7z x"),
    ((b"Rar!\x1a\x07",), "a RAR archive", "unpack it"),
    ((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",), "an Excel workbook (.xls)", _AS_TEXT),
    ((b"\x89HDF\r\n\x1a\n",), HDF5, _AS_TEXT),
    ((b"PAR1",), PARQUET, _AS_TEXT),
    ((b"PARE",), "an encrypted Parquet file", "write it without encryption"),
    ((b"ARROW1", b"FEA1"), "a Feather or Arrow file", _AS_PARQUET),
    ((b"X\n\0\0\0", b"A\n2\n", b"A\n3\n", b"B\n\x02\0", b"B\n\x03\0"), "an R file (.rds)", _FROM_R),
    ((b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n"), "an R file (.RData)", _FROM_R),
    ((b"\x93NUMPY",), "an array of numpy (.npy)", _AS_TEXT),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle", _AS_PARQUET),
    ((b"SQLite format 3\0",), "an SQLite database", _AS_TEXT),
    ((b"MATLAB ",), "a MATLAB file", _AS_TEXT),
    ((b"%PDF-",), "a PDF document", "give the table itself as text"),
    ((b"{\\rtf",), "a document of a word processor", _AS_TEXT),
    ((b"\x89PNG\r\n", b"\xff\xd8\xff"), "a picture", "give the table itself as text"),
    ((b"BAM\x01",), BAM, f"{_IN_SHEET} bam"),
    ((b"CRAM",), CRAM, f"{_IN_SHEET} bam"),
    ((b".sra", b"NCBI.sra"), SRA, "make FASTQ of it with fasterq-dump"),
    ((b"\xff\xfe\0\0", b"\0\0\xfe\xff"), "UTF-32 text", _UTF8),
    ((b"\xff\xfe", b"\xfe\xff"), "UTF-16 text", _UTF8),
    ((b"%%MatrixMarket",), "a MatrixMarket file, which names no genes", f"{_AS_TEXT}, ids first"),
    ((b"version https://git-lfs",), "a pointer of Git LFS", "fetch the file with git lfs pull"),
    ((b"CDF\x01", b"CDF\x02"), "a NetCDF file", _AS_TEXT),
)  # fmt: skip
_ZIPS = (
    (b".npy", "arrays of numpy (.npz)", _AS_TEXT),
    (b"opendocument", "a LibreOffice spreadsheet", _AS_TEXT),
    (b"[Content_Types].xml", "an Excel workbook", _AS_TEXT),
    (b"xl/", "an Excel workbook", _AS_TEXT),
    (b"_rels/", "an Excel workbook", _AS_TEXT),
)
_PATTERNS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"(?i)\s*(<!doctype html|<html|<head|<body)"), "a web page", _AGAIN),
    (re.compile(rb"\s*<(\?xml|Error>)"), "an XML file", f"{_AGAIN}, or {_AS_TEXT}"),
    (re.compile(rb"@(HD|SQ|RG|PG|CO)\t"), SAM, "make BAM of it with samtools view -b"),
    (re.compile(rb"@[^\n]*\r?\n[A-Za-z.*-]*\r?\n\+"), FASTQ, f"{_IN_SHEET} fastq_1"),
    (re.compile(rb">[^\n]*\r?\n[A-Za-z*-]+\r?(\n|\Z)"), FASTA, _AS_TEXT),
    (re.compile(rb"\s*[{\[]\s*[\"{\[]"), "a JSON file", _AS_TEXT),
    (re.compile(rb"(?s).{257}ustar"), "a tar archive", "unpack it with tar -x"),
)  # fmt: skip
_TEXT_BYTES = bytes({*b"\t\n\v\f\r", *range(32, 256)})


@dataclass(frozen=True)
class Kind:
    """Kind of a file: its name ('' = apparently plain text) and the advice for its user."""

    name: str
    advice: str
    zipped: bool  # gzip around it
    head: bytes  # its first bytes, unzipped

    def __str__(self) -> str:
        inside = f"{self.name}, packed with gzip" if self.zipped else self.name
        return inside if self.name else "text"


def detect_kind(path: str | Path) -> Kind:
    """The kind of a file, from its first bytes; of a gzip file that of what is packed.

    Raises InputError for a file that cannot be opened, and for gzip that is damaged there.
    """
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    zipped = head.startswith(_GZIP)
    if zipped:
        try:
            head = _unzip_head(head)
        except zlib.error as error:
            raise _damage_error(path, error) from error
    return Kind(*_recognise_kind(head), zipped, head)


def is_cram(path: str | Path) -> bool:
    """Whether a file begins as CRAM does."""
    with Path(path).open("rb") as stream:
        return stream.read(4) == b"CRAM"


def _unzip_head(head: bytes) -> bytes:
    """The first bytes of the unpacked content; empty blocks are skipped."""
    found = b""
    while head and not found:
        block = zlib.decompressobj(31)
        found, head = block.decompress(head, HEAD), block.unused_data
    return found


def _recognise_kind(head: bytes) -> tuple[str, str]:
    if head.startswith(b"PK\x03\x04"):
        for mark, name, advice in _ZIPS:
            if mark in head:
                return name, advice
        return "an Excel workbook or a zip file", f"unpack it, or {_AS_TEXT}"
    binary = bool(head.translate(None, _TEXT_BYTES))
    for magic, name, advice in _MAGIC:
        if any(head.startswith(m) and (binary or not m.isalnum()) for m in magic):
            return name, advice
    head = head.removeprefix(BOM)
    for pattern, name, advice in _PATTERNS:
        if pattern.match(head):
            return name, advice
    if not binary:
        return "", ""
    if not head.strip(b"\0"):
        return "a file of zero bytes, as a failed copy leaves", _AGAIN
    if max(head[start::2].count(0) for start in (0, 1)) > len(head) / 4:
        return "UTF-16 text", _UTF8
    return "a binary file of unknown kind", _AS_TEXT


@contextmanager
def open_content(path: str | Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unzipped and without BOM.

    Raises InputError for gzip that is damaged or cut short: in a block, or between the blocks that
    bgzip writes, the last of which marks the end.
    """
    path = Path(path)
    with path.open("rb") as raw:
        start = raw.read(16)
        zipped = start.startswith(_GZIP)
        if zipped and start[3:4] == b"\x04" and start[12:14] == b"BC":
            raw.seek(-min(len(_END_OF_BLOCKS), path.stat().st_size), 2)
            if raw.read() != _END_OF_BLOCKS:
                raise _damage_error(path, "the block that marks its end is missing")
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            if stream.read(len(BOM)) != BOM:
                stream.seek(0)
            yield stream  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damage_error(path, error) from error


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file without BOM, with \\n line ends; InputError if it is none."""
    kind = detect_kind(path)
    if kind.name or kind.zipped:
        advice = kind.advice if kind.name else "unpack it with gunzip"
        raise InputError(f"{path}: {kind}; expected tab-separated UTF-8 text: {advice}.")
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, row {row}: its text is not UTF-8 (byte {error.start}); save it as a "
            "tab-separated UTF-8 file."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _damage_error(path: str | Path, reason: object) -> InputError:
    return InputError(
        f"{path}: the gzip file is truncated or damaged ({reason}); copy or download it again."
    )
