"""Put a trained bundle into the repository, in half precision if its calls stay equal.

Usage: pretrained_bundle.py FOLDER_OF_RESULTS FOLDER_OF_BUNDLE
"""

import shutil
import sys
import tempfile
from pathlib import Path

import anndata
import numpy as np
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.bundle.format import Bundle, read_bundle, write_bundle
from tissuestate.classification.classifier import Classifier
from tissuestate.classification.result import Predictions

LARGEST_CHANGE = 0.002  # of a probability
LARGEST_SIZE = 15e6  # bytes


def write_in_half_precision(bundle: Bundle, folder: Path) -> None:
    """Write a bundle again, with its float32 arrays as float16, which are read as float32."""
    with tempfile.TemporaryDirectory() as parts:
        files = {}
        for name in bundle.description["files"]:
            files[name] = bundle.path(name)
            if name.endswith(".npz"):
                arrays = load_arrays(bundle.path(name))
                files[name] = Path(parts) / name
                halved = {
                    key: array.astype(np.float16) if array.dtype == np.float32 else array
                    for key, array in arrays.items()
                }
                save_arrays(files[name], halved)
        description = {
            k: v for k, v in bundle.description.items() if k not in ("files", "checksum")
        }
        write_bundle(folder, files, description)


def compare_calls(one: Predictions, other: Predictions) -> tuple[float, int]:
    """The largest change of a probability, and the number of samples called otherwise."""
    changes = [
        np.nanmax(np.abs(one.probabilities[head] - other.probabilities[head]).to_numpy())
        for head in one.probabilities
    ]
    words = one.calls.select_dtypes("object").columns
    differ = (one.calls[words] != other.calls[words]).any(axis=1)
    refused = one.samples["refused"] != other.samples["refused"]
    return float(max(changes)), int((differ | refused).sum())


def main(results: Path, folder: Path) -> None:
    """Write the bundle of finished results into a folder if half precision keeps its calls."""
    whole = read_bundle(results / "bundle")
    cohort = anndata.read_h5ad(results / "cohort" / "cohort.h5ad")
    frame = cohort.to_df()
    units = cohort.obs["unit"].astype(str)
    with tempfile.TemporaryDirectory() as place:
        halved = Path(place) / "bundle"
        write_in_half_precision(whole, halved)
        calls = [Classifier.load(path).predict(frame, units) for path in (whole.folder, halved)]
        for name, rows in {"all": slice(None), "test": (cohort.obs["split"] == "test")}.items():
            samples = frame.index[rows].tolist()
            change, differ = compare_calls(*(found.select(samples) for found in calls))
            print(
                f"{name} samples: {len(samples)}; largest change of a probability: {change:.5f}; "
                f"other calls: {differ}"
            )
            if name == "test" and (change > LARGEST_CHANGE or differ):
                sys.exit("Half precision changes the calls of test samples; nothing was written.")
        size = sum(path.stat().st_size for path in halved.iterdir())
        if size > LARGEST_SIZE:
            sys.exit(
                f"It has {size / 1e6:.1f} MB, over {LARGEST_SIZE / 1e6:.0f}; nothing was written."
            )
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(halved, folder)
    print(f"{folder}: {size / 1e6:.1f} MB, fingerprint {read_bundle(folder).fingerprint}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
