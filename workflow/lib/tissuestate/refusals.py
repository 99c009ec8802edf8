"""Samples that a job refused: a sentence in place of what it could not make."""

from collections.abc import Iterable
from pathlib import Path

from tissuestate.files import atomic


def paths_by_sample(paths: Iterable[str | Path], suffix: str) -> dict[str, str | Path]:
    """{sample: its file}, of files that are called as their samples with `suffix`."""
    return {Path(path).name.removesuffix(suffix): path for path in paths}


REFUSED = b"refused: "  # how a file begins that a job wrote in place of what it could not make


def read_refusal(path: str | Path) -> str:
    """Why a sample was refused, where this stands in the place of one of its files; else ''."""
    with Path(path).open("rb") as handle:
        if handle.read(len(REFUSED)) != REFUSED:
            return ""
        return handle.readline().decode("utf-8", errors="replace").strip()


def write_refusal(path: str | Path, sentence: str) -> None:
    """Write in the place of a sample's file why it was refused, in one line."""
    with atomic(path) as temporary:
        text = " ".join(sentence.splitlines())
        temporary.write_bytes(REFUSED + text.encode("utf-8") + b"\n")
