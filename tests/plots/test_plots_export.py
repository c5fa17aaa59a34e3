"""Figures for a paper: how they look, their files, their numbers and their Python source."""

import base64
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import fewshot_core.plots as plots
from fewshot_core.analysis import DISTRIBUTION_FRAMES, SplitEvaluator, report_frame
from fewshot_core.plots import (
    TreeBranch,
    TreeDrawing,
    cell_figure,
    convert_svg,
    distributions_figure,
    figure_numbers,
    figure_source,
    informativeness_figure,
    paper_figure,
    paper_svg,
    replay_figure,
    similarity_figure,
    top_map_figure,
    tree_figure,
)
from fewshot_core.plots.export import PAPER_FONT, PNG_DPI
from fewshot_core.plots.template import INK, base_figure
from fewshot_core.selection import read_frame, successive_halving
from fewshot_core.space import Architecture, SubSpace

NOTES = [
    "table NAS-Bench-201",
    "benchmark validation accuracy of one seed",
    "reduced scale",
    "demo",
]
SVG = (
    '<svg class="main-svg" xmlns="http://www.w3.org/2000/svg" width="400" height="200" style="">'
    f'<rect width="200" height="200" fill="#E69F00"/><text x="20" y="50" style="font-family: '
    f'{PAPER_FONT}; font-size: 13px">clear text</text></svg>'
)


@pytest.fixture(scope="module")
def figures(leaves, accuracy, sub_spaces, synthetic_search):
    evaluator = SplitEvaluator(accuracy, 0.01, random_trees=50)
    reports = report_frame({"a<b": leaves, "c": [SubSpace.full()]}, evaluator)
    curves = read_frame(synthetic_search())
    branches = TreeBranch((), edge=0), TreeBranch((0,), (3,)), TreeBranch((1,), (0, 1))
    frame = DISTRIBUTION_FRAMES["ridgeline"](leaves, accuracy)
    return {
        "gains": informativeness_figure(reports, [0.1, 0.2], 0.7, caption=NOTES),
        "distributions": distributions_figure(frame, sub_spaces, caption=NOTES),
        "top map": top_map_figure({"a": sub_spaces, "b": sub_spaces}),
        "replay": replay_figure(curves, successive_halving(curves, (30, 103)), 40),
        "tree": tree_figure(TreeDrawing(branches, sub_spaces[:2], chosen=1)),
        "similarity": similarity_figure([0, 3], [[1.0, 0.5], [0.5, 1.0]], [[0], [3]]),
        "cell": cell_figure(Architecture((0, 1, 2, 3, 4, 0))),
    }


NAMES = ("gains", "distributions", "top map", "replay", "tree", "similarity", "cell")


def assert_alike(one, other):
    """Assert that plain values are the same, but for the last digits of numbers."""
    if isinstance(one, dict) and "bdata" in one:
        one, other = (
            np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"]) for part in (one, other)
        )
        np.testing.assert_allclose(one, other, rtol=1e-5)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, part in one.items():
            assert_alike(part, other[key])
    elif isinstance(one, list | tuple):
        for part, another in zip(one, other, strict=True):
            assert_alike(part, another)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-5, nan_ok=True)
    else:
        assert one == other


@pytest.mark.parametrize("name", NAMES)
def test_the_source_of_a_figure_draws_it(name, figures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(figure_source(figures[name], 175, 9), names)
    assert_alike(names["figure"].to_dict(), figures[name].to_dict())
    assert names["paper"].layout.width > 700
    assert len(list(tmp_path.glob("*_figure.html"))) == 1


def test_the_source_of_a_figure_runs_by_itself(figures, tmp_path):
    path = tmp_path / "draw.py"
    path.write_text(figure_source(figures["gains"]), encoding="utf-8")
    subprocess.run([sys.executable, str(path)], cwd=tmp_path, check=True, timeout=120)
    assert "information gain" in (tmp_path / "informativeness_figure.html").read_text("utf-8")


def test_every_figure_of_the_library_has_its_source():
    public = {name for name in plots.__all__ if name.endswith("_figure")}
    without = {name for name in public if not hasattr(getattr(plots, name), "__wrapped__")}
    assert without == {"gains_figure", "paper_figure"}  # the first calls informativeness_figure


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_for_a_paper_is_black_on_white_and_says_what_it_rests_on(name, figures):
    before = figures[name].to_json()
    paper = paper_figure(figures[name], 85, 8, [*NOTES, "run a<b>"])
    assert figures[name].to_json() == before
    assert INK not in paper.to_json()
    layout = paper.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "white"
    assert layout.font.family == PAPER_FONT
    plain = re.sub("<[^>]*>", "", layout.title.text.replace("<br>", " · "))
    for note in ("table NAS-Bench-201", "reduced scale", "demo", "run a&lt;b&gt;"):
        assert plain.count(note) == 1
    assert json.loads(before)["layout"]["height"] <= layout.height


def test_the_size_of_texts_decides_how_wide_a_figure_is_laid_out(figures):
    widths = {
        (width, size): paper_figure(figures["gains"], width, size).layout.width
        for width in (85, 175)
        for size in (8, 10)
    }
    # 13 px of a layout as wide as this are 8 pt, or 10 pt, of the column.
    for (width, size), pixels in widths.items():
        assert 13 / pixels * width / 25.4 * 72 == pytest.approx(size, rel=0.01)
    # The tree would overlap: it is laid out wider, with smaller letters.
    assert paper_figure(figures["tree"], 85, 8).layout.width == 560


def test_lines_of_a_title_are_broken_and_nothing_of_the_figure_is_lost():
    figure = base_figure("A title of many words " * 4, 300, "", NOTES)
    figure.update_layout(sliders=[{}], updatemenus=[{}], hovermode="x")
    paper = paper_figure(figure, 85, 8)
    lines = paper.layout.title.text.split("<br>")
    assert max(len(re.sub("<[^>]*>", "", line)) for line in lines) <= 60
    room = paper.layout.margin.t - figure.layout.margin.t
    assert room > 0
    assert paper.layout.height - figure.layout.height == room
    assert not paper.layout.sliders and not paper.layout.updatemenus


def test_files_have_the_width_of_the_column_and_their_fonts():
    svg = paper_svg(SVG, 85)
    assert svg.startswith('<svg class="main-svg"') and 'width="85mm" height="42.5mm"' in svg
    assert svg.count("viewBox") == svg.count('width="85mm"') == 1
    pdf = convert_svg(svg, "pdf")
    [box] = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert [float(side) / 72 * 25.4 for side in box] == pytest.approx([85, 42.5], abs=0.01)
    assert b"/FontFile" in pdf
    image = Image.open(io.BytesIO(convert_svg(svg, "png")))
    assert image.width == pytest.approx(85 / 25.4 * PNG_DPI, abs=1)
    assert image.getpixel((10, image.height - 10))[:3] == (0xE6, 0x9F, 0x00)
    with pytest.raises(ValueError, match="expected the SVG of a figure"):
        paper_svg("<svg></svg>")


def test_numbers_are_the_table_of_a_figure_or_its_points(figures, sub_spaces):
    assert list(figure_numbers(figures["gains"])["split"]) == ["a<b", "c"]
    assert list(figure_numbers(figures["top map"])["split"]) == ["a"] * 8 + ["b"] * 8
    assert len(figure_numbers(figures["tree"])) == 2
    cells = figure_numbers(figures["similarity"])
    assert list(cells["z"].dropna()) == [1.0, 0.5, 0.5, 1.0]
    curves = figure_numbers(figures["replay"])
    assert set(sub_spaces["sub_space"]) <= set(curves["name"])
