"""Names of heads, classes, models, metrics and measures on pages and figures."""

from collections.abc import Mapping

HEADS = {
    "tumour": "Tumour or not",
    "disease_state": "Disease state",
    "disease_state_within_batch": "Disease state, within a batch",
    "tissue": "Tissue of origin",
    "tissue_within_batch": "Tissue of origin, within a batch",
    "subtype": "Subtype",
    "subtype_within_batch": "Subtype, within a batch",
    "subtype_tandem": "Subtype, in tandem",
    "new": "Samples of no class",
}
MODELS = {
    "dl_pca": "DL PCA",
    "dl_rf": "DL RF",
    "dl_all": "DL all genes",
    "ridge": "ridge against laboratory shifts",
    "logreg": "logistic regression on PCs",
    "linear_svm": "linear SVM on PCs",
    "boosting": "gradient boosting on PCs",
    "canid": "after CanID: stacked classifiers",
    "he2023": "after He 2023: sparse regressions",
    "svm": "support vector machine",
    "sgd": "linear model by SGD",
    "knn": "nearest neighbours",
    "et": "extra trees",
    "dt": "decision tree",
    # The model that calls, on what its training lacked.
    "left_out_laboratory": "laboratories left out",
    "left_out_study": "studies left out",
    "left_out_source": "sources left out",
}
_METRICS = {
    "auc": "AUC",
    "f1": "F1",
    "log_loss": "log loss",
    "right_of_answered": "right, of answered",
    "likeliest_right": "most probable answer right, answered or not",
    "healthy_likeliest_tumour": "healthy tissue, more probably a tumour than not",
    "auroc_novelty": "AUROC of known against new, by the novelty score",
    "set_coverage": "covered by the 90 % sets",
}
_MEASURES = {
    "concordance": "replicates that find each other",
    "concordance_held_out": "the same, replicates not in training",
    "variance_batch_within_biology": "variance explained by batch, biology being equal",
}


def head_title(head: str) -> str:
    """Name of a head."""
    return HEADS.get(head, head.replace("_", " ").capitalize())


def class_title(name: str, names: Mapping[str, str]) -> str:
    """Plain name of a class; `names` are those of the class table."""
    return names.get(name, name.replace("_", " "))


def class_label(name: str, names: Mapping[str, str]) -> str:
    """Short name of a class for a figure: the abbreviation of its plain name, if that has one."""
    return class_title(name, names).removesuffix(")").rpartition(" (")[2]


def model_title(model: str) -> str:
    """Name of a model of the benchmark."""
    return MODELS.get(model, model.replace("_", " "))


def network_title(task: str, features: str) -> str:
    """Name of the network of a task (multitask, subtype) on one kind of features."""
    asked = {"multitask": "state and tissue", "subtype": "subtype"}[task]
    return f"{model_title('dl_' + features)}, {asked}"


def metric_title(metric: str) -> str:
    """Name of a metric of the evaluation."""
    return _METRICS.get(metric, metric.replace("_", " "))


def measure_title(measure: str) -> str:
    """Name of a measure of the batch correction."""
    if measure in _MEASURES:
        return _MEASURES[measure]
    kind, _, label = measure.partition("_")
    label = label.replace("_", " ")
    if kind == "predicted" and label:
        return f"{label} predicted from expression"
    if kind == "variance" and label:
        return f"variance explained by {label}"
    return measure.replace("_", " ")
