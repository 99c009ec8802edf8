"""Programs that the workflow calls and that are missing, and how to install them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

DEBIAN_TOOLS = {
    "STAR": "rna-star",
    "featureCounts": "subread",
    "samtools": "samtools",
    "fastp": "fastp",
    "prefetch": "sra-toolkit",
    "fasterq-dump": "sra-toolkit",
    "Rscript": "r-base-core",
}
DRIVER = Path("/proc/driver/nvidia/gpus")  # NVIDIA's driver keeps a folder here for each GPU
DEBIAN_R_PACKAGES = {"sva": "r-bioc-sva", "org.Hs.eg.db": "r-bioc-org.hs.eg.db"}


def missing_tools(
    needed: Mapping[str, str], r_packages: Mapping[str, str] | None = None
) -> str | None:
    """A sentence that names what is missing and how to install it; None if nothing is.

    needed: executable → Debian package; r_packages: R package → Debian package, looked for in R's
    libraries only if there are any and R is there.
    """
    absent = {tool: package for tool, package in needed.items() if shutil.which(tool) is None}
    if r_packages:
        present = _installed_r_packages()
        absent |= {
            f"R package {name}": package
            for name, package in r_packages.items()
            if name not in present
        }
    if not absent:
        return None
    packages = " ".join(dict.fromkeys(absent.values()))
    return (
        f"not on this machine: {', '.join(absent)}; install with 'make setup' "
        f"or 'apt-get install --no-install-recommends {packages}', or let conda do it with "
        "'--sdm conda'."
    )


def _installed_r_packages() -> set[str]:
    """Names of the packages in R's libraries, none if R is missing."""
    if shutil.which("Rscript") is None:
        return set()
    listing = subprocess.run(
        ["Rscript", "--vanilla", "-e", "cat(.packages(all.available = TRUE), sep = '\\n')"],
        capture_output=True,
        text=True,
        check=False,
    )
    return set(listing.stdout.split())


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU that jobs may use."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and DRIVER.is_dir() and any(DRIVER.iterdir())
