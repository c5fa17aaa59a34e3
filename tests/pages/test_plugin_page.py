"""A metric of another package, as the documentation tells to write it, on the Split page."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LOOK = """
import json
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("pages/1_Split.py", default_timeout=60).run()
assert not page.exception, page.exception
page.selectbox(key="metric").set_value("largest_weight").run()
print(json.dumps({"options": page.selectbox(key="metric").options,
                  "said": [caption.value for caption in page.caption],
                  "equation": page.latex[0].value}))
"""


def code_blocks() -> list[str]:
    """Return the code of the worked example, in its order."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    return re.findall(r"```(?:python|toml)\n(.*?)```", text, flags=re.DOTALL)


def install(folder: Path) -> None:
    """Install the worked example into a folder."""
    score, record, project = code_blocks()
    package = folder / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "largest_weight.py").write_text(score)
    (package / "record.py").write_text(record)
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    group, point = project.strip().splitlines()
    assert group == '[project.entry-points."fewshot.metrics"]'
    lines = ["[fewshot.metrics]", point.replace('"', ""), ""]
    (info / "entry_points.txt").write_text("\n".join(lines))


def run(folder: Path, data: Path, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder), "FEWSHOT_DATA_DIR": str(data)}
    answer = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_worked_example_appears_on_the_split_page_and_splits(tmp_path: Path):
    install(tmp_path)
    data = tmp_path / "data"
    found = json.loads(run(tmp_path, data, "-c", LOOK).splitlines()[-1])
    assert "largest weight" in found["options"]
    assert any("The largest weight that is left" in said for said in found["said"])
    assert found["equation"].strip("$\n ") == r"f(m) = \max_i |w_i|"
    options = ["--metric", "largest_weight", "--channels", "2", "--cells", "1", "--json"]
    tree = json.loads(run(tmp_path, data, "-m", "fewshot_core", "split", *options))
    assert tree["metric"] == "largest_weight"
    assert len(tree["leaves"]) == 8
