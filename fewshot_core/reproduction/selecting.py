"""Section 4.3: what selection schedules would have chosen in recorded searches."""

from collections.abc import Sequence
from dataclasses import dataclass

from fewshot_core.reproduction.claims import Claim, Evidence, Grid
from fewshot_core.reproduction.material import Material, SearchedSplit, SearchKind
from fewshot_core.reproduction.proxy import searched_evidence, searching_command
from fewshot_core.reproduction.rules import Mean, Tally
from fewshot_core.selection import Choice, HalvingResult, paper_milestones, read_frame
from fewshot_core.selection.halving import PAPER_END, PAPER_MILESTONES

_IN_PROPORTION = "halving at the paper's milestones in proportion"


@dataclass(frozen=True)
class Replay:
    """What a schedule did in a searched split, beside one sub-supernet at random.

    Attributes:
        cell: The searches.
        result: What was chosen, lost and spent.
        random_regret: The expected regret of training one at random, in percentage points.
    """

    cell: SearchedSplit
    result: HalvingResult
    random_regret: float

    @property
    def discards_best(self) -> bool:
        """Whether a sub-supernet that finds the best was discarded before the end, all of them."""
        return self.result.discarded_at is not None

    @property
    def left(self) -> int:
        """How many sub-supernets the last milestone leaves; all of them without a milestone."""
        kept = [self.result.survivors[epoch] for epoch in self.result.milestones]
        return len(kept[-1]) if kept else len(self.result.sub_spaces)

    @property
    def rank(self) -> int:
        """The place of the chosen among all by what they found, 1 being the best."""
        return int((self.cell.found > self.result.test_accuracy).sum()) + 1


def replay(cell: SearchedSplit, choice: Choice) -> Replay:
    """Apply a schedule to the searches of a split."""
    curves = read_frame(cell.curves)
    random = Choice("one_at_random").apply(curves)
    return Replay(cell, choice.apply(curves), random.regret)


def paper_choice(cell: SearchedSplit) -> Choice:
    """Return the paper's schedule in proportion, which is also the default of the Halving page."""
    return Choice(milestones=paper_milestones(read_frame(cell.curves)))


def schedules(cell: SearchedSplit) -> dict[str, Choice]:
    """Return the schedules that are compared, by what they are called."""
    usual = paper_choice(cell)
    as_printed = tuple(epoch for epoch in PAPER_MILESTONES if epoch < cell.end)
    epochs = set(cell.curves["epoch"])
    found = {_IN_PROPORTION: usual}
    if as_printed and as_printed != usual.milestones and set(as_printed) <= epochs:
        found["halving at the paper's epochs as they are"] = Choice(milestones=as_printed)
    found["the same in proportion, ranked as by GM-NAS"] = Choice(
        milestones=usual.milestones, rank_by="exponential_average"
    )
    if 0 in epochs:
        found["the best one at epoch 0 (few-shot NAS)"] = Choice("top_k", k=1, epoch=0)
    found["train all, choose by validation accuracy"] = Choice()
    found["one at random, expected"] = Choice("one_at_random")
    found["train all, take the best found"] = Choice("train_all")
    return found


def selection_claims(material: Material) -> list[Claim]:
    """Return the claims on selection schedules."""
    share = f"{PAPER_MILESTONES[0]}/{PAPER_END} and {PAPER_MILESTONES[1]}/{PAPER_END}"
    supply = searching_command(material)
    kinds = [
        (kind, [replay(cell, paper_choice(cell)) for cell in material.searched_by(kind)])
        for kind in material.kinds()
    ]
    return [
        Claim(
            "Successive halving discards the best sub-supernet early",
            "4.3, Figure 4 (right)",
            "Where the lower half by validation accuracy is discarded at epochs 30 and 100 of 600, "
            "the sub-space with the best architecture is lost early.",
            f"Milestones at {share} of the recorded epochs (what the Halving page and `fewshot "
            "halve` do by default). A case is a searched split with a seed; it counts where every "
            "sub-supernet that finds the best was discarded before the end. Share rule. (At random "
            "a single best one of eight is discarded in 6 of 8 cases.)",
            tuple(_discarding(material, *one) for one in kinds),
            supply,
        ),
        Claim(
            "Selection by validation accuracy degrades what is found",
            "4.3",
            "Choosing a sub-supernet by validation accuracy finds less than all of them together.",
            "The same schedule. A case is a searched split with a seed; it counts where what is "
            "chosen is worse than the best that any sub-supernet found. Share rule.",
            tuple(_degrading(material, *one) for one in kinds),
            supply,
        ),
        Claim(
            "Halving by validation accuracy is better than one at random",
            "beyond the paper",
            "What the paper leaves open: halving costs 2.5 runs, and training one sub-supernet at "
            "random costs one; is halving worth it?",
            "For each searched split and seed, the expected regret of one at random less that of "
            "halving, in percentage points. It holds where Student's 95% interval of the mean "
            "lies above 0, does not hold where it lies below, and cannot be told in between.",
            tuple(_beside_random(material, *one) for one in kinds),
            supply,
        ),
    ]


def _discarding(material: Material, kind: SearchKind, found: list[Replay]) -> Evidence:
    tally = Tally.count(one.discards_best for one in found)
    lines = tuple(
        (
            one.cell.name,
            str(one.cell.seed),
            ", ".join(map(str, one.result.milestones)) or "none",
            ", ".join(one.result.equally_best),
            "kept" if one.result.discarded_at is None else f"epoch {one.result.discarded_at}",
            f"{_lost_by_chance(one):.0%}",
        )
        for one in found
    )
    headings = ("metric", "seed", "milestones", "best", "discarded", "by chance")
    chance = sum(map(_lost_by_chance, found)) / len(found)
    measured = f"Discarded in {tally.text}; discarding at random would in {chance:.0%}."
    grid = Grid(headings, lines)
    return searched_evidence(material, kind, found, measured, (tally.verdict, tally.reason), grid)


def _lost_by_chance(one: Replay) -> float:
    """Return the probability that random discarding loses all sub-supernets with the best."""
    total, left = len(one.result.sub_spaces), one.left
    lost = 1.0
    for place in range(len(one.result.equally_best)):
        lost *= max(0, total - left - place) / (total - place)
    return lost


def _degrading(material: Material, kind: SearchKind, found: list[Replay]) -> Evidence:
    tally = Tally.count(one.result.regret > 0 for one in found)
    regret = Mean.over([one.result.regret for one in found])
    lines = tuple(
        (
            one.cell.name,
            str(one.cell.seed),
            str(one.result.winner),
            f"{one.result.test_accuracy:.2f}",
            f"{one.rank} of {len(one.result.sub_spaces)}",
            f"{one.result.ceiling:.2f}",
            f"{one.result.regret:.2f}",
            f"{one.result.cost:.2f}",
        )
        for one in found
    )
    headings = (
        "metric", "seed", "chosen", "it found, %", "rank", "best found, %", "regret, points",
        "cost, runs",
    )  # fmt: skip
    cost = Mean.over([one.result.cost for one in found]).value
    total = len(found[0].result.sub_spaces)
    measured = (
        f"Worse in {tally.text}; mean regret {regret.text()} points at {cost:.2f} runs in place of "
        f"{total}."
    )
    grid = Grid(headings, lines)
    return searched_evidence(material, kind, found, measured, (tally.verdict, tally.reason), grid)


def _beside_random(material: Material, kind: SearchKind, found: list[Replay]) -> Evidence:
    cells = [one.cell for one in found]
    names = dict.fromkeys(name for cell in cells for name in schedules(cell))
    lines = tuple(_schedule_line(name, cells) for name in names)
    headings = (
        "schedule", "searched splits", "cost, runs", "mean regret, points", "less than random by",
        "loses the best",
    )  # fmt: skip
    gain = Mean.over([one.random_regret - one.result.regret for one in found])
    measured = f"Halving loses {gain.text()} points less than one at random."
    verdict = (gain.above(0.0), gain.reason(0.0))
    return searched_evidence(material, kind, found, measured, verdict, Grid(headings, lines))


def _schedule_line(name: str, cells: Sequence[SearchedSplit]) -> tuple[str, ...]:
    found = [replay(cell, schedules(cell)[name]) for cell in cells if name in schedules(cell)]
    cost = Mean.over([one.result.cost for one in found])
    regret = Mean.over([one.result.regret for one in found])
    gain = Mean.over([one.random_regret - one.result.regret for one in found])
    expected = any(one.result.winner is None for one in found)
    lost = sum(one.result.regret > 0 for one in found)
    return (
        name,
        str(len(found)),
        f"{cost.value:.2f}",
        f"{regret.value:.2f}",
        "–" if expected else gain.text(),
        "–" if expected else f"{lost} of {len(found)}",
    )
