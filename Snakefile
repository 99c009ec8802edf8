# From RNA-seq reads or count matrices to disease state, tissue of origin and neoplastic subtype.
from snakemake.utils import min_version

min_version("9.14")


# A file given with --configfile stands alone; the demo serves where none is given.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


# New samples are classified apart from the cohort that trained the bundle; the reference is shared.
pathvars:
    results="results/classify" if config.get("bundle") else "results",
    reference="results/reference",
    logs="<results>/logs",
    benchmarks="<results>/timings",


include: "workflow/rules/common.smk"
include: "workflow/rules/given.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/matrices.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/integrity.smk"
include: "workflow/rules/quantify.smk"


if config.get("bundle"):

    include: "workflow/rules/classify.smk"

else:

    include: "workflow/rules/quality.smk"
    include: "workflow/rules/cohort.smk"
    include: "workflow/rules/correct.smk"
    include: "workflow/rules/features.smk"
    include: "workflow/rules/model.smk"
    include: "workflow/rules/trust.smk"
    include: "workflow/rules/benchmark.smk"
    include: "workflow/rules/protocols.smk"
    include: "workflow/rules/bundle.smk"
    include: "workflow/rules/report.smk"
    include: "workflow/rules/stages.smk"


report: "workflow/report/workflow.rst"


if workflow.is_main_process and not FILES_ARE_FETCHED:
    check_given()


rule all:
    default_target: True
    input:
        final_products(),


onsuccess:
    if config.get("bundle"):
        tell_calls()


onerror:
    if config.get("bundle"):
        remove_orphans()
