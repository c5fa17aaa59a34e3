"""How commands are told which split is meant: a file, a run, or an imported split."""

from collections.abc import Sequence
from pathlib import Path

from fewshot_core.errors import FewshotError
from fewshot_core.runs import State, find_run
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import read_splits
from fewshot_core.splitting.imported import imported_names, open_imported
from fewshot_core.splitting.named_split import NamedSplit


def named_splits(
    masks: Path | None, run: str | None, place: Path, option: str = "--run RUN"
) -> list[NamedSplit]:
    """Return the splits that are meant.

    Args:
        masks: A file or folder of splits, or None.
        run: A finished split's run, or the name of an imported split, or None.
        place: The data folder.
        option: How the command calls ``run``.

    Raises:
        FewshotError: If not exactly one of the two is given, or it cannot be read.
    """
    if (masks is None) == (run is None):
        raise FewshotError(f"expected either --masks FILE or {option}")
    if masks is not None:
        return read_splits(masks)
    if run in imported_names(place):
        return [open_imported(str(run), place)]
    folder = find_run(str(run), place)
    tree, status, request = folder.tree(), folder.status(), folder.split_request()
    if tree is None or status.state is not State.DONE:
        raise FewshotError(f"the split {run} is {status.state}, not done: {status.message}")
    return [NamedSplit(tree.metric, request.dataset, tuple(tree.leaves), tree)]


def one_split(splits: Sequence[NamedSplit], name: str | None, dataset: str | None) -> NamedSplit:
    """Return the only split of a name, or of a data set, or at all.

    Raises:
        FewshotError: If there is none, or more than one; the message names them.
    """
    meant = [
        split
        for split in splits
        if name in (None, split.name) and (dataset is None or split.dataset in (None, dataset))
    ]
    if len(meant) == 1:
        return meant[0]
    if not meant:
        known = ", ".join(split.title for split in splits)
        raise FewshotError(f"no split of that name and data set: expected one of {known}")
    found = ", ".join(split.title for split in meant)
    raise FewshotError(f"several splits are there ({found}): choose with --name and --dataset")


def sub_space_of(text: str) -> SubSpace:
    """Return the sub-space of six rows like ``"01110 11111 11111 11111 11111 11111"``.

    Raises:
        SpaceError: If they are none.
    """
    return SubSpace.from_rows(text.split())
