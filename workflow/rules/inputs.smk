# Input functions and parameters that rules share, stage by stage, and the final products.
from functools import cache

from tissuestate.models.trials import Schedule
from tissuestate.text import is_cram


def result_labels(figure, of="the run"):
    """How the report lists a result; a category whose results differ in `of` has some for each."""
    return {"figure": figure, "of": of}


def figure(name, category, title):
    """A figure of the report; its caption is the file named like the last part of its name."""
    kind = Path(name).stem.rpartition(".")[2]

    def labels(wildcards):
        from tissuestate.report.wording import model_title, network_title

        if "task" in wildcards.keys():
            return result_labels(title, network_title(wildcards.task, wildcards.features))
        if "model" in wildcards.keys():
            return result_labels(title, model_title(wildcards.model))
        return result_labels(title)

    return report(
        f"<results>/report/figures/{name}",
        caption=f"../report/{kind}.rst",
        category=category,
        labels=labels,
    )


def is_url(path):
    return str(path).startswith(("http://", "https://"))


def reference_file(kind):
    """The genome or annotation: a local file, or the download of its URL."""
    path = config["reference"][kind]["path"]
    if path is None:
        return lambda wildcards: stop_without_reference(kind)
    return f"<reference>/downloads/{Path(path).name}" if is_url(path) else user_path(path)


def fastq_files_of(wildcards):
    """The FASTQ files of a sample: {'fastq_1': [...], 'fastq_2': [...]}; none for a run of the archive."""
    row = ROWS[wildcards.sample]
    return {
        key: [user_path(file) for file in row[key].split(",")]
        for key in ("fastq_1", "fastq_2")
        if row.get(key)
    }


@cache
def rnaseqdb_table():
    from tissuestate.tables import read_strings

    return read_strings(packaged_path(config["rnaseqdb"]["table"]))


def rnaseqdb_matrices():
    """RNAseqDB's matrices, if the cohort includes them."""
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


def alignment_file(wildcards):
    """The alignments of a sample: STAR's BAM, or the BAM or CRAM that its sheet row names."""
    row = ROWS[wildcards.sample]
    made = f"<results>/alignment/{wildcards.sample}.bam"
    return user_path(row["bam"]) if row["origin"] == "bam" else made


def sequence_checksums_of(wildcards):
    """The checksums of the genome's sequences, with which a CRAM is compared; none for BAM."""
    return "<reference>/genome.dict" if names_cram(ROWS[wildcards.sample]["bam"]) else []


@cache
def names_cram(file):
    """Whether a file is a CRAM, by its first bytes, or by its name if it is not on this disk."""
    if is_on_disk(file) and os.path.isfile(file):
        return is_cram(file)
    return file.lower().endswith(".cram")


def per_sample(pattern, origins=("fastq", "sra", "bam")):
    """`pattern` for every sample that comes from reads of one of `origins`."""
    samples = [name for name in FROM_READS if ROWS[name]["origin"] in origins]
    return expand(pattern, sample=samples)


def tuning_schedule():
    """The numbers by which evaluations of a search are shared, checked against each other."""
    schedule = {key: config["tuning"][key] for key in ("evaluations", "workers", "rounds")}
    try:
        Schedule(**schedule)
    except InputError as error:
        stop(error)
    return schedule


def trials_of(rounds):
    """Patterns of the trials of all workers in `rounds`."""
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


def network_files_of(task):
    """An input function: a model's network for `task`; no file if the cohort lacks the task."""

    def files(wildcards):
        return model_files(task, FEATURES_OF[wildcards.model]) if task in TASKS else []

    return files


def feature_settings(wildcards):
    """The settings that one kind of features depends on, so that others stay when they change."""
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
    """Tuned hyper-parameters for the protocols; none if each training has a search of its own."""
    if config["protocols"]["evaluations"]:
        return []
    kinds = {features_of_model(m) for m in config["protocols"]["models"] if m.startswith("dl_")}
    return expand(
        "<results>/models/{task}.{features}/hyperparameters.json",
        task=TASKS,
        features=sorted(kinds),
    )


def protocol_search():
    """Settings of the search within each training of the protocols."""
    chosen = {key: config["tuning"][key] for key in ("epochs", "space")}
    return {**chosen, "evaluations": config["protocols"]["evaluations"]}


def share_of_validation():
    """The share of validation samples among those that are not test samples."""
    train, validation, _ = config["split"]["fractions"]
    return validation / (train + validation)


def protocol_predictions():
    """Predictions of all folds and seeds, of the first seed's folds with leaks, of values left out."""
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
            for file in expand(pattern, protocol=column, part=named_values_of(column))
        ),
    ]


def protocol_tables():
    """Result tables of the protocols, for the summary; none if the config sets none."""
    names = ["crossvalidation", "leaks", "outside", "outside_classes"]
    return expand("<results>/protocols/{name}.tsv", name=names if protocol_predictions() else [])


def named_values_of(column):
    """Laboratories, sources, ... of the cohort, from the sheet and RNAseqDB's table."""
    from tissuestate.labels import has_class
    from tissuestate.matrices.rnaseqdb import project_of

    named = set() if SHEET is None else set(SHEET.loc[has_class(SHEET), column])
    if config["rnaseqdb"]:
        table = rnaseqdb_table()
        named |= set(
            table["file"].map(project_of)
            if column == "project"
            else table["study" if column == "laboratory" else column]
        )
    if not named - {""}:
        stop(
            f"config: protocols: leave_out names {column!r}, which no row of the sheet fills in; "
            "fill it in, or take it off the list."
        )
    return sorted(named - {""})


def run_products():
    """{result: description} of the results that the run's crate lists, metrics first."""
    products = {
        f"<results>/evaluation/{BUNDLED}/metrics.tsv": "Metrics of the bundled model on test samples",
        "<results>/benchmark/benchmark.tsv": "Every model: accuracy, time and memory",
        "<results>/benchmark/comparison.tsv": "Every model beside DL PCA on the same test samples",
        "<results>/report/summary.html": "The run on one page",
        "<results>/bundle/MODEL_CARD.md": "The model card of the bundle",
    }
    if LEFT_OUT:
        products["<results>/report/laboratories.html"] = "Calls of laboratories left out"
    if protocol_predictions():
        products["<results>/protocols/protocols.html"] = "Calls of other donors and other studies"
    return products


def pages_of_run():
    """{name: path} of the pages that a run makes beside its summary."""
    pages = {
        "paper": "<results>/report/paper.html",
        "genes": "<results>/report/genes.html",
        "card": "<results>/bundle/MODEL_CARD.html",
        "report": "<results>/report.html",
    }
    if LEFT_OUT:
        pages["laboratories"] = "<results>/report/laboratories.html"
    if protocol_predictions():
        pages["protocols"] = "<results>/protocols/protocols.html"
    if FROM_READS:
        pages["multiqc"] = "<results>/quality/multiqc.html"
    return {name: path_in_run(path) for name, path in pages.items()}


def left_out_results():
    """The results on laboratories left out that pages show; none if none was left out."""
    if not LEFT_OUT:
        return {}
    files = {name: f"{name}.tsv" for name in ("calls", "scores", "candidates")}
    files["recipe"] = "recipe.json"
    return {
        **{name: f"<results>/laboratories/{file}" for name, file in files.items()},
        "predictions": f"<results>/evaluation/{BUNDLED}/predictions.tsv",
    }


def bundled_models():
    """What answers in the bundle: ridge regression, or the networks and their score of novelty."""
    if LEFT_OUT:
        return {"ridge": "<results>/laboratories/ridge.npz"}
    features = config["bundle_features"]
    return {
        "novelty": f"<results>/features/{features}.novelty.npz",
        **{task: model_files(task, features) for task in TASKS},
    }


def bundle_files():
    """The files of the bundle except bundle.json and the model card."""
    names = [
        "normaliser.npz",
        "imputation.npz",
        "correction.npz",
        "features.npz",
        "genes.tsv.gz",
        "levels.npz",
    ]
    if LEFT_OUT:
        names.append("ridge.npz")
    else:
        networks = expand("{task}/{file}", task=TASKS, file=["network.json", "weights.safetensors"])
        names += ["novelty.npz", *networks]
    names += ["integrity.npz", "transcripts.bed"] if FROM_READS else []
    return expand("<results>/bundle/{name}", name=names)


def bundle_config():
    """The parts of the config that the bundle keeps."""
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


def final_products():
    """Products of a plain run: calls of new samples, or the trained bundle and its report."""
    if CLASSIFYING:
        return ["<results>/calls.tsv", "<results>/pages"]
    products = [
        "<results>/bundle/bundle.json",
        "<results>/report/genes.html",
        "<results>/benchmark/benchmark.tsv",
        "<results>/report/summary.html",
        "<results>/report/paper.tsv",
        "<results>/ro-crate-metadata.json",
        "<results>/report/figures/expression/pca.png",
        f"<results>/report/figures/trust/{BUNDLED}.sets.svg",
        "<results>/report/figures/benchmark/accuracy.svg",
        *expand(
            "<results>/report/figures/training/{task}.{features}.learning.svg",
            task=TASKS,
            features=config["features"]["kinds"],
        ),
        *expand(
            "<results>/report/figures/evaluation/{model}.confusion.svg",
            model=[m for m in MODELS if m.startswith("dl_") or m == BUNDLED],
        ),
    ]
    if LEFT_OUT:
        products.append("<results>/report/laboratories.html")
    if protocol_predictions():
        products.append("<results>/protocols/protocols.html")
    if FROM_READS:
        products += [
            "<results>/quality/multiqc.html",
            "<results>/report/figures/integrity/mrin.svg",
        ]
    return products
