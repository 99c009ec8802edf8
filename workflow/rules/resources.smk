# Resources of jobs: memory, time and threads.
from snakemake_interface_storage_plugins.exceptions import FileOrDirectoryNotFoundError

from tissuestate.startup.tools import has_gpu


def size_mb(input):
    """The inputs' size; 0 if a job of the same group has yet to make one of them.

    Snakemake's own `size_mb`, which knows files in a storage, takes minutes with 10,000 samples.
    """
    try:
        if any(file.is_storage for file in input):
            return max(input.size_mb, 0)
        return sum(os.path.getsize(file) for file in input) / 2**20
    except (FileNotFoundError, FileOrDirectoryNotFoundError):
        return 0


def memory(base, per_input=0.0, of=None):
    """MB: a base and a multiple of the inputs' size, doubled with each attempt.

    of: the name of the one input whose size counts.
    """

    def mem_mb(wildcards, input, attempt):
        counted = input if of is None else type(input)([input[of]])
        return int((base + per_input * size_mb(counted)) * 2 ** (attempt - 1))

    return mem_mb


def minutes(base, per_gb=0.0):
    """Minutes: a base and a multiple of the inputs' size in GB, doubled with each attempt."""

    def runtime(wildcards, input, attempt):
        return int((base + per_gb * size_mb(input) / 1000) * 2 ** (attempt - 1))

    return runtime


def network_threads(wildcards):
    """One thread for a network of few features, for which a second one only costs time.

    Measured on two cores: 300 features three times as fast with one as with two, 2,000 about equal.
    """
    return 4 if wildcards.features == "all" else 1


def gpus(rule):
    """The GPUs that a job of `rule` gets, which decide its environment, too.

    A profile says how many are reserved. Without one, a job gets a GPU if this machine has any.
    """
    name = MODIFIER.modify_rulename(rule)
    reserved = workflow.resource_settings.overwrite_resources.get(name, {}).get("gpu")
    if reserved is not None:
        return reserved.raw
    device = config["device"]
    return int(device == "cuda" or (device == "auto" and has_gpu()))


def align_threads():
    """Eight for real reads; the demo's samples are so small that they go side by side instead."""
    return 1 if DEMO else 8
