"""The command ``fewshot proxy``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewshot_core.bench import KINDS, load_accuracy, resolve_table
from fewshot_core.cli_common import AsJson, DataDir, err, out, print_json
from fewshot_core.datafolder import data_dir
from fewshot_core.errors import FewshotError
from fewshot_core.resolve import resolve
from fewshot_core.runs import RunFolder, SplitRequest, run_folder
from fewshot_core.search import SearchRequest
from fewshot_core.search.shared import (
    SharedAccuracies,
    compare,
    correlation_text,
    read_shared,
    write_shared,
)
from fewshot_core.space import SubSpace

if TYPE_CHECKING:
    from fewshot_core.search.correlation import Correlation


def run_proxy(
    run: Annotated[str, typer.Argument(help="A search or a training.")],
    sample: Annotated[int, typer.Option(help="How many random architectures.")] = 100,
    seed: Annotated[int, typer.Option(help="Which ones.")] = 0,
    accuracy: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = KINDS[0],
    table: Annotated[str | None, typer.Option(help="The accuracy table.")] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say how well the shared weights of a run rank architectures, as few-shot NAS reports it.

    The accuracies with shared weights are kept in the run's folder, and the page Search shows them.
    """
    place = data_dir(folder)
    kept = run_folder(run, place)
    request = kept.request()
    if isinstance(request, SplitRequest):
        raise FewshotError(f"{run} is a split: expected a search or a training")
    if kept.status().state.active:
        raise FewshotError(f"{run} is not done yet: wait for it, or cancel it")
    source = resolve_table(request.dataset, accuracy, table, place)
    values = load_accuracy(request.dataset, accuracy, source.name, place)
    shared = read_shared(kept.path)
    if shared is None or not _answers(shared, kept, sample, seed):
        shared = resolve("fewshot_core.search.shared_job:measure_shared")(
            request, kept.path, place, sample, seed, _tell
        )
        write_shared(kept.path, shared)
    correlation, frame = compare(shared, values)
    if correlation is None:
        raise FewshotError(f"the table {source.name} knows fewer than two of these architectures")
    document = {
        "run_id": run,
        "table": source.name,
        "accuracy": accuracy,
        "kendall": _ends(correlation.kendall),
        "spearman": _ends(correlation.spearman),
        "confidence": correlation.confidence,
        **_about(shared),
        "architectures": frame.to_dict("records"),
    }
    if as_json:
        print_json(document)
        return
    out.print(
        f"{len(frame)} architectures with the weights of epoch {shared.epoch}, on {shared.images} "
        f"images ({'held out' if shared.held_out else 'also trained on'}), against {accuracy} "
        f"accuracy in the table {source.name}",
        highlight=False,
    )
    for name, one in (("Kendall's tau", correlation.kendall), ("Spearman", correlation.spearman)):
        out.print(f"{name}: {correlation_text(one)}", highlight=False)


def _answers(shared: SharedAccuracies, run: RunFolder, sample: int, seed: int) -> bool:
    """Whether a sample was measured with the weights that a run has now."""
    records, request = run.records(), run.request()
    size = request.sub_space.size if isinstance(request, SearchRequest) else SubSpace.full().size
    count = min(sample, size)
    now = records[-1]["epoch"] if records else None
    return (shared.epoch, shared.seed, len(shared.architectures)) == (now, seed, count)


def _ends(one: "Correlation") -> dict[str, float | None]:
    return {"value": one.value, "low": one.low, "high": one.high}


def _about(shared: SharedAccuracies) -> dict[str, Any]:
    return {
        "epoch": shared.epoch,
        "seed": shared.seed,
        "images": shared.images,
        "held_out": shared.held_out,
    }


def _tell(done: int, total: int) -> None:
    if done % 10 == 0:
        err.print(f"{done} of {total} architectures", highlight=False)
