"""The command `tissuestate`, as someone in a hurry uses it."""

import gzip
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import ROOT
from tissuestate.command import main as command
from tissuestate.command.main import main

DATA = ROOT / "tests" / "data"
COUNTS = DATA / "counts.tsv"
Run = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with the small bundle: its exit code, what it says where, and its table."""

    def run_(name: str, *words: object, bundle: bool = True) -> SimpleNamespace:
        options = ["--bundle", str(DATA / "bundle")] if bundle else []
        monkeypatch.setattr(sys, "argv", ["tissuestate", name, *map(str, words), *options])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        table = None
        if out.startswith("sample\t"):
            table = pd.read_csv(io.StringIO(out), sep="\t", index_col=0, keep_default_na=False)
        return SimpleNamespace(code=end.value.code, out=out, err=err, table=table)

    return run_


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return pd.read_csv(COUNTS, sep="\t", index_col=0)


def write(frame: pd.DataFrame | pd.Series, path: str, **options: object) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, sep="\t", **options)
    return path


def test_help_and_usage_need_no_heavy_module() -> None:
    code = "import sys; from tissuestate.command import main; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "click" in loaded
    assert {"numpy", "pandas", "jinja2", "torch"}.isdisjoint(loaded)


def test_all_samples_of_a_table_are_called(run: Run) -> None:
    found = run("classify", COUNTS)
    assert (found.code, found.err) == (0, "")
    expected = {r["sample"]: r for r in json.loads((DATA / "calls.json").read_text())}
    assert list(found.table.index) == list(expected)
    for sample, record in expected.items():
        assert found.table.at[sample, "tissue"] == record["heads"]["tissue"]["call"]


def test_the_same_table_in_every_form_gets_the_same_calls(
    run: Run, counts: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anndata

    expected = run("classify", COUNTS).table.drop(columns=["input", "input_sha256"])
    text = COUNTS.read_bytes()
    Path("windows.tsv").write_bytes(text.replace(b"\n", b"\r\n"))
    Path("packed.tsv.gz").write_bytes(gzip.compress(text))
    counts.to_csv("commas.csv")
    counts.to_parquet("m.parquet")
    anndata.AnnData(counts.T.astype("float32")).write_h5ad("m.h5ad")
    gct = f"#1.2\n{len(counts)}\t{counts.shape[1]}\n"
    described = counts.rename_axis("NAME")
    described.insert(0, "Description", "")
    Path("m.gct").write_text(gct + described.to_csv(sep="\t"))
    os.mkfifo("pipe")
    Thread(target=lambda: Path("pipe").write_bytes(text), daemon=True).start()
    for name in (
        "windows.tsv",
        "packed.tsv.gz",
        "commas.csv",
        "m.parquet",
        "m.h5ad",
        "m.gct",
        "pipe",
    ):
        found = run("classify", name)
        assert (found.code, found.err) == (0, ""), name
        pd.testing.assert_frame_equal(
            found.table.drop(columns=["input", "input_sha256"]), expected, obj=name
        )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert run("classify", "-").table["input"].unique().tolist() == ["stdin"]


def test_files_of_one_sample_are_named_after_themselves(run: Run, counts: pd.DataFrame) -> None:
    one = counts["S66"]
    write(one, "P1.tsv", header=["counts"])
    write(one, "named.tsv")
    write(one, "P2.htseq.txt", header=False)
    rsem = {"transcript_id(s)": "", "length": 1, "effective_length": 1, "expected_count": one}
    write(
        pd.DataFrame({**rsem, "TPM": one, "FPKM": one}).rename_axis("gene_id"), "P3.genes.results"
    )
    salmon = {"Length": 1, "EffectiveLength": 1, "TPM": one, "NumReads": one}
    for sample in ("P4", "P5"):
        write(pd.DataFrame(salmon).rename_axis("Name"), f"{sample}/quant.sf")
    names = [
        "P1.tsv",
        "named.tsv",
        "P2.htseq.txt",
        "P3.genes.results",
        "P4/quant.sf",
        "P5/quant.sf",
    ]
    found = run("classify", *names).table
    assert found.index.tolist() == ["P1", "S66", "P2", "P3", "P4", "P5"]
    assert found["tissue"].nunique() == 1
    assert found["input"].tolist() == names


def test_equal_names_are_told_apart_and_a_file_given_twice_counts_once(
    run: Run, counts: pd.DataFrame
) -> None:
    two = counts[["S66", "S67"]]
    write(two, "a.tsv")
    write(two, "b.tsv")
    write(two[["S67"]].rename(columns={"S67": "only"}), "c.tsv")
    Path("more").mkdir()
    for name in ("x/P1.rep1.tsv", "x/P1.rep2.tsv", "y/P1.rep1.tsv"):
        write(counts["S66"], name, header=["count"])
    found = run("classify", "a.tsv", "*.tsv", "./a.tsv", "[xy]/*.tsv").table
    assert found.index.tolist() == [
        *("a.S66", "a.S67", "b.S66", "b.S67", "only"),
        *("x.P1.rep1", "P1.rep2", "y.P1.rep1"),
    ]


def test_a_broken_file_or_sample_does_not_stop_the_others(run: Run, counts: pd.DataFrame) -> None:
    frame = counts[["S66", "S67"]].astype(object)
    frame.iloc[3, 1] = "abc"
    write(frame, "some.tsv")
    Path("paper.pdf").write_bytes(b"%PDF-1.7\n\xe2\xe3")
    found = run("classify", "some.tsv", "nosuch.tsv", "paper.pdf")
    refused = found.table["refused"]
    assert found.code == 1
    assert "3 of 4 samples refused" in found.err
    assert refused["S66"] == ""
    assert "row 5, column 'S67': found 'abc'" in refused["S67"]
    assert refused["nosuch"] == "nosuch.tsv: no such matrix; correct its path."
    assert "a PDF document" in refused["paper"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nosuch.tsv", None, "no such matrix"),
        ("nosuch*.tsv", None, "no file matches"),
        (".", None, "a folder"),
        ("empty.tsv", b"", "0 bytes"),
        ("r.fastq", b"@r\nACGT\n+\nIIII\n", "snakemake classify"),
        ("r.bam", b"BAM\x01\0\0", "snakemake classify"),
        ("de.csv", b"gene,baseMean,log2FoldChange,padj\nTP53,1,2,3\n", "differential expression"),
        ("new.tsv", b"sample\tmatrix\nP1\tP1.tsv\nP2\tP2.tsv\n", "a sample sheet"),
        ("ftp://host/m.tsv", None, "http or https"),
        ("http://127.0.0.1:9/m.tsv", None, "cannot be downloaded"),
    ],
)
def test_if_no_file_can_be_read_each_says_why(
    name: str, content: bytes | None, expected: str, run: Run
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    found = run("classify", name, "--out", "calls")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"Error: {name}: ")
    assert expected in found.err
    assert not Path("calls").exists()


def test_a_transposed_table_is_one_fault_not_one_sample_per_gene(
    run: Run, counts: pd.DataFrame
) -> None:
    write(counts.T, "turned.tsv")
    found = run("classify", "turned.tsv")
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert "transpose the table" in found.err


def test_wrong_usage_is_exit_code_2(run: Run) -> None:
    assert "FILES" in run("classify").err
    assert "count, normalised, log2" in run("classify", COUNTS, "--unit", "reads").err
    assert "--out" in run("classify", COUNTS, "--explain").err
    found = run("classify", COUNTS, "--bundle", "nowhere", bundle=False)
    assert found.code == 2
    assert "no bundle.json" in found.err


def test_the_unit_can_be_stated(run: Run) -> None:
    table = run("classify", COUNTS, "--unit", "count").table
    assert table["unit_stated"].all()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An address at which the files of `served` are."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/cut.tsv":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(COUNTS.read_bytes())
            return None

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "served").mkdir()
    handler = partial(Handler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        Thread(target=host.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{host.server_port}"
        host.shutdown()


def test_an_address_is_downloaded_and_named_as_it_was_given(
    run: Run, server: str, counts: pd.DataFrame
) -> None:
    write(counts["S66"], "served/P1.txt", header=False)
    Path("served/page.tsv").write_text("<!DOCTYPE html><html>")
    names = [f"{server}/{name}" for name in ("P1.txt", "lost.tsv", "cut.tsv", "page.tsv")]
    table = run("classify", *names).table
    assert table["input"].tolist() == names
    assert table.index.tolist() == ["P1", "lost", "cut", "page"]
    assert table.at["P1", "refused"] == ""
    for sample, name, why in zip(
        ("lost", "cut", "page"), names[1:], ("404", "of 1,000,000 bytes", "a web page"), strict=True
    ):
        assert table.at[sample, "refused"].startswith(f"{name}: ")
        assert why in table.at[sample, "refused"]


def test_tables_and_pages_are_written_whatever_the_samples_are_called(
    run: Run, counts: pd.DataFrame
) -> None:
    names = ["Tumor 1/2", "tumor_1_2", "index", "../../x", "<b>&"]
    write(counts.iloc[:, :5].set_axis(names, axis=1), "m.tsv")
    found = run("classify", "m.tsv", "--out", "new/calls")
    assert (found.code, found.out) == (0, "")
    place = Path("new/calls")
    assert {path.name for path in place.iterdir()} == {"calls.tsv", "calls.json", "pages"}
    assert pd.read_csv(place / "calls.tsv", sep="\t")["sample"].tolist() == names
    records = json.loads((place / "calls.json").read_text())
    assert [record["sample"] for record in records] == names
    assert records[0]["bundle"]["fingerprint"]
    assert len(list((place / "pages").iterdir())) == len(names) + 1
    links = re.findall('href="([^"]+html)"', (place / "pages" / "index.html").read_text())
    assert {*links, "index.html"} == {path.name for path in (place / "pages").iterdir()}
    assert not Path("x.html").exists()


def test_results_replace_their_own_earlier_ones_and_nothing_else(
    run: Run, counts: pd.DataFrame
) -> None:
    write(counts.iloc[:, :2], "two.tsv")
    write(counts.iloc[:, 1:2], "one.tsv")
    place = Path("calls")
    run("classify", "two.tsv", "--out", place)
    (place / "notes.txt").write_text("mine")
    (place / "pages" / "notes.html").write_text("mine")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert run("classify", "lost.tsv", "--out", place).code == 2
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert run("classify", "one.tsv", "--out", place).code == 0
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    pages = {"pages/S67.html", "pages/index.html", "pages/notes.html"}
    assert files == {"calls.tsv", "calls.json", "notes.txt", *pages}
    (place / "calls.json").write_text("mine")
    found = run("classify", "one.tsv", "--out", place)
    assert found.code == 2
    assert "not written by this command" in found.err
    assert (place / "calls.json").read_text() == "mine"
    assert run("classify", "one.tsv", "--out", "one.tsv").code == 2


def test_genes_are_explained(run: Run, counts: pd.DataFrame) -> None:
    write(counts.iloc[:, :1], "one.tsv")
    assert run("classify", "one.tsv", "--out", "calls", "--explain").code == 0
    genes = pd.read_csv("calls/genes.tsv", sep="\t")
    assert set(genes["sample"]) == {"S66"}
    assert "Genes" in Path("calls/pages/S66.html").read_text()


def test_on_a_terminal_few_calls_are_lines_and_long_ones_are_broken(
    run: Run, counts: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    write(counts.iloc[:, :2], "two.tsv")
    found = run("classify", "two.tsv", "a-file-that-is-not-there.tsv")
    lines = found.out.splitlines()
    assert (found.code, found.err) == (1, "")
    assert max(map(len, lines)) <= 60
    assert any(line.startswith("S66") and "Liver, tumour" in line for line in lines)
    assert any(line.startswith("2 of 3 samples called by") for line in lines[-3:])


def test_check_says_what_was_recognised_and_calls_nothing(run: Run, counts: pd.DataFrame) -> None:
    frame = counts.iloc[:, :3].astype(object)
    frame.iloc[0, 1] = "abc"
    write(frame, "some.tsv")
    found = run("check", "some.tsv", "lost.tsv", "--json")
    assert found.code == 1
    some, lost = json.loads(found.out)
    assert (some["file"], some["layout"], some["samples"]) == ("some.tsv", "matrix", 3)
    assert some["units"] == [["count", "inferred", 3]]
    assert some["genes"][0][0].startswith("197 of 200 genes found")
    assert [samples for _, samples in some["refusals"]] == [["S67"]]
    assert (lost["layout"], lost["genes"]) == ("", [])
    text = run("check", "some.tsv", "lost.tsv").out
    assert "count, inferred from the values" in text
    assert "liver" not in text.lower()
    assert run("check", "lost.tsv").code == 2


def test_the_card_is_shown_and_described(run: Run) -> None:
    shown = run("card", DATA / "bundle", bundle=False)
    assert shown.out == (DATA / "bundle" / "MODEL_CARD.md").read_text()
    described = json.loads(run("card", DATA / "bundle", "--json", bundle=False).out)
    assert described["checksum"] and described["classes"]["tissue"] == ["kidney", "liver"]
    assert run("card", "nowhere", bundle=False).code == 2


def command_process(*words: object, **options: object) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "tissuestate.command", "classify", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "lib")}
    return subprocess.Popen([*call, "--bundle", str(DATA / "bundle")], env=environment, **options)


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with command_process(COUNTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.slow
def test_an_interrupted_command_leaves_nothing(folder: Path) -> None:
    os.mkfifo("pipe")  # which nobody writes to
    with command_process("pipe", "--out", "calls", stderr=subprocess.PIPE) as process:
        while not list(folder.glob("calls/.tissuestate-*")):
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"Interrupted; nothing was written.\n"
    assert process.returncode == 130
    assert not Path("calls").exists()


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal_alone(run: Run) -> None:
    assert run("classify", COUNTS, "--out", "a").err == "Start with a/pages/index.html\n"
    assert run("classify", COUNTS, "--out", "b", "--quiet").err == ""
    ours, theirs = pty.openpty()
    with command_process(COUNTS, "--out", "c", stderr=theirs):
        os.close(theirs)
        shown = b""
        while b"Start with" not in shown:
            shown += os.read(ours, 1 << 16)
    os.close(ours)
    assert b"24 samples" in shown
    assert b"100%" in shown


def test_of_a_file_that_cannot_be_read_no_genes_were_recognised(
    run: Run, counts: pd.DataFrame
) -> None:
    write(counts.iloc[:, :1], "one.tsv")
    table = pd.read_csv(io.StringIO(run("classify", "one.tsv", "lost.tsv").out), sep="\t")
    assert table["recognition"].isna().tolist() == [False, True]
