# Shared by all rules: the library, the config, the sheet, paths, digests of code.
import gc
import os
import sys
from pathlib import Path

from snakemake.logging import logger

# A plan is millions of objects that stay: fewer garbage collections save an eighth of the time.
gc.set_threshold(1_000_000, 10, 10)

MODIFIER = workflow.modifier  # of this workflow, also if another uses it as a module
WORKFLOW = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).resolve().parent
LIBRARY = WORKFLOW / "lib"
sys.path.insert(0, str(LIBRARY))


def prepend_path(variable, folder):
    """Put a folder first on a search path that every job inherits."""
    rest = os.environ.get(variable)
    os.environ.update({variable: os.pathsep.join(filter(None, [str(folder), rest]))})


prepend_path("PYTHONPATH", LIBRARY)
# Finds programs of this Python environment, such as MultiQC, if it is not activated.
prepend_path("PATH", Path(sys.executable).parent)
# Threads that wait sleep: on a shared machine spinning ones make a training step ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from tissuestate.cohort.laboratories import laboratories_left_out
from tissuestate.bundle.format import find_description, read_bundle
from tissuestate.startup.config import check_config, check_yaml, complete_config, expand_short_forms
from tissuestate.demo.sheet import check_no_other_sheet, check_own_folder, check_simulated
from tissuestate.errors import InputError
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet
from tissuestate.sheet.content import check_files, find_flaws
from tissuestate.startup import digests
from tissuestate.startup.progress import show_progress
from tissuestate.labels import RIDGE_MODEL, features_of_model
from tissuestate.startup.tools import DEBIAN_R_PACKAGES, DEBIAN_TOOLS, missing_tools

show_progress(workflow, logger)


def stop(sentence):
    """Exit with one sentence for the person who runs the workflow, without a traceback."""
    logger.error(f"Error: {sentence}")
    sys.exit(1)


def name_pretrained_bundle():
    """Let the target `classify` take the bundle that comes with the workflow if none is named.

    Snakemake says what the targets are only after it has read the rules. Jobs are given the config of
    the command line, but not its targets.
    """
    named = config.get("bundle") or (config.get("classify") or {}).get("bundle")
    if named or "classify" not in sys.argv[1:]:
        return
    OVERRIDES["bundle"] = config["bundle"] = "resources/bundle"
    settings = workflow.config_settings
    settings.config_args = [*settings.config_args, "bundle=resources/bundle"]


# Values of the command line and the config files; unknown for the config of a module.
OVERRIDES = {} if MODIFIER.skip_configfile else dict(workflow.config_settings.config)
CONFIG_FILES = [] if MODIFIER.skip_configfile else workflow.configfiles
try:
    for file in CONFIG_FILES:
        check_yaml(file)
    name_pretrained_bundle()
    config = complete_config(config, WORKFLOW.parent / "config" / "defaults.yaml", OVERRIDES)
    check_config(
        config,
        WORKFLOW / "schemas" / "config.schema.yaml",
        files=CONFIG_FILES,
        overrides=expand_short_forms(OVERRIDES, OVERRIDES),
    )
except InputError as error:
    stop(error)

# True if a trained bundle classifies new samples; else the workflow trains one.
CLASSIFYING = config["classify"]["bundle"] is not None


wildcard_constraints:
    sample=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    task="multitask|subtype",
    features="pca|rf|all",
    model="[a-z][a-z0-9_]*",
    round=r"\d+",
    worker=r"\d+",
    laboratory=r"[A-Za-z0-9][A-Za-z0-9._-]*",


# ---- config and sheet ---------------------------------------------------------------------------


# Whether jobs fetch their inputs from a storage, or share a disk.
FILES_ARE_FETCHED = bool(workflow.storage_settings.default_storage_provider)
# Whether the demo's reads are simulated: to train on, not to classify.
DEMO = None if CLASSIFYING else config["demo"]


def is_simulated(path):
    """Whether the demo makes this file, in its own folder."""
    return bool(DEMO) and Path(path).is_relative_to("results/demo")


def is_on_disk(path):
    """Whether a file of config or sheet is on this disk before the run begins."""
    return not (FILES_ARE_FETCHED or "://" in path or is_simulated(path))


def packaged_path(path):
    """A path in the working directory or, if it does not exist, in the workflow's own tree."""
    return local(path if Path(path).exists() else str(WORKFLOW.parent / path))


def path_in_run(path):
    """The path of a result in this run: pathvars filled in, below the prefix of a module."""
    return MODIFIER.path_modifier.replace_prefix(MODIFIER.pathvars.apply(path))


def user_path(path):
    """A file of samples or reference as config or sheet name it: a local path, or an address.

    The prefix of a module applies to results, not to files of the user.
    """
    if path.startswith("recount3://"):
        project = ".".join(Path(path.removeprefix("recount3://")).parts)
        return f"<results>/matrices/recount3/{project}.parquet"
    if "://" in path:
        return storage(path)
    prefixed = MODIFIER.path_modifier.prefix
    return str(Path(path).absolute()) if prefixed and is_on_disk(path) else path


def warn_of_components(samples):
    """Warn now of what would stop PCA after hours of alignment, unless RNAseqDB adds samples."""
    components = config["features"]["components"]
    if components > samples and not config["rnaseqdb"]:
        logger.warning(
            f"config: features: components is {components}, but the sheet has {samples} samples, of "
            f"which about {samples * config['split']['fractions'][0]:.0f} are for training: set it to "
            "fewer than those."
        )


FLAWS = {}  # {new sample: why it is refused}: a file is of another kind than its column expects


def check_sheet_files(sheet):
    """Stop at the first file of another kind; in classification refuse its sample alone."""
    if not CLASSIFYING:
        check_files(sheet)
        return
    FLAWS.update(find_flaws(sheet))
    if FLAWS and len(FLAWS) == len(sheet):
        raise InputError(next(iter(FLAWS.values())))
    for sentence in FLAWS.values():
        logger.warning(f"Warning: {sentence} This sample will be refused.")


def load_classes():
    try:
        return ClassTable.read(CLASSES)
    except InputError as error:
        stop(error)


def load_sheet():
    """The sample sheet, checked; None if the cohort comes from RNAseqDB alone."""
    try:
        if CLASSIFYING and (
            SAMPLES is None or (config["demo"] and Path(SAMPLES) == Path(DEMO_SHEET))
        ):
            raise InputError(
                "classify needs your samples: snakemake classify --cores 2 --config samples=SHEET."
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
            check_own_folder(path_in_run("results/demo"))
        sheet = read_sheet(SAMPLES, CLASS_TABLE, labelled=not CLASSIFYING)
        # Not in each job: it may run on a machine without the files of other samples.
        if workflow.is_main_process and DEMO:
            check_simulated(sheet, path_in_run("results/demo/reads"))
        if workflow.is_main_process and not FILES_ARE_FETCHED:
            check_sheet_files(sheet[sheet["origin"] != "fastq"] if DEMO else sheet)
        if workflow.is_main_process and CLASSIFYING:
            find_description(BUNDLE)
        elif workflow.is_main_process:
            warn_of_components(len(sheet))
        return sheet.set_index("sample", drop=False)
    except InputError as error:
        stop(error)


BUNDLE = str(packaged_path(config["classify"]["bundle"])) if CLASSIFYING else None
DEMO_SHEET = packaged_path("resources/demo.tsv")
SAMPLES = config["classify"]["samples"] if CLASSIFYING else config["samples"]
SAMPLES = None if SAMPLES is None else packaged_path(SAMPLES)
CLASSES = packaged_path(config["classes"])
CLASS_TABLE = load_classes()
# What every page of the run says.
PAGE = {"simulated": bool(DEMO), "names": dict(CLASS_TABLE.names)}
SHEET = load_sheet()
ROWS = {} if SHEET is None else SHEET.to_dict("index")
FROM_READS = [] if SHEET is None else list(SHEET.index[SHEET["origin"] != "matrix"])
MATRICES = [] if SHEET is None else sorted(set(SHEET["matrix"]) - {""})
TX2GENE = user_path(config["tx2gene"]) if config["tx2gene"] and MATRICES else []
HAS_SUBTYPES = SHEET is None or ("subtype" in SHEET and any(SHEET["subtype"] != ""))
# Explaining takes longer than classifying: by default only if the sheet is short.
EXPLAINED = config["classify"]["explain"]
if EXPLAINED is None:
    EXPLAINED = SHEET is not None and len(SHEET) <= 100
TASKS = ["multitask", "subtype"] if HAS_SUBTYPES else ["multitask"]

MODELS = [f"dl_{kind}" for kind in config["features"]["kinds"]] + config["benchmark"]["models"]
PROTOCOL_FEATURES = sorted({features_of_model(model) for model in config["protocols"]["models"]})
# The laboratories that are left out to judge and calibrate; none in a cohort of few, which is
# called with networks as in the paper.
LEFT_OUT = [] if SHEET is None or CLASSIFYING else laboratories_left_out(SHEET)
if config["training"]["recipe"] == "paper":
    LEFT_OUT = []
RECIPE = "<results>/laboratories/recipe.json" if LEFT_OUT else []
BUNDLED = RIDGE_MODEL if LEFT_OUT else f"dl_{config['bundle_features']}"
MODELS += [RIDGE_MODEL] if LEFT_OUT else []
FEATURES_OF = {model: features_of_model(model) for model in MODELS}


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
        return  # checked already, or conda or a container brings them
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


def script_digest(script):
    """The digest of the library's code that a script runs."""
    return digests.code_digest(LIBRARY / "tissuestate", WORKFLOW / "scripts" / script)


def code_digest(script):
    """A rule's parameter: its script's digest, computed only if the rule is planned.

    An edit of that code reruns the rule; a copy with other times does not.
    """
    return lambda wildcards: script_digest(script)
