"""A data folder in which every name that can come from a file is hostile."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

from recorded_searches import keep_search

from fewshot_core.bench import import_table
from fewshot_core.bench.table import ColumnMapping, TableColumn
from fewshot_core.runs import RunFolder, State
from fewshot_core.runs.overview import Notes, write_notes
from fewshot_core.selection.imported import store_curves
from fewshot_core.space import NAS_BENCH_201, SubSpace, get_space, store_space
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit

ROOT = Path(__file__).resolve().parents[1]
DECLARED = "declared"


def hostile(what: str) -> str:
    """Return a name that is Markdown, HTML, LaTeX, an icon and a formula, if anything reads it."""
    return (
        f"={what} ![x](http://hostile.invalid/{what}.png) <img "
        f"src=http://hostile.invalid/{what}.gif><script>document.title='{what}'</script></style> "
        f"[a](javascript:alert(1)) {what}@x.org http://hostile.invalid/{what} www.x.org "
        ":material/home: :material_home: :streamlit: :smile: "
        ":red[r] :blue $\\frac{a}{b}$ **b** `c` __d__ ~~e~~ &amp; \\n %{x} \"q\" 'q' | <b>f</b> "
        "<a href='javascript:alert(1)'>g</a> \u202ertl\u202c 🙈 " + "W" * 120
    )


def make_hostile_folder(folder: Path) -> dict[str, dict[str, str]]:
    """Write the data folder; return queries of pages, by the search space that they show."""
    runs = folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    _write_runs(folder)
    scratch = folder / "file.csv"
    lines = (
        f"{NAS_BENCH_201.format(i)},{10 + i / 200},{i % 97},{i % 89}"
        for i in range(NAS_BENCH_201.size)
    )
    cost, guess = hostile("cost"), hostile("estimate")
    scratch.write_text("\n".join([f"arch,val,{_cell(cost)},{_cell(guess)}", *lines]))
    others = (TableColumn(cost, "cost", "", hostile("unit")), TableColumn(guess, "estimate"))
    mapping = ColumnMapping("arch", (("val", "cifar10", "validation"),), others=others)
    import_table(scratch, "named", hostile("table"), mapping, data_dir=folder)
    ours = _write_split(folder, NAS_BENCH_201.name, "cifar10")
    _write_curves(scratch, folder, NAS_BENCH_201.name, "cifar10")
    _declare(folder, scratch)
    theirs = _write_split(folder, DECLARED, "first")
    scratch.unlink()
    images = folder / "images" / "registered.json"
    images.parent.mkdir(exist_ok=True)
    entry = {"dataset": "cifar10", "name": hostile("images"), "path": f"/no/{hostile('path')}"}
    images.write_text(json.dumps([entry]))
    return {
        NAS_BENCH_201.name: {
            "split": f"file-{ours}",
            "table": "named",
            "accuracy": "validation",
            "cost": f"named:{cost}",
            "at_most": "90",
        },
        DECLARED: {"space": DECLARED, "split": f"file-{theirs}", "dataset": "first"},
    }


def _cell(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _write_runs(folder: Path) -> None:
    """Write a split of a hostile metric, a failed, an unreadable and a misnamed run, and notes."""
    demo = next(path for path in (ROOT / "data/demo/runs").iterdir() if "-params-" in path.name)
    run = RunFolder(shutil.copytree(demo, folder / "runs" / demo.name))
    tree = json.loads(run.tree_path.read_text())
    tree["metric"] = hostile("metric")
    tree["details"] |= {"network": hostile("network"), "device": hostile("device")}
    tree["nodes"][0] |= {"degenerate": True, "reason": hostile("reason")}
    run.tree_path.write_text(json.dumps(tree))
    manifest = json.loads(run.manifest_path.read_text())
    failed = RunFolder(shutil.copytree(run.path, folder / "runs" / "split-failed"))
    manifest["request"]["network"]["checkpoint"] = f"/no/{hostile('checkpoint')}"
    failed.manifest_path.write_text(json.dumps(manifest))
    failed.tree_path.unlink()
    failed.write_status(replace(run.status(), state=State.FAILED, message=hostile("message")))
    damaged = shutil.copytree(run.path, folder / "runs" / "split-damaged")
    manifest = {"kind": hostile("kind"), "request": {hostile("option"): 1}}
    (damaged / "manifest.json").write_text(json.dumps(manifest))
    (folder / "runs" / "![x](http:hostile.invalid)<b>").mkdir()
    search = keep_search(folder, SubSpace.full())
    search.write_status(replace(search.status(), state=State.FAILED, message=hostile("failure")))
    notes = Notes(hostile("name"), hostile("text"), (hostile("tag"),))
    write_notes({run.run_id: notes, failed.run_id: notes, search.run_id: notes}, folder)


def _write_split(folder: Path, space_name: str, dataset: str) -> str:
    space = get_space(space_name, folder)
    whole, operations = SubSpace.full(space), range(space.shape[0])
    halves = whole.keep(0, operations[:2]), whole.keep(0, operations[2:])
    split = NamedSplit(hostile("split"), dataset, halves)
    [name] = store_splits([split], hostile("source")[:100].replace("/", " "), folder)
    return name


def _write_curves(scratch: Path, folder: Path, space: str, dataset: str) -> None:
    names = [f"S{number}{hostile('curve')}" for number in range(4)]
    lines = [f"{_cell(name)},{n},{10 + len(name) % 7 + n},20" for name in names for n in (1, 2, 3)]
    scratch.write_text("\n".join(["sub_space,epoch,valid_accuracy,test_accuracy", *lines]))
    store_curves(scratch, folder, f"curves-{space}", get_space(space, folder), dataset)


def _declare(folder: Path, scratch: Path) -> None:
    """Declare a search space with two data sets, a table and curves of it."""

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    operations = [hostile(f"operation{number}") for number in range(4)]
    labels = [f"{number}{hostile('operation')}" for number in range(4)]
    parts = [
        f"name = {text(DECLARED)}\nlabel = {text(hostile('space'))}",
        f"description = {text(hostile('description'))}",
        *(
            f"[[decisions]]\nname = {text(hostile(name))}\noperations = {text(operations)}\n"
            f"labels = {text(labels)}"
            for name in ("decision", "choice", "stem")
        ),
        *(
            f"[[datasets]]\nname = {text(name)}\nlabel = {text(hostile(name))}\nunit = {text(unit)}"
            for name, unit in (("first", "%"), ("second", hostile("metres")))
        ),
    ]
    scratch.with_suffix(".toml").write_text("\n".join(parts))
    space = store_space(scratch.with_suffix(".toml"), folder)
    scratch.with_suffix(".toml").unlink()
    params, zen = f"params {hostile('column')}", "first_zen"
    rows = [
        f"{''.join(map(str, chosen))},{50 + sum(chosen)},{sum(chosen)},{chosen[0] + 1},{chosen[1]}"
        for chosen in product(range(4), repeat=3)
    ]
    header = f"arch,first_test,second_test,{_cell(params)},{zen}"
    scratch.write_text("\n".join([header, *rows]))
    import_table(scratch, "declared", hostile("declared"), data_dir=folder, space=space)
    _write_curves(scratch, folder, DECLARED, "first")
