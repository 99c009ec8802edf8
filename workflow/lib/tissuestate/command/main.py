"""The command `tissuestate`: its options, its exit codes, and what it says where.

Heavy modules are imported by the functions that need them, so that --help answers at once.
"""

import json
import logging
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from tissuestate.command.progress import Progress
from tissuestate.errors import InputError

if TYPE_CHECKING:
    from tissuestate.advance import Advance
    from tissuestate.classification.classifier import Classifier
    from tissuestate.classification.explanation import Explainer
    from tissuestate.command.calls import Calls

CALLED, SOME_REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130  # exit codes

FILES = click.argument("files", nargs=-1, required=True, metavar="FILES...")
BUNDLE = click.option(
    "--bundle", metavar="DIR", help="The trained model.  [default: the one that comes along]"
)
UNIT = click.option(
    "--unit",
    metavar="UNIT",
    default="",
    help="Unit of all values: count, normalised (TPM, FPKM, CPM), log2 (of those + 1), or a "
    "logarithm such as 'log2(x+0.001)' or 'ln(x+1)'. "
    "[default: inferred from the values of each sample]",
)
TX2GENE = click.option(
    "--tx2gene",
    metavar="FILE",
    help="The genes of transcripts, for tables of transcripts: two columns, or a GTF.",
)
QUIET = click.option("--quiet", is_flag=True, help="No progress bar, no summary.")
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def main() -> None:
    """Run the command; the process ends with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is no reason
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())  # what matters is said of each sample
    try:  # not command.main(), which takes a closed pipe for a failure
        with command.make_context("tissuestate", sys.argv[1:]) as context:
            code = command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        error.show()
        code = UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        click.echo("\n" * sys.stderr.isatty() + "Interrupted; nothing was written.", err=True)
        sys.stdout.flush()
        os._exit(INTERRUPTED)  # a reading thread of pyarrow would abort the usual end
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CALLED
    except InputError as error:
        for reason in getattr(error, "reasons", [error]):
            click.echo(f"Error: {reason}", err=True)
        code = UNUSABLE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}.", err=True)
        code = UNUSABLE
    sys.exit(code)


def _show_version(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        from tissuestate.bundle.format import VERSION

        click.echo(f"tissuestate {VERSION}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def command() -> None:
    """Disease state, tissue of origin and tumour subtype from RNA-seq.

    Research only; not a medical device.
    """


@command.command()
@FILES
@click.option("--out", metavar="DIR", help="Folder for calls.tsv, calls.json and pages/.")
@BUNDLE
@UNIT
@TX2GENE
@click.option("--explain", is_flag=True, help="Also the genes behind each call, with --out.")
@QUIET
def classify(
    files: tuple[str, ...],
    out: str | None,
    bundle: str | None,
    unit: str,
    tx2gene: str | None,
    explain: bool,
    quiet: bool,
) -> int:
    """Call all samples of count tables.

    FILES are tables of genes by samples (TSV, CSV, GCT, Parquet, h5ad) or of one sample, as
    featureCounts, STAR, RSEM, salmon, kallisto, htseq-count and GDC write them: paths, quoted
    patterns, addresses (https://...), or - for standard input.

    Without --out the calls go to the terminal as text, and to a pipe or a file as a table (TSV).

    Exit code: 0, or 1 if some samples were refused, or 2 if no file can be read.
    """
    _check_unit(unit)
    if explain and out is None:
        raise click.UsageError("--explain writes a table of genes; name a folder with --out.")
    classifier = _load(bundle, tx2gene)
    if out is None:
        with Progress(quiet, steps=2) as progress:
            calls = _call(classifier, files, unit, progress)
        _print_calls(calls)
        return _end(calls, quiet)
    from tissuestate.command.folder import replaced_results

    explainer = _explainer(classifier) if explain else None
    with replaced_results(Path(out)) as folder, Progress(quiet, steps=3) as progress:
        calls = _call(classifier, files, unit, progress)
        _write(folder, classifier, calls, explainer, progress.advance)
    if not quiet:
        if sys.stdout.isatty():
            _print_calls(calls)
        click.echo(f"Start with {Path(out, 'pages', 'index.html')}", err=True)
    return _end(calls, quiet)


@command.command()
@FILES
@BUNDLE
@UNIT
@TX2GENE
@JSON
@QUIET
def check(
    files: tuple[str, ...],
    bundle: str | None,
    unit: str,
    tx2gene: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say what is recognised in FILES, and what would be refused.

    Layout, number of samples, gene ids, unit, warnings and refusals of each file; no call. FILES
    and exit codes are those of classify.
    """
    from tissuestate.command.recognition import recognition_facts

    _check_unit(unit)
    with Progress(quiet, steps=2) as progress:
        calls = _call(_load(bundle, tx2gene), files, unit, progress)
    facts = recognition_facts(calls, unit)
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
    else:
        _print_text("recognition.txt.j2", {"files": facts})
    return SOME_REFUSED if (calls.table["refused"] != "").any() else CALLED


@command.command()
@click.argument("bundle", required=False, metavar="[BUNDLE]")
@JSON
def card(bundle: str | None, as_json: bool) -> int:
    """Show the model card of a bundle.

    What it was trained on, what was measured, and what it must not be used for. With --json, the
    bundle's description: classes, metrics, limits, config, versions, checksums.
    """
    from tissuestate.bundle.format import CARD, read_bundle

    found = read_bundle(_find_bundle(bundle))
    if as_json:
        click.echo(json.dumps(found.description, indent=1, ensure_ascii=False))
        return CALLED
    if not found.path(CARD).is_file():
        raise InputError(f"{found.folder}: the bundle has no {CARD}; --json shows its description.")
    click.echo(found.path(CARD).read_text(encoding="utf-8").rstrip("\n"))
    return CALLED


def _check_unit(unit: str) -> None:
    from tissuestate.labels import STATED_UNITS, is_unit

    if unit and not is_unit(unit):
        raise click.UsageError(f"--unit: found {unit!r}, expected one of {STATED_UNITS}.")


def _find_bundle(folder: str | None) -> str | Path:
    """The folder of the bundle that was named, or of the one that comes along."""
    from tissuestate.bundle.format import DESCRIPTION, PRETRAINED

    if folder is None and not (PRETRAINED / DESCRIPTION).is_file():
        raise InputError("no bundle comes with this installation; name the folder of one.")
    return PRETRAINED if folder is None else folder


def _load(bundle: str | None, tx2gene: str | None) -> "Classifier":
    from tissuestate.classification.classifier import Classifier

    return Classifier.load(_find_bundle(bundle), tx2gene)


def _explainer(classifier: "Classifier") -> "Explainer":
    from tissuestate.classification.explanation import Explainer

    return Explainer(classifier)


def _call(
    classifier: "Classifier", files: tuple[str, ...], unit: str, progress: Progress
) -> "Calls":
    """The calls of all samples of the files."""
    from tissuestate.command.calls import call_files
    from tissuestate.command.files import find_files

    with TemporaryDirectory(prefix="tissuestate-") as folder:
        given = find_files(files, Path(folder), progress.show_download)
        return call_files(classifier, given, unit, progress.begin)


def _write(
    folder: Path,
    classifier: "Classifier",
    calls: "Calls",
    explainer: "Explainer | None",
    advance: "Advance",
) -> None:
    """Write tables and pages into an empty folder."""
    from datetime import date

    from tissuestate.bundle.format import read_bundle
    from tissuestate.classification.output import write_calls, write_genes
    from tissuestate.classification.page import Background
    from tissuestate.command.folder import AS_JSON, CALLS, GENES, PAGES
    from tissuestate.report.sample_pages import write_pages

    write_calls(calls.table, calls.records, folder / CALLS, folder / AS_JSON)
    genes = None
    if explainer is not None:
        from tissuestate.classification.explanation import explain_calls

        genes = explain_calls(explainer, calls.new.frames, calls.table)
        write_genes(genes, folder / GENES)
    background = Background.of(read_bundle(classifier.folder), f"{date.today()}")
    write_pages(folder / PAGES, calls.records, background, genes, advance)


def _print_calls(calls: "Calls") -> None:
    """Calls on standard output: as text on a terminal, else as a table."""
    if not sys.stdout.isatty():
        from tissuestate.classification.output import calls_text

        click.echo(calls_text(calls.table), nl=False)
        return
    from tissuestate.bundle.format import page_facts
    from tissuestate.classification.page import Background
    from tissuestate.report.ending import call_facts

    background = Background(page=page_facts(calls.description))
    _print_text("calls.txt.j2", call_facts(calls.records, background))


def _print_text(template: str, facts: dict[str, Any]) -> None:
    """A text of lines, long ones broken on a terminal and indented below their second column."""
    import shutil
    import textwrap
    from html import unescape

    from tissuestate.report.render import render

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in unescape(render(template, facts)).splitlines():
        line = "".join(c if c.isprintable() else "?" for c in line)
        if width and len(line) > width:
            indent = " " * min(len(line) - len(line.lstrip()) + 9, width // 2)
            line = textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)
        click.echo(line)


def _end(calls: "Calls", quiet: bool) -> int:
    """The exit code; that samples were refused is said, with the first reason."""
    from tissuestate.report.ending import LISTED

    refused = [record for record in calls.records if record["refused"]]
    if not refused:
        return CALLED
    is_listed = sys.stdout.isatty() and len(calls.records) <= LISTED
    if not (quiet or is_listed):
        first = f"{refused[0]['sample']!r}: {refused[0]['refused']}"
        more = f" (and {len(refused) - 1} more: column 'refused')" if refused[1:] else ""
        click.echo(
            f"{len(refused)} of {len(calls.records)} samples refused: {first}{more}", err=True
        )
    return SOME_REFUSED
