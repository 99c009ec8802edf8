"""Alignments: the intervals of the reads in a BAM or CRAM file.

BAM is decoded in blocks with numpy: a Python object per read would cost more than everything else
together, so the file is decompressed in blocks (by several threads, if wanted) and the fields of
all records in a block are gathered at once. Formats: SAM/BAM specification, sections 4.1 (BGZF)
and 4.2 (BAM).
CRAM is read with pysam, its sequences left out, so that it needs no reference.
"""

import struct
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from tissuestate.errors import InputError
from tissuestate.reference.chromosomes import header_checksums
from tissuestate.text import is_cram

if TYPE_CHECKING:
    from pysam import AlignmentFile

try:  # the same functions, two to three times faster
    from isal import isal_zlib as codec
except ImportError:
    import zlib as codec  # type: ignore[no-redef]

DeflateError = cast(type[Exception], codec.error)
MIN_MAPQ = 30
EXCLUDED_FLAGS = 1548  # unmapped, mate unmapped, failed by the sequencer's filters, duplicate
# Flag, place, mapping quality, CIGAR, and the mate's place, on which some flags rest. htslib looks
# for the reference only if sequences or template lengths are decoded.
_CRAM_FIELDS = 0xFE
_CRAM_BATCH = 1 << 16  # reads at a time
_BATCH = 1 << 20  # compressed bytes decoded at a time
_NAME = 36  # where the name stands in a record
_STRIDE = 8192  # bytes between guessed records
_FAR = 8 * _STRIDE  # distance of guesses from which they cost more than they save
_MIN_PREFIX = 3
_LONGEST = 1 << 27  # bytes of a record: the longest reads with all their tags take a tenth
_PAD = 64  # zero bytes after a block of records, so that fixed-size views stay inside it
_CORE = np.dtype(
    [
        ("ref", "<i4"),
        ("pos", "<i4"),
        ("name_length", "u1"),
        ("mapq", "u1"),
        ("bin", "<u2"),
        ("operations", "<u2"),
        ("flag", "<u2"),
        ("bases", "<i4"),
        ("mate_ref", "<i4"),
    ]
)
_ON_READ = np.uint32(0b1_1001_0011)  # M I S = X (0 1 4 7 8) advance along the read
_ON_REFERENCE = np.uint32(0b1_1000_1101)  # M D N = X (0 2 3 7 8) advance along the reference
_BROKEN = "the file is damaged, or the program that wrote it has a fault; make it again."


@dataclass(frozen=True)
class Intervals:
    """Reads as intervals: chromosome number, first base, one past the last base; int64 each."""

    ref: np.ndarray
    start: np.ndarray
    end: np.ndarray


@contextmanager
def _open_alignments(path: Path, threads: int = 1) -> Iterator["AlignmentFile"]:
    """Open a BAM or CRAM file, htslib silenced; no sequences are decoded."""
    import pysam

    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an existing BAM or CRAM file.")
    options = [f"required_fields={_CRAM_FIELDS:#x}", "decode_md=0"] if is_cram(path) else None
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.AlignmentFile(
            str(path), "rb", check_sq=False, format_options=options, threads=threads
        ) as handle:
            if not handle.is_bam and not handle.is_cram:
                raise InputError(f"{path}: a {handle.format} file, expected BAM or CRAM.")
            yield handle
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as BAM or CRAM ({error}): it is of another format, damaged or "
            "cut off; copy or make it again."
        ) from error
    finally:
        pysam.set_verbosity(verbosity)


def read_chromosome_lengths(bam: str | Path) -> dict[str, int]:
    """The chromosomes of a BAM or CRAM file with their lengths, in the order of its header.

    Raises InputError if the file is missing, of another format, or cut off at its end.
    """
    with _open_alignments(Path(bam)) as handle:
        return dict(zip(handle.references, handle.lengths, strict=True))


def sequence_checksums(bam: str | Path) -> dict[str, str]:
    """The MD5 of each chromosome's bases, by name, as far as the header of a file states them.

    CRAM does, BAM rarely.
    """
    with _open_alignments(Path(bam)) as handle:
        return header_checksums(str(handle.header))


def read_intervals(bam: str | Path, threads: int = 1) -> Iterator[Intervals]:
    """Yield the intervals of the reads that pass, some ten thousand at a time, in file order.

    A read passes if none of `EXCLUDED_FLAGS` is set, its mapping quality is at least `MIN_MAPQ`
    and it has a position; it reaches from its first to its last aligned base, introns and
    deletions inside it included. No index is needed, and of CRAM no reference. Memory does not
    depend on the file's size. Raises InputError if the file is truncated or damaged.
    """
    path = Path(bam)
    return _intervals_of_cram(path, threads) if is_cram(path) else _intervals_of_bam(path, threads)


def _intervals_of_cram(path: Path, threads: int) -> Iterator[Intervals]:
    with _open_alignments(path, threads) as handle:
        passing = (
            (read.reference_id, read.reference_start, read.reference_end)
            for read in handle
            if not read.flag & EXCLUDED_FLAGS
            and read.mapping_quality >= MIN_MAPQ
            and read.reference_id >= 0
            and read.reference_start >= 0
        )
        while batch := list(islice(passing, _CRAM_BATCH)):
            columns = zip(*((r, a, a if b is None else b) for r, a, b in batch), strict=True)
            yield Intervals(*(np.array(column, np.int64) for column in columns))


def _intervals_of_bam(path: Path, threads: int) -> Iterator[Intervals]:
    data, size, prefix = bytearray(_PAD), 0, b""
    header, chromosomes = True, 0
    for blocks in _decompress_blocks(path, threads):
        needed = size + sum(map(len, blocks)) + _PAD
        if needed > len(data):
            data = data[:size] + bytes(2 * needed - size)
        with memoryview(data) as view:
            for block in blocks:
                view[size : size + len(block)] = block
                size += len(block)
        begin = 0
        if header:
            begin, chromosomes = _end_of_header(data, size, path)
            header = not begin
            if header and size < _LONGEST:
                continue
        offsets, rest = _record_offsets(data, begin, size, prefix)
        if len(offsets):
            prefix = prefix or _common_prefix(data, offsets)
            yield _decode_records(data, offsets, chromosomes, path)
        if header or (size - rest >= 4 and struct.unpack_from("<I", data, rest)[0] > _LONGEST):
            raise InputError(f"{path}: a record is longer than any read: {_BROKEN}")
        data[: size - rest] = data[rest:size]
        size -= rest
    if size or header:
        raise InputError(f"{path}: ends in the middle of a record: the file is cut off.")


def _decompress_blocks(path: Path, threads: int) -> Iterator[list[bytes]]:
    """Yield the uncompressed BGZF blocks of a file in lists of some megabytes."""
    with path.open("rb") as handle:
        if threads < 2:
            for batch in _read_batches(handle, path):
                yield _inflate_blocks(batch, path)
            return
        with ThreadPoolExecutor(threads - 1) as pool:
            waiting: deque[Future[list[bytes]]] = deque()
            for batch in _read_batches(handle, path):
                waiting.append(pool.submit(_inflate_blocks, batch, path))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def _read_batches(handle: BinaryIO, path: Path) -> Iterator[list[memoryview]]:
    """Yield lists of whole compressed BGZF blocks."""
    left = b""
    last = 0
    while fresh := handle.read(_BATCH):
        data = left + fresh
        view, batch, start = memoryview(data), [], 0
        while start + 18 <= len(data):
            if data[start : start + 4] != b"\x1f\x8b\x08\x04" or data[start + 12 : start + 14] != (
                b"BC"
            ):
                raise InputError(f"{path}: damaged at a BGZF block, or no BAM file; copy it again.")
            last = max(struct.unpack_from("<H", data, start + 16)[0] + 1, 18)
            if start + last > len(data):
                break
            batch.append(view[start : start + last])
            start += last
        left = data[start:]
        if batch:
            yield batch
    if left or last != 28:  # an empty block of 28 bytes marks the end
        raise InputError(
            f"{path}: the end-of-file mark is missing: the file is cut off, or was still being "
            "written; copy or make it again."
        )


def _inflate_blocks(batch: list[memoryview], path: Path) -> list[bytes]:
    """Uncompress BGZF blocks, their checksums verified."""
    if any(struct.unpack_from("<I", block, len(block) - 4)[0] > 65536 for block in batch):
        raise InputError(f"{path}: damaged at a BGZF block that is larger than any; copy it again.")
    try:
        return [codec.decompress(block, 31, 65536) for block in batch]
    except DeflateError as error:
        raise InputError(f"{path}: damaged inside ({error}); copy or make it again.") from error


def _end_of_header(data: bytearray, size: int, path: Path) -> tuple[int, int]:
    """Offset of the first record and number of chromosomes; (0, 0) if data[:size] ends before."""
    if data[:4] != b"BAM\x01":
        raise InputError(f"{path}: no BAM file; expected alignments in BAM format.")
    try:
        (at,) = struct.unpack_from("<I", data, 4)
        at += 8
        (count,) = struct.unpack_from("<I", data, at)
        at += 4
        for _ in range(count):
            at += 8 + struct.unpack_from("<I", data, at)[0]
    except struct.error:
        return 0, 0
    return (at, count) if at <= size else (0, 0)


def _record_offsets(
    data: bytearray, begin: int, size: int, prefix: bytes = b""
) -> tuple[np.ndarray, int]:
    """Offsets of the whole records in data[begin:size], and that of the first partial one.

    prefix: how the names of reads begin, as far as known. Each record states only where the next
    one begins, but records further on can be guessed from their names; the chains from all
    guesses are then followed at once. A chain that ends exactly where the next one begins proves
    that guess; if one does not, or guesses are too rare to be worth it, the records are followed
    one by one.
    """
    starts = _guess_starts(data, begin, size, prefix)
    if (np.diff(starts, append=size) < _FAR).all():
        words = _strided_view(data, np.dtype("<u4"))
        found, ends = _follow_chains(words, starts, np.append(starts[1:], size - 3))
        if (ends[:-1] == starts[1:]).all():
            at = int(ends[-1])
            return (found, at) if at <= size else (found[:-1], int(found[-1]))
    chain: list[int] = []
    append, unpack = chain.append, struct.Struct("<I").unpack_from
    at, last = begin, size - 4
    while at <= last:
        append(at)
        at += unpack(data, at)[0] + 4
    if at > size:
        at = chain.pop()
    return np.array(chain, np.int64), at


def _guess_starts(data: bytearray, begin: int, size: int, prefix: bytes) -> np.ndarray:
    """Offsets at which records may begin: `begin`, then about every `_STRIDE` bytes, ascending."""
    if len(prefix) < _MIN_PREFIX:
        return np.array([begin], np.int64)
    marks = range(begin + _STRIDE, size, _STRIDE)
    names = [data.find(prefix, mark, min(mark + _STRIDE, size)) for mark in marks]
    guesses = np.array([begin + _NAME, *(name for name in names if name > 0)], np.int64)
    return guesses - _NAME


def _follow_chains(
    words: np.ndarray, starts: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow chains of records from `starts` up to `limits`: all offsets met, and their ends."""
    at, met = starts, []
    while (going := at < limits).any():
        met.append(at)
        sizes = words[np.minimum(at, limits)]  # chains that have ended may point anywhere
        at = np.where(going, at + sizes + 4, at)
    steps = np.array(met, np.int64).reshape(-1, len(starts)).T
    return steps[steps < limits[:, None]], at


def _common_prefix(data: bytearray, offsets: np.ndarray) -> bytes:
    """The prefix that the names of some of the reads share."""
    some = offsets[:: max(1, len(offsets) // 16)].tolist()
    names = [bytes(data[at + _NAME : at + _NAME + data[at + 12] - 1]) for at in some]
    first, last = min(names), max(names)  # what these two share, all share
    length = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return first[:length]


def _strided_view(data: bytearray, dtype: np.dtype) -> np.ndarray:
    """An array whose element i is what stands at byte i (i is often unaligned)."""
    return np.ndarray(len(data) - dtype.itemsize + 1, dtype, data, strides=(1,))


def _check_records(
    data: bytearray, offsets: np.ndarray, core: np.ndarray, chromosomes: int, path: Path
) -> None:
    """Raise InputError if parts of a record exceed it or its chromosome is not in the header."""
    sizes = _strided_view(data, np.dtype("<u4"))[offsets].astype(np.int64)
    bases = core["bases"].astype(np.int64)
    names = core["name_length"].astype(np.int64)
    parts = _NAME - 4 + names + 4 * core["operations"].astype(np.int64)
    wrong = (bases < 0) | (names == 0) | (parts + (bases + 1) // 2 + bases > sizes)
    if wrong.any():
        raise InputError(f"{path}: the parts of a record exceed it: {_BROKEN}")
    ends = np.frombuffer(data, np.uint8)[offsets + _NAME + names - 1]
    if ends.any():
        raise InputError(f"{path}: the name of a read has another length than stated: {_BROKEN}")
    for ref in (core["ref"], core["mate_ref"]):
        if ((ref < -1) | (ref >= chromosomes)).any():
            raise InputError(
                f"{path}: a read lies on a chromosome that the header lacks: {_BROKEN}"
            )


def _decode_records(
    data: bytearray, offsets: np.ndarray, chromosomes: int, path: Path
) -> Intervals:
    """The intervals of the records at `offsets` that pass, after all have been checked."""
    core = _strided_view(data, np.dtype(f"V{_CORE.itemsize}"))[offsets + 4].view(_CORE)
    _check_records(data, offsets, core, chromosomes, path)
    passing = (core["flag"] & EXCLUDED_FLAGS) == 0
    passing &= core["mapq"] >= MIN_MAPQ
    passing &= (core["ref"] >= 0) & (core["pos"] >= 0)
    chosen = np.flatnonzero(passing)
    core = core.take(chosen)
    operations = core["operations"].astype(np.int64)
    cigar = offsets[chosen] + _NAME + core["name_length"]

    words = _strided_view(data, np.dtype("<u4"))
    span, read = (
        _advanced_bases(words[cigar], _ON_REFERENCE),
        _advanced_bases(words[cigar], _ON_READ),
    )
    span[operations == 0] = 0
    several = np.flatnonzero(operations > 1)
    if len(several):
        counts = operations[several]
        ends = np.cumsum(counts)
        within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        these = words[np.repeat(cigar[several], counts) + 4 * within]
        span[several] = np.add.reduceat(_advanced_bases(these, _ON_REFERENCE), ends - counts)
        read[several] = np.add.reduceat(_advanced_bases(these, _ON_READ), ends - counts)
    if ((read != core["bases"]) & (operations > 0) & (core["bases"] > 0)).any():
        raise InputError(f"{path}: a read is aligned with other bases than it has: {_BROKEN}")
    start = core["pos"].astype(np.int64)
    return Intervals(core["ref"].astype(np.int64), start, start + span)


def _advanced_bases(operations: np.ndarray, kinds: np.uint32) -> np.ndarray:
    """Bases that each operation of a CIGAR advances along the reference or the read.

    kinds: one bit per operation, set if it advances.
    """
    return (operations >> 4).astype(np.int64) * ((kinds >> (operations & 15)) & 1)
