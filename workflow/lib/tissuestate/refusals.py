"""Refused samples: a sentence in place of each of their files."""

from collections.abc import Iterable
from pathlib import Path

from tissuestate.files import atomic


def paths_by_sample(paths: Iterable[str | Path], suffix: str) -> dict[str, str | Path]:
    """{sample: its file}, of files named SAMPLE + `suffix`."""
    return {Path(path).name.removesuffix(suffix): path for path in paths}


REFUSED = b"refused: "  # first bytes of a file that holds a refusal


def read_refusal(path: str | Path) -> str:
    """The reason of a refusal, read from a sample's file; '' if the sample was not refused."""
    with Path(path).open("rb") as handle:
        if handle.read(len(REFUSED)) != REFUSED:
            return ""
        return handle.readline().decode("utf-8", errors="replace").strip()


def write_refusal(path: str | Path, sentence: str) -> None:
    """Write the reason of a refusal, on one line, in place of a sample's file."""
    with atomic(path) as temporary:
        text = " ".join(sentence.splitlines())
        temporary.write_bytes(REFUSED + text.encode("utf-8") + b"\n")
