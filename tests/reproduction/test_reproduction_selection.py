"""Claims on searches, with curves whose verdicts are plain to see, and the page."""

from dataclasses import replace

import pytest

from fewshot_core.reproduction import CLAIMS, FINDINGS, Verdict, report_markdown

IMPACT_CLAIMS, PROXY_CLAIMS = CLAIMS[:4], CLAIMS[8:12]
HALVING_CLAIMS = (
    *CLAIMS[12:14],
    *(one for one in FINDINGS if one.title.startswith("Halving by validation accuracy")),
)
FOUND = (90.0, 91.0, 92.0, 93.0, 94.0, 88.0, 87.0, 86.0)
RISING = tuple(10.0 + value - 80 for value in FOUND)
FALLING = tuple(60.0 - value + 80 for value in FOUND)
EPOCHS = range(61)
METRICS = ("params", "snip", "grasp", "random")
SEEDS = range(3)


@pytest.fixture
def cases(searched):
    """The searches of four splits, whose validation accuracies are the same at each epoch."""

    def make(valid, found=FOUND, seeds=SEEDS):
        curves = dict.fromkeys(EPOCHS, valid)
        return tuple(searched(curves, found, name, seed) for seed in seeds for name in METRICS)

    return make


@pytest.fixture
def whole(searched):
    """Searches in the whole space, by their seeds."""

    def make(*seeds):
        found = [searched({60: RISING}, (93.5,) * 8, seed=seed) for seed in seeds]
        return tuple(
            replace(one, metrics=("whole space",), runs=("search-whole",)) for one in found
        )

    return make


def first(claims, material):
    return [next(claim.evidence(material))[0] for claim in claims]


def verdicts(claims, material):
    return [[one.verdict for one, _ in claim.evidence(material)] for claim in claims]


def test_where_validation_accuracy_orders_the_other_way_round(material, cases):
    there = material(searched=cases(FALLING))
    assert verdicts(PROXY_CLAIMS[:3], there) == [[Verdict.HOLDS]] * 3
    _, _, useless, early = first(PROXY_CLAIMS, there)
    assert "-1.00 (interval -1.00 to -1.00)" in useless.measured
    assert early.measured.startswith("Lower in 0 of 12")
    assert verdicts(HALVING_CLAIMS, there) == [[Verdict.HOLDS], [Verdict.HOLDS], [Verdict.FAILS]]
    assert set(there.search_groups[0].cases["discarded"]) == {"epoch 3"}


def test_where_it_orders_as_they_find(material, cases):
    there = material(searched=cases(RISING))
    assert verdicts(PROXY_CLAIMS[:3], there) == [[Verdict.FAILS]] * 3
    assert verdicts(HALVING_CLAIMS, there) == [[Verdict.FAILS], [Verdict.FAILS], [Verdict.HOLDS]]


def test_a_proxy_that_is_bad_early_and_good_late(material, searched):
    valid = {epoch: FALLING if epoch < 30 else RISING for epoch in EPOCHS}
    there = material(
        searched=tuple(searched(valid, FOUND, name, seed) for name in METRICS for seed in SEEDS)
    )
    early = first(PROXY_CLAIMS, there)[3]
    assert early.verdict is Verdict.HOLDS
    row = there.search_groups[0].cases.iloc[0]
    assert (row["milestones"][0], row["early"], row["late"]) == (3, -1, 1)


def test_one_seed_is_inconclusive_however_many_splits_there_are(material, cases):
    there = material(searched=cases(FALLING, seeds=[0]))
    claims = (*PROXY_CLAIMS, *HALVING_CLAIMS)
    assert verdicts(claims, there) == [[Verdict.UNKNOWN]] * len(claims)
    found = first(PROXY_CLAIMS[:1], there)[0]
    assert found.measured.startswith("Not the best in 4 of 4") and "1 seed: repeat" in found.reason


def test_one_searched_split_is_inconclusive(material, cases):
    there = material(searched=cases(FALLING)[:1])
    assert verdicts(PROXY_CLAIMS, there) == [[Verdict.UNKNOWN]] * 4


def test_choice_and_cost_of_halving(cases):
    one = cases(RISING)[0].numbers()
    assert (one["halving"].winner, one["halving_rank"], one["regret"]) == ("S5", 1, 0.0)
    assert one["milestones"] == (3, 10)
    assert one["cost"] == pytest.approx((8 * 3 + 4 * 7 + 2 * 50) / 60)
    assert one["random_regret"] == pytest.approx(94 - sum(FOUND) / 8)
    assert one["lost_at_random"] == pytest.approx(6 / 8)


def test_schedules_name_the_papers_epochs_where_there_are_any(material, cases):
    worth = first(HALVING_CLAIMS, material(searched=cases(RISING)))[2]
    rows = [list(row.values()) for row in worth.table]
    assert "halving at the paper's epochs as they are" in [row[0] for row in rows]
    assert rows[-1][0] == "train all, take the best found"
    assert rows[-1][2:4] == [8.0, "0.00 (0.00 to 0.00)"]


def test_all_sub_supernets_that_find_the_same_have_no_order(material, cases):
    there = material(searched=cases(RISING, (90.0,) * 8))
    assert verdicts(PROXY_CLAIMS[2:], there) == [[Verdict.UNKNOWN]] * 2


def test_splits_against_the_whole_space(material, cases, whole):
    there = material(searched=cases(RISING), whole=whole(*SEEDS))
    better, seldom = first(IMPACT_CLAIMS[:2], there)
    [(_, source), _] = IMPACT_CLAIMS[0].evidence(there)
    assert better.verdict is seldom.verdict is Verdict.HOLDS
    assert "search-whole" in source.runs
    assert set(source.cases["gain"]) == {0.5}
    assert "| +0.50 |" in report_markdown(there, "fewshot reproduce")
    [(_, printed)] = IMPACT_CLAIMS[0].evidence(material(searched=cases(RISING), whole=whole(7)))
    assert printed.runs == ()


def test_random_against_metrics(material, cases, searched):
    metrics = tuple(one for one in cases(RISING) if one.metrics != ("random",))
    flat = {0: RISING, 60: RISING}
    worse = (*metrics, *(searched(flat, (80.0,) * 8, "random", seed) for seed in SEEDS))
    more = (searched(flat, FOUND, "snip as published"),)
    [found] = first(IMPACT_CLAIMS[2:3], material(searched=worse + more))
    assert found.verdict is Verdict.FAILS
    assert "0 of 10" in found.measured
    alone = list(IMPACT_CLAIMS[2].evidence(material(searched=cases(RISING)[:3])))
    assert all(not source.runs for _, source in alone)


def test_a_published_random_split_is_random(material, cases, searched):
    random = searched({0: RISING, 60: RISING}, (80.0,) * 8, "random as published")
    [found] = first(IMPACT_CLAIMS[2:3], material(searched=(*cases(RISING)[:3], random)))
    assert "0 of 3" in found.measured


def test_the_page_names_what_is_missing_and_the_runs(material, cases):
    there = material(searched=cases(FALLING, seeds=[0]))
    claims = (*IMPACT_CLAIMS, *HALVING_CLAIMS[:2])
    page = report_markdown(there, "fewshot reproduce", claims)
    assert "    fewshot search --no-splitting\n" in page
    assert page.count("Runs of this data folder: not measured.") == 2
    assert "* R1: `search-params-0`, `search-snip-0`, `search-grasp-0`, `search-random-0`" in page
    assert page == report_markdown(there, "fewshot reproduce", claims)
