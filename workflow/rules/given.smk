# Files that config and sheet name: their checksums, and removal of results made from other files.
import json
from functools import cache
from itertools import chain

from tissuestate.startup.fingerprints import Checksums, digest_of, remove_outdated

CHECKSUMS = Checksums(".snakemake/tissuestate/checksums.json")
READS = ("fastq_1", "fastq_2", "bam")
REFERENCE = [config["reference"][kind]["path"] for kind in ("genome", "annotation")]
REFERENCE += [config["reference"]["transcripts"]] if config["reference"]["transcripts"] else []
LABELS = [str(path) for path in (SAMPLES, CLASSES) if path]
GENES = [config["tx2gene"]] if config["tx2gene"] else []


def files_of_sample(sample, columns=(*READS, "matrix")):
    """The files that a sample's row names, in the order of the columns."""
    return [file for column in columns for file in ROWS[sample][column].split(",") if file]


def file_checksums(files):
    """The SHA-256 of each file; None for a file that is not here before the run.

    Large reads files of a cohort, which may be a hundred terabytes, are not read whole.
    """
    look_up = CHECKSUMS.full_checksum if CLASSIFYING else CHECKSUMS.sampled_checksum
    return [look_up(file) if is_on_disk(file) else None for file in files]


def input_fingerprints(*files):
    """Checksums of files of the user: a parameter of the rules that read them.

    Snakemake compares no content of a file that is older than its results, so that it misses an
    older file put in the place of another.
    """
    return [checksum for checksum in file_checksums(filter(None, files)) if checksum]


def reads_fingerprints(wildcards):
    """Checksums of a sample's FASTQ files or BAM, by column."""
    return [input_fingerprints(*files_of_sample(wildcards.sample, (column,))) for column in READS]


def flaw_of_sample(wildcards):
    """Why a new sample is refused whose file is of another kind than its column expects; else ''."""
    if not CLASSIFYING or FILES_ARE_FETCHED:
        return ""
    if workflow.is_main_process:
        return FLAWS.get(wildcards.sample, "")
    return find_flaws(SHEET.loc[[wildcards.sample]]).get(wildcards.sample, "")


def user_files():
    """{file: place that names it} of every local file of config and sheet."""
    named = dict.fromkeys(LABELS, "config") | dict.fromkeys(GENES, "tx2gene")
    if FROM_READS:
        named |= dict.fromkeys(REFERENCE, "reference")
    for sample in ROWS:
        named |= dict.fromkeys(files_of_sample(sample), f"sample {sample!r}")
    return {file: place for file, place in named.items() if file and is_on_disk(file)}


def written_by_this_run(file, roots):
    """Whether a rule of this run writes to a path of the user's, however it is spelled.

    roots: {real path: path in this run} of each folder of results.
    """
    real = os.path.realpath(file)
    for folder, root in roots.items():
        if real.startswith(f"{folder}/"):
            path = f"{root}{real[len(folder) :]}"
            if any(maker.is_producer(path) for maker in workflow.rules):
                return True
    return False


# What to do if a file that the config names is missing.
ADVICE = {
    "reference": "correct its path, or name the config of your reference with --configfile",
    "tx2gene": "correct its path, or leave the key out if the matrices hold genes",
}


def check_user_files():
    """Stop if this run would write over a file of the user, or if one that the config names is missing.

    Then compute all checksums in parallel. Called when all rules are known.
    """
    files = user_files()
    roots = {
        os.path.realpath(path): path for path in map(path_in_run, ("<results>", "<reference>"))
    }
    for file, place in files.items():
        if place in ADVICE and not os.path.isfile(file):
            stop(
                f"config: {place}: there is no file {file!r} (looked for {os.path.abspath(file)}); "
                f"{ADVICE[place]}."
            )
        if written_by_this_run(file, roots):
            stop(
                f"{place}: {file!r} is where this run writes a file of its own, and would be "
                "written over; move it out of the folder of results."
            )
    reference = [file for file, place in files.items() if place == "reference"]
    others = [file for file, place in files.items() if place != "reference"]
    try:
        CHECKSUMS.look_up_all(reference, sampled=True)
        CHECKSUMS.look_up_all(others, sampled=not CLASSIFYING)
    except InputError as error:
        stop(error)


def reference_fingerprints(*files):
    """Checksums of files of the reference, the same in training and classification, which share it.

    The demo makes its own, which are not here before its first run.
    """
    is_made = lambda file: config["demo"] and Path(file).is_relative_to("results/demo")
    given = [file for file in files if file and is_on_disk(file) and not is_made(file)]
    return [checksum for checksum in map(CHECKSUMS.sampled_checksum, given) if checksum]


def reference_digest():
    return digest_of(reference_fingerprints(*REFERENCE), config["reference"]["star_overhang"])


def reads_digest(sample):
    """Digest of all that decides the counts and the mRIN profile of a sample."""
    row = [ROWS[sample][column] for column in ("sra", "strandedness")]
    files = [file_checksums(files_of_sample(sample, (column,))) for column in READS]
    return digest_of(files, row, config["trim"], reference_digest())


@cache
def bundle_fingerprint():
    """The checksum that the bundle states; its files are verified when it is opened."""
    try:
        description = json.loads(find_description(BUNDLE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return description.get("checksum") if isinstance(description, dict) else None


def calls_digest():
    """Digest of all that decides the calls: bundle, rows, files, reference, code."""
    decides = ("origin", "column", "unit", "strandedness", "sra")
    rows = [[name, *(ROWS[name][column] for column in decides)] for name in ROWS]
    files = [file_checksums(files_of_sample(name, ("matrix",))) for name in ROWS]
    reads = [reads_digest(name) for name in FROM_READS]
    scripts = ("classification/classify_samples.py", "classification/write_pages.py")
    code = [script_digest(script) for script in scripts]
    genes = file_checksums(GENES)
    return digest_of(bundle_fingerprint(), rows, files, reads, code, EXPLAINED, genes)


def check_place_of_calls():
    """Stop if files of another program are where the calls would be written."""
    names = ("calls.tsv", "calls.json", "genes.tsv", "pages")
    there = [name for name in names if Path(path_in_run(f"<results>/{name}")).exists()]
    ours = ("<results>/made_from.json", "<logs>/classify_samples.log")
    if there and not any(Path(path_in_run(path)).exists() for path in ours):
        stop(
            f"{path_in_run('<results>')} holds {there[0]}, which this workflow did not make; "
            "classify into another folder: 'pathvars={results: FOLDER}'."
        )


def check_bundle():
    """Stop at a damaged bundle before hours of alignment, after outdated calls are removed."""
    try:
        read_bundle(BUNDLE)
    except InputError as error:
        stop(error)


def products_of_reads(sample):
    patterns = ("counts/{}.tsv", "counts/{}.tsv.summary", "integrity/profiles/{}.npz")
    patterns += ("alignment/{}.Log.final.out", "alignment/{}.bam", "alignment/{}.bam.bai")
    return [path_in_run(f"<results>/{pattern.format(sample)}") for pattern in patterns]


def is_locked(files):
    """Whether another run makes one of the files now; Snakemake will then refuse this run."""
    locks = Path(".snakemake/locks").glob("*")
    held = set(
        chain.from_iterable(lock.read_text().splitlines() for lock in locks if lock.is_file())
    )
    return not held.isdisjoint(files)


def after_removing_outdated(files):
    """An input function that returns `files`, after outdated results are removed.

    Snakemake calls input functions when it knows whether it will run jobs, and before it does.
    """

    def inputs(wildcards):
        remove_outdated_results()
        return files(wildcards) if callable(files) else files

    return inputs


@cache
def remove_outdated_results():
    """Remove results of other files, rows, bundle or reference, before a run begins.

    Snakemake records what results were made from, but its record may be lost, or set aside with
    --rerun-triggers mtime. A call must belong to its sample even then.
    """
    if not workflow.is_main_process or FILES_ARE_FETCHED:
        return
    if workflow.executor_plugin is None or workflow.dryrun:
        return
    if workflow.touch and CLASSIFYING:
        return
    if CLASSIFYING:
        check_place_of_calls()
    made_from = {f"sample {name}": reads_digest(name) for name in FROM_READS}
    products = {f"sample {name}": products_of_reads(name) for name in FROM_READS}
    if CLASSIFYING:
        made_from["calls"] = calls_digest()
        names = ("calls.tsv", "calls.json", "genes.tsv", "pages")
        names += ("integrity/mrin.tsv", "integrity/reference.txt", "integrity/transcripts.bed")
        products["calls"] = [path_in_run(f"<results>/{name}") for name in names]
    else:
        made_from["cohort"] = digest_of(file_checksums([*LABELS, *GENES, *MATRICES]))
        products["cohort"] = [path_in_run("<results>/cohort/samples.tsv")]
        products["cohort"] += [path_in_run("<results>/cohort/cohort.h5ad")]
    records = [(path_in_run("<results>/made_from.json"), made_from, products, not CLASSIFYING)]
    if FROM_READS:
        names = ("genome.fa", "annotation.gtf", "chromosomes.tsv", "genome.dict", "transcripts.bed")
        made = [*STAR_INDEX, *(f"<reference>/{name}" for name in names)]
        reference = {"reference": reference_digest()}
        place = path_in_run("<reference>/made_from.json")
        records.append((place, reference, {"reference": list(map(path_in_run, made))}, True))
    for record, digests, files, adopt in records:
        if is_locked(chain.from_iterable(files.values())):
            continue
        if workflow.touch:  # existing results are accepted as made from the present files
            files = dict.fromkeys(files, ())
        try:
            removed = remove_outdated(record, digests, files, adopt)
        except InputError as error:
            stop(error)
        if removed:
            logger.info(
                f"Removed results that were made from other inputs: {', '.join(removed[:5])}"
                + (f" and {len(removed) - 5} more" if len(removed) > 5 else "")
            )
    if CLASSIFYING:
        check_bundle()


def bundle_to_match(wildcards, input):
    """The bundle whose reference this must be; '' in training.

    The parameter `input` keeps Snakemake from running the rule again for another bundle.
    """
    return BUNDLE or ""
