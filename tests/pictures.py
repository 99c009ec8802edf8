"""Take the pictures of docs/ from the pages of a finished demo.

Usage: pictures.py RESULTS OUTPUT, the folders of a run with classified samples and of the pictures.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH = 900


def take_pictures(results: Path, output: Path, sample: str, doubtful: str) -> None:
    """Write a PNG of the run's page, of a sample's page and of a doubtful one's."""
    pages = {
        "summary": results / "report/summary.html",
        "sample": results / f"classification/pages/{sample}.html",
        "sample-doubtful": results / f"classification/pages/{doubtful}.html",
        "samples": results / "classification/pages/index.html",
    }
    output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, page_file in pages.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
            page.goto(page_file.resolve().as_uri())
            page.screenshot(path=output / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    results, output, sample, doubtful = sys.argv[1:]
    take_pictures(Path(results), Path(output), sample, doubtful)
