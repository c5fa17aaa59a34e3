"""How long the server takes for a page that was seen before, and how much its figures weigh.

Pages are run as Streamlit runs them, on a new data folder with one split, with everything cached
that the app caches. Run it with ``python benchmarks/bench_pages.py [--json FILE]``.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from streamlit.testing.v1 import AppTest

from fewshot_core.analysis import default_limits, describe_sub_spaces, distribution_frame
from fewshot_core.bench import load_accuracy
from fewshot_core.plots import distributions_figure
from fewshot_core.runs import Network, SplitRequest, start

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    target = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FEWSHOT_DATA_DIR"] = folder
        run = start(SplitRequest("cifar10", "params", network=Network(2, 1)), Path(folder))
        while run.status().state.active:
            time.sleep(0.1)
        tree = run.tree()
        seconds = {script: _warm_seconds(script) for script in _scripts()}
        accuracy = load_accuracy("cifar10", data_dir=Path(folder))
        frame = distribution_frame(tree.leaves, accuracy, default_limits(accuracy))
        described = describe_sub_spaces(tree.leaves, accuracy)
        kilobytes = len(distributions_figure(frame, described).to_json()) / 1000
    table = Table("page", "median s", "slowest s", title=f"warm pages, {REPEATS} runs each")
    for script, times in seconds.items():
        table.add_row(script, f"{statistics.median(times):.3f}", f"{max(times):.3f}")
    console = Console()
    console.print(table)
    console.print(f"eight densities over the whole space: {kilobytes:.1f} kB")
    if target is not None:
        target.write_text(json.dumps({"seconds": seconds, "kilobytes": kilobytes}, indent=2))


def _scripts() -> list[str]:
    return ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]


def _warm_seconds(script: str) -> list[float]:
    page = AppTest.from_file(str(ROOT / script), default_timeout=120)
    page.run()
    assert not page.exception, page.exception
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        page.run()
        times.append(time.perf_counter() - begin)
    return times


if __name__ == "__main__":
    main()
