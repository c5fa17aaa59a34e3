"""Time that the server takes for a change on the Halving page.

The curves are generated and of the paper's size: 8 sub-supernets, 600 epochs, 3 seeds. Every change
is one that was not made before, so that nothing of its answer is cached. The whole script of the
page runs, as on a visit; in a browser only the part with the selection does. Run it with
``python benchmarks/bench_halving.py [--json FILE]``.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from streamlit.testing.v1 import AppTest

from fewshot_core.selection import store_curves

ROOT = Path(__file__).resolve().parents[1]
SUB_SPACES, EPOCHS, SEEDS = 8, 600, (777, 888, 999)
REPEATS = 7

CHANGES: dict[str, Callable[[AppTest, int], object]] = {
    "milestones": lambda page, i: page.text_input(key="milestones").set_value(f"{31 + i}, 101"),
    "share kept": lambda page, i: page.number_input(key="keep").set_value(0.55 + 0.05 * i),
    "epoch": lambda page, i: page.number_input(key="epoch").set_value(10 + 10 * i),
    "end": lambda page, i: page.number_input(key="end").set_value(590 - i),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    target = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FEWSHOT_DATA_DIR"] = folder
        path = Path(folder) / "generated.csv"
        generated_curves().to_csv(path, index=False)
        store_curves(path, Path(folder))
        page = AppTest.from_file(str(ROOT / "pages" / "5_Halving.py"), default_timeout=120).run()
        assert not page.exception, page.exception
        seconds = {name: _seconds(page, change) for name, change in CHANGES.items()}
    table = Table("what changes", "median s", "slowest s", title=f"Halving, {REPEATS} changes each")
    for name, times in seconds.items():
        table.add_row(name, f"{statistics.median(times):.3f}", f"{max(times):.3f}")
    Console().print(table)
    if target is not None:
        target.write_text(json.dumps({"seconds": seconds}, indent=2))


def generated_curves() -> pd.DataFrame:
    """Return curves that rise, with noise."""
    generator = np.random.default_rng(0)
    epoch = np.arange(EPOCHS + 1)
    parts = []
    for seed in SEEDS:
        for number in range(1, SUB_SPACES + 1):
            noise = generator.normal(0, 1, (2, EPOCHS + 1))
            part = {
                "sub_space": f"S{number}",
                "epoch": epoch,
                "valid_accuracy": 75 - 65 * np.exp(-epoch / 30 / number) - abs(noise[0]),
                "test_accuracy": 93 - abs(noise[1]),
                "seed": seed,
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts)


def _seconds(page: AppTest, change: Callable[[AppTest, int], object]) -> list[float]:
    times = []
    for i in range(REPEATS):
        change(page, i)
        begin = time.perf_counter()
        page.run()
        times.append(time.perf_counter() - begin)
        assert not page.exception and not page.error
    return times


if __name__ == "__main__":
    main()
