"""A missing program is named with the command that installs it."""

from pathlib import Path

import pytest
from tissuestate.startup import tools
from tissuestate.startup.tools import DEBIAN_R_PACKAGES, DEBIAN_TOOLS, has_gpu, missing_tools


def program(folder: Path, name: str, text: str = "") -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_there_is_no_sentence_if_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in DEBIAN_TOOLS:
        program(tmp_path, tool, "echo sva; echo org.Hs.eg.db; echo base")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert missing_tools(DEBIAN_TOOLS, DEBIAN_R_PACKAGES) is None


def test_each_missing_tool_is_named_with_its_package_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "STAR")
    monkeypatch.setenv("PATH", str(tmp_path))
    sentence = missing_tools(DEBIAN_TOOLS)
    assert sentence is not None
    assert "STAR" not in sentence
    assert "featureCounts, samtools, fastp, prefetch, fasterq-dump, Rscript;" in sentence
    assert sentence.count("sra-toolkit") == 1
    assert "'make setup'" in sentence
    assert "subread samtools fastp sra-toolkit r-base-core'" in sentence


def test_r_packages_are_looked_for_in_r(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "Rscript", "echo base; echo sva")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    sentence = missing_tools({}, DEBIAN_R_PACKAGES)
    assert sentence is not None
    assert "not on this machine: R package org.Hs.eg.db;" in sentence
    monkeypatch.setenv("PATH", "/nowhere")
    sentence = missing_tools({}, DEBIAN_R_PACKAGES)
    assert sentence is not None
    assert "R package sva, R package org.Hs.eg.db" in sentence


def test_setup_installs_every_package_that_may_be_named(root: Path) -> None:
    lines = (root / "envs/debian.txt").read_text().splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    assert {*DEBIAN_TOOLS.values(), *DEBIAN_R_PACKAGES.values()} <= listed


def test_a_gpu_is_found_by_its_driver_unless_it_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "DRIVER", tmp_path / "gpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not has_gpu()
    (tmp_path / "gpus" / "0000:17:00.0").mkdir(parents=True)
    assert has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not has_gpu()
