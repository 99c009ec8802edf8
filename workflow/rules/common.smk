# Every function that the rules use: the library's place, the sheet, paths, memory and time.
import gc
import os
import sys
from pathlib import Path

from snakemake.logging import logger
from snakemake_interface_storage_plugins.exceptions import FileOrDirectoryNotFoundError

# A plan is millions of objects that stay: looking for garbage among them less often saves an eighth
# of the time.
gc.set_threshold(1_000_000, 10, 10)

MODIFIER = workflow.modifier  # of this workflow, also where another uses it as a module
WORKFLOW = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).resolve().parent
LIBRARY = WORKFLOW / "lib"
sys.path.insert(0, str(LIBRARY))


def put_first(variable, folder):
    """Put a folder in front of a search path that every job inherits."""
    rest = os.environ.get(variable)
    os.environ.update({variable: os.pathsep.join(filter(None, [str(folder), rest]))})


put_first("PYTHONPATH", LIBRARY)
# Programs that came with this Python, MultiQC among them, are found without activating its environment.
put_first("PATH", Path(sys.executable).parent)
# Threads that wait sleep: on a shared machine spinning ones make a training step ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from tissuestate.bundle.format import find_description, read_bundle
from tissuestate.startup.config import check_config, check_yaml, complete_config, write_out
from tissuestate.demo.sheet import check_no_other_sheet, check_own_folder, check_simulated
from tissuestate.errors import InputError
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet
from tissuestate.sheet.content import check_files, flaws
from tissuestate.startup import digests
from tissuestate.labels import features_of_model
from tissuestate.text import is_cram
from tissuestate.startup.tools import DEBIAN_R_PACKAGES, DEBIAN_TOOLS, missing_tools
from tissuestate.models.trials import Schedule


def stop(sentence):
    """End with a sentence for the person who runs the workflow, and nothing around it."""
    logger.error(f"Error: {sentence}")
    sys.exit(1)


# What the command line and the files say; of a module's config neither is known.
OVERRIDES = {} if MODIFIER.skip_configfile else workflow.config_settings.config
CONFIG_FILES = [] if MODIFIER.skip_configfile else workflow.configfiles
try:
    for file in CONFIG_FILES:
        check_yaml(file)
    config = complete_config(config, WORKFLOW.parent / "config" / "defaults.yaml", OVERRIDES)
    check_config(
        config,
        WORKFLOW / "schemas" / "config.schema.yaml",
        files=CONFIG_FILES,
        overrides=write_out(OVERRIDES, OVERRIDES),
    )
except InputError as error:
    stop(error)

BUNDLE = config["classify"]["bundle"]
# Whether new samples are called by a trained bundle; else the workflow trains one.
CLASSIFYING = BUNDLE is not None


wildcard_constraints:
    sample=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    task="multitask|subtype",
    features="pca|rf|all",
    model="[a-z_]+",
    round=r"\d+",
    worker=r"\d+",


# ---- config and sheet ---------------------------------------------------------------------------


# Whether jobs fetch their inputs from a storage, or share a disk.
FILES_ARE_FETCHED = bool(workflow.storage_settings.default_storage_provider)
# Whether the demo's reads are simulated: to train on, not to classify.
DEMO = None if CLASSIFYING else config["demo"]


def simulated(path):
    """Whether the demo makes this file, which is in its own folder then."""
    return bool(DEMO) and Path(path).is_relative_to("results/demo")


def is_here(path):
    """Whether a file that config or sheet name is on this disk from the beginning."""
    return not (FILES_ARE_FETCHED or "://" in path or simulated(path))


def shipped(path):
    """A path in the working directory or, where there is no such file, in the workflow's own tree."""
    return local(path if Path(path).exists() else str(WORKFLOW.parent / path))


def concrete(path):
    """The path of a result in this run: pathvars filled in, below the prefix of a module."""
    return MODIFIER.path_modifier.replace_prefix(MODIFIER.pathvars.apply(path))


def given(path):
    """A file of samples or reference as config or sheet name it: a local path, or an address.

    The prefix of a module is for what the workflow makes, not for what it is given.
    """
    if path.startswith("recount3://"):
        project = ".".join(Path(path.removeprefix("recount3://")).parts)
        return f"<results>/matrices/recount3/{project}.parquet"
    if "://" in path:
        return storage(path)
    prefixed = MODIFIER.path_modifier.prefix
    return str(Path(path).absolute()) if prefixed and is_here(path) else path


def warn_of_components(samples):
    """Say now what PCA would say after hours of alignment, where the cohort is not RNAseqDB's too."""
    components = config["features"]["components"]
    if components > samples and not config["rnaseqdb"]:
        logger.warning(
            f"config: features: components is {components}, but the sheet has {samples} samples, of "
            f"which about {samples * config['split']['fractions'][0]:.0f} are for training: set it to "
            "fewer than those."
        )


FLAWS = {}  # of new samples, why they are refused: their files are of another kind than named


def check_sheet_files(sheet):
    """Stop at the first file of another kind; of new samples refuse those, if others are left."""
    if not CLASSIFYING:
        check_files(sheet)
        return
    FLAWS.update(flaws(sheet))
    if FLAWS and len(FLAWS) == len(sheet):
        raise InputError(next(iter(FLAWS.values())))
    for sentence in FLAWS.values():
        logger.warning(f"Warning: {sentence} This sample will be refused.")


def load_sheet():
    """The sample sheet, checked; an empty one where the cohort comes from RNAseqDB alone."""
    try:
        classes = ClassTable.read(CLASSES)
        if CLASSIFYING and (
            SAMPLES is None or (config["demo"] and Path(SAMPLES) == Path(DEMO_SHEET))
        ):
            raise InputError(
                "classify needs your samples beside the bundle: --config bundle=FOLDER samples=SHEET."
            )
        if SAMPLES is None:
            if not config["rnaseqdb"]:
                raise InputError(
                    "config: 'samples' names no sheet; give the path of your sample sheet, or name a "
                    "config that does with --configfile."
                )
            return None
        if DEMO and workflow.is_main_process:
            check_no_other_sheet(SAMPLES)
            check_own_folder(concrete("results/demo"))
        sheet = read_sheet(SAMPLES, classes, labelled=not CLASSIFYING)
        # Not in each job: it may run where the files of other samples are not.
        if workflow.is_main_process and DEMO:
            check_simulated(sheet, concrete("results/demo/reads"))
        if workflow.is_main_process and not FILES_ARE_FETCHED:
            check_sheet_files(sheet[sheet["origin"] != "fastq"] if DEMO else sheet)
        if workflow.is_main_process and CLASSIFYING:
            find_description(BUNDLE)
        elif workflow.is_main_process:
            warn_of_components(len(sheet))
        return sheet.set_index("sample", drop=False)
    except InputError as error:
        stop(error)


DEMO_SHEET = shipped("resources/demo.tsv")
SAMPLES = config["classify"]["samples"] if CLASSIFYING else config["samples"]
SAMPLES = None if SAMPLES is None else shipped(SAMPLES)
CLASSES = shipped(config["classes"])
SHEET = load_sheet()
ROWS = {} if SHEET is None else SHEET.to_dict("index")
FROM_READS = [] if SHEET is None else list(SHEET.index[SHEET["origin"] != "matrix"])
MATRICES = [] if SHEET is None else sorted(set(SHEET["matrix"]) - {""})
HAS_SUBTYPES = SHEET is None or ("subtype" in SHEET and any(SHEET["subtype"] != ""))
# Explaining takes longer than classifying: unasked, only where the sheet is short.
EXPLAINED = config["classify"]["explain"]
if EXPLAINED is None:
    EXPLAINED = SHEET is not None and len(SHEET) <= 100
TASKS = ["multitask", "subtype"] if HAS_SUBTYPES else ["multitask"]

MODELS = [f"dl_{kind}" for kind in config["features"]["kinds"]] + config["benchmark"]["models"]
PROTOCOL_FEATURES = sorted({features_of_model(model) for model in config["protocols"]["models"]})
FEATURES_OF = {model: features_of_model(model) for model in MODELS}
BUNDLED = f"dl_{config['bundle_features']}"


def final_products():
    """What a plain run ends with: calls of new samples, or the trained bundle and all of its report."""
    if CLASSIFYING:
        return ["<results>/calls.tsv", "<results>/pages"]
    products = [
        "<results>/bundle/bundle.json",
        f"<results>/report/genes.html",
        "<results>/benchmark/benchmark.tsv",
        "<results>/report/summary.html",
        "<results>/report/paper.tsv",
        "<results>/ro-crate-metadata.json",
        "<results>/report/figures/expression/pca.png",
        f"<results>/report/figures/trust/{BUNDLED}.sets.png",
        "<results>/report/figures/benchmark/accuracy.png",
        *expand(
            "<results>/report/figures/training/{task}.{features}.learning.png",
            task=TASKS,
            features=config["features"]["kinds"],
        ),
        *expand(
            "<results>/report/figures/evaluation/{model}.confusion.png",
            model=[m for m in MODELS if m.startswith("dl_")],
        ),
    ]
    if protocol_predictions():
        products.append("<results>/protocols/protocols.html")
    if FROM_READS:
        products += [
            "<results>/quality/multiqc.html",
            "<results>/report/figures/integrity/mrin.png",
        ]
    return products


def stop_without_reference(kind):
    stop(
        f"config: reference: {kind}: path names no file, but samples from reads need one; name it "
        "there, or the config of your reference with --configfile."
    )


for kind in ("genome", "annotation"):
    if FROM_READS and config["reference"][kind]["path"] is None:
        stop_without_reference(kind)


# ---- tools --------------------------------------------------------------------------------------


def check_tools():
    """Name every tool that the run needs and the PATH lacks, before anything starts."""
    if not workflow.is_main_process or workflow.deployment_settings.deployment_method:
        return  # asked already, or conda or a container brings them
    tools = set() if CLASSIFYING else {"Rscript"}
    if FROM_READS:
        tools |= {"STAR", "samtools", "featureCounts"}
        tools |= {"fastp"} if config["trim"] else set()
        tools |= {"prefetch", "fasterq-dump"} if "sra" in set(SHEET["origin"]) else set()
    r_packages = {} if CLASSIFYING else DEBIAN_R_PACKAGES
    sentence = missing_tools({tool: DEBIAN_TOOLS[tool] for tool in tools}, r_packages)
    if sentence:
        stop(sentence)


check_tools()


# ---- the code that a rule's result depends on ---------------------------------------------------


def code_digest(script):
    """A rule's parameter: the digest of the library's code that its script runs.

    So an edit of that code reruns the rule, and a copy with other times reruns nothing. Computed
    for the rules that are planned alone.
    """

    def digest(wildcards):
        return digests.code_digest(LIBRARY / "tissuestate", WORKFLOW / "scripts" / script)

    return digest


# ---- memory and time ----------------------------------------------------------------------------


def size_mb(input):
    """The inputs' size; nothing where a job of the same group has yet to make one of them.

    Snakemake's own `size_mb`, which knows files in a storage, takes minutes with 10,000 samples.
    """
    try:
        if any(file.is_storage for file in input):
            return max(input.size_mb, 0)
        return sum(os.path.getsize(file) for file in input) / 2**20
    except (FileNotFoundError, FileOrDirectoryNotFoundError):
        return 0


def memory(base, per_input=0.0):
    """MB: a base and a multiple of the inputs' size, doubled with each attempt."""

    def mem_mb(wildcards, input, attempt):
        return int((base + per_input * size_mb(input)) * 2 ** (attempt - 1))

    return mem_mb


def minutes(base, per_gb=0.0):
    """Minutes: a base and a multiple of the inputs' size in GB, doubled with each attempt."""

    def runtime(wildcards, input, attempt):
        return int((base + per_gb * size_mb(input) / 1000) * 2 ** (attempt - 1))

    return runtime


def network_threads(wildcards):
    """One thread for a network of few features: its layers are done before a second one is awake.

    Measured on two cores: 300 features three times as fast with one as with two, 2,000 about equal.
    """
    return 4 if wildcards.features == "all" else 1


def align_threads():
    """Eight for real reads; the demo's samples are so small that they go side by side instead."""
    return 1 if DEMO else 8


# ---- report ---------------------------------------------------------------------------------------


def figure(name, category):
    """A figure of the report; its caption is the file named like the last part of its name."""
    kind = Path(name).name.rpartition(".")[2]
    of = "{task}, {features}" if "{task}" in name else "{model}" if "{model}" in name else "cohort"
    return report(
        f"<results>/report/figures/{name}.png",
        caption=f"../report/{kind}.rst",
        category=category,
        labels={"figure": kind, "of": of},
    )


# ---- inputs -------------------------------------------------------------------------------------


def is_url(path):
    return str(path).startswith(("http://", "https://"))


def reference_file(kind):
    """The genome or annotation as given: a local file, or the download of its URL."""
    path = config["reference"][kind]["path"]
    if path is None:
        return lambda wildcards: stop_without_reference(kind)
    return f"<reference>/downloads/{Path(path).name}" if is_url(path) else given(path)


def reads_of(wildcards):
    """The FASTQ files of a sample: {'fastq_1': [...], 'fastq_2': [...]}; none of an archive's run."""
    row = ROWS[wildcards.sample]
    return {
        key: [given(file) for file in row[key].split(",")]
        for key in ("fastq_1", "fastq_2")
        if row.get(key)
    }


def rnaseqdb_table():
    from tissuestate.tables import read_strings

    return read_strings(shipped(config["rnaseqdb"]["table"]))


def rnaseqdb_matrices():
    """RNAseqDB's matrices, where the cohort is built on them."""
    if not config["rnaseqdb"]:
        return []
    return [f"<results>/matrices/rnaseqdb/{Path(file).name}" for file in rnaseqdb_table()["file"]]


def rnaseqdb_download():
    """Params of one matrix's download: its address or local copy, and its git blob id."""
    table = rnaseqdb_table()
    rows = {Path(row.file).name: row for row in table.itertuples()}

    def address(wildcards):
        row = rows[f"{wildcards.file}.txt.gz"]
        local = config["rnaseqdb"]["local"]
        return f"{local}/{Path(row.file).name}" if local else row.url

    def checksum(wildcards):
        return f"git-blob:{rows[f'{wildcards.file}.txt.gz'].blob}"

    return {"url": address, "checksum": checksum}


def alignment(wildcards):
    """The alignments of a sample: STAR's BAM, or the BAM or CRAM that its sheet row names."""
    row = ROWS[wildcards.sample]
    made = f"<results>/alignment/{wildcards.sample}.bam"
    return given(row["bam"]) if row["origin"] == "bam" else made


def sequences_of(wildcards):
    """The checksums of the genome's sequences, beside which a CRAM is held; of BAM none are known."""
    file = ROWS[wildcards.sample]["bam"]
    cram = is_cram(file) if is_here(file) and os.path.isfile(file) else file.lower().endswith(".cram")
    return "<reference>/genome.dict" if cram else []


def per_sample(pattern, origins=("fastq", "sra", "bam")):
    """`pattern` for every sample that comes from reads of one of `origins`."""
    samples = [name for name in FROM_READS if ROWS[name]["origin"] in origins]
    return expand(pattern, sample=samples)


def tuning_schedule():
    """How the evaluations of a search are shared: the config's numbers, if they go together."""
    schedule = {key: config["tuning"][key] for key in ("evaluations", "workers", "rounds")}
    try:
        Schedule(**schedule)
    except InputError as error:
        stop(error)
    return schedule


def trials_of(rounds):
    """The trials of all workers in `rounds`, of the task and features of the wildcards."""
    return expand(
        "<results>/models/{{task}}.{{features}}/tuning/{round}.{worker}.jsonl",
        round=rounds,
        worker=range(1, config["tuning"]["workers"] + 1),
    )


def earlier_trials(wildcards):
    return expand(trials_of(range(1, int(wildcards.round))), **wildcards)


def model_files(task, features):
    return expand(
        "<results>/models/{task}.{features}/{file}",
        task=task,
        features=features,
        file=["network.json", "weights.safetensors"],
    )


def networks_of(task):
    """Input function: weights and description of a model's network for `task`; none without subtypes."""

    def files(wildcards):
        return model_files(task, FEATURES_OF[wildcards.model]) if task in TASKS else []

    return files


def feature_settings(wildcards):
    """Of the config, what these features depend on: a change of it leaves the other kinds alone."""
    return {
        "pca": {"components": config["features"]["components"]},
        "rf": {"forest_genes": config["features"]["forest_genes"], "seed": config["seed"]},
        "all": {},
    }[wildcards.features]


def features_of(wildcards):
    return f"<results>/features/{FEATURES_OF[wildcards.model]}.h5ad"


def transformer_of(wildcards):
    return f"<results>/features/{FEATURES_OF[wildcards.model]}.npz"


def novelty_of(wildcards):
    return f"<results>/features/{FEATURES_OF[wildcards.model]}.novelty.npz"


def costs_of_networks(wildcards):
    features = FEATURES_OF[wildcards.model]
    return expand("<results>/models/{task}.{features}/cost.json", task=TASKS, features=features)


def protocol_hyperparameters():
    """What tuning chose for the networks of the protocols; none where each training searches anew."""
    if config["protocols"]["evaluations"]:
        return []
    kinds = {features_of_model(m) for m in config["protocols"]["models"] if m.startswith("dl_")}
    return expand(
        "<results>/models/{task}.{features}/hyperparameters.json",
        task=TASKS,
        features=sorted(kinds),
    )


def protocol_search():
    """The search that takes place in each training, where it is a nested one."""
    chosen = {key: config["tuning"][key] for key in ("epochs", "space")}
    return {**chosen, "evaluations": config["protocols"]["evaluations"]}


def share_of_validation():
    """The share of validation samples among those that are not test samples."""
    train, validation, _ = config["split"]["fractions"]
    return validation / (train + validation)


def protocol_predictions():
    """Every fold of every seed, the first seed's with each leak, and each value that is left out."""
    chosen = config["protocols"]
    pattern = "<results>/protocols/{protocol}/{part}/predictions.tsv.gz"
    parts = [
        [f"seed{seed}.fold{fold}" for fold in range(1, chosen["folds"] + 1)]
        for seed in range(1, chosen["seeds"] + 1)
    ]
    return [
        *expand(pattern, protocol="crossvalidation", part=sum(parts, [])),
        *expand(pattern, protocol=chosen["leaks"], part=sum(parts[:1], [])),
        *(
            file
            for column in chosen["leave_out"]
            for file in expand(pattern, protocol=column, part=values_of(column))
        ),
    ]


def protocol_tables():
    """What the protocols found, for the summary; none where the config asks for none."""
    names = ["crossvalidation", "leaks", "outside", "outside_classes"]
    return expand("<results>/protocols/{name}.tsv", name=names if protocol_predictions() else [])


def values_of(column):
    """The sources, studies or projects of the cohort, as sheet and RNAseqDB's table name them."""
    from tissuestate.matrices.rnaseqdb import project_of

    named = set() if SHEET is None else set(SHEET[column])
    if config["rnaseqdb"]:
        table = rnaseqdb_table()
        named |= set(table["file"].map(project_of) if column == "project" else table[column])
    if not named - {""}:
        stop(
            f"config: protocols: leave_out names {column!r}, which no row of the sheet fills in; "
            "fill it in, or take it off the list."
        )
    return sorted(named - {""})


def run_products():
    """What the run's crate lists of its results, with what each of them is; the metrics first."""
    products = {
        f"<results>/evaluation/{BUNDLED}/metrics.tsv": "Metrics of the bundled model on test samples",
        "<results>/benchmark/benchmark.tsv": "Every model: accuracy, time and memory",
        "<results>/benchmark/comparison.tsv": "Every model beside DL PCA on the same test samples",
        "<results>/report/summary.html": "The run on one page",
        "<results>/bundle/MODEL_CARD.md": "The model card of the bundle",
    }
    if protocol_predictions():
        products["<results>/protocols/protocols.html"] = "The models under other protocols"
    return products


def bundle_files():
    """What the bundle holds beside bundle.json and the model card."""
    names = [
        "normaliser.npz",
        "imputation.npz",
        "correction.npz",
        "features.npz",
        "novelty.npz",
        "genes.tsv.gz",
        "training.npz",
    ]
    names += [
        f"{task}/{file}" for task in TASKS for file in ("network.json", "weights.safetensors")
    ]
    names += ["integrity.npz", "transcripts.bed"] if FROM_READS else []
    return expand("<results>/bundle/{name}", name=names)


def bundle_config():
    """The parts of the config that made the model, to be kept with it."""
    kept = (
        "seed",
        "quality",
        "split",
        "fit_on",
        "cohort",
        "normalisation",
        "correction",
    )
    return {key: config[key] for key in (*kept, "features", "tuning", "training")}
