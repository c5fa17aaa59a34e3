"""Claims on searches, with curves whose verdicts are plain to see."""

import pytest
from made_up_material import KIND, searched

from fewshot_core.reproduction import Verdict, WholeSearch, report_markdown
from fewshot_core.reproduction.impact import impact_claims
from fewshot_core.reproduction.proxy import proxy_claims
from fewshot_core.reproduction.selecting import paper_choice, replay, selection_claims

FOUND = (90.0, 91.0, 92.0, 93.0, 94.0, 88.0, 87.0, 86.0)
RISING = tuple(10.0 + value - 80 for value in FOUND)
FALLING = tuple(60.0 - value + 80 for value in FOUND)
EPOCHS = range(61)


def cases(valid, found=FOUND):
    return tuple(
        searched(dict.fromkeys(EPOCHS, valid), found, metric)
        for metric in ("params", "snip", "grasp", "random")
    )


def verdicts(claims):
    return [[one.verdict for one in claim.evidence] for claim in claims]


def test_where_validation_accuracy_orders_the_other_way_round(material):
    there = material(searched=cases(FALLING))
    end, most, useless, early = proxy_claims(there)
    assert verdicts([end, most, useless]) == [[Verdict.HOLDS]] * 3
    assert "-1.00 (interval -1.00 to -1.00)" in useless.evidence[0].measured
    assert early.evidence[0].measured.startswith("Lower in 0 of 4")
    discarded, degraded, worth = selection_claims(there)
    assert verdicts([discarded, degraded]) == [[Verdict.HOLDS]] * 2
    assert worth.evidence[0].verdict is Verdict.FAILS
    assert {line[4] for line in discarded.evidence[0].grid.lines} == {"epoch 3"}


def test_where_it_orders_as_they_find(material):
    there = material(searched=cases(RISING))
    end, most, useless, _ = proxy_claims(there)
    assert verdicts([end, most, useless]) == [[Verdict.FAILS]] * 3
    discarded, degraded, worth = selection_claims(there)
    assert verdicts([discarded, degraded, worth]) == [
        [Verdict.FAILS],
        [Verdict.FAILS],
        [Verdict.HOLDS],
    ]


def test_a_proxy_that_is_bad_early_and_good_late(material):
    valid = {epoch: FALLING if epoch < 30 else RISING for epoch in EPOCHS}
    metrics = ("params", "snip", "grasp", "random")
    there = material(searched=tuple(searched(valid, FOUND, name) for name in metrics))
    early = proxy_claims(there)[3].evidence[0]
    assert early.verdict is Verdict.HOLDS
    assert early.grid.lines[0][2:] == ("3", "-1.00", "1.00")


def test_one_searched_split_cannot_tell(material):
    there = material(searched=cases(FALLING)[:1])
    found = [claim.evidence[0].verdict for claim in proxy_claims(there)]
    assert found == [Verdict.UNKNOWN] * 4


def test_what_halving_chose_and_cost():
    one = replay(cases(RISING)[0], paper_choice(cases(RISING)[0]))
    assert (one.result.winner, one.rank, one.result.regret) == ("S5", 1, 0.0)
    assert one.result.milestones == (3, 10)
    assert one.result.cost == pytest.approx((8 * 3 + 4 * 7 + 2 * 50) / 60)
    assert one.random_regret == pytest.approx(94 - sum(FOUND) / 8)


def test_schedules_name_the_papers_epochs_where_there_are_any(material):
    worth = selection_claims(material(searched=cases(RISING)))[2]
    names = [line[0] for line in worth.evidence[0].grid.lines]
    assert "halving at the paper's epochs as they are" in names
    assert names[-1] == "train all, take the best found"
    assert worth.evidence[0].grid.lines[-1][2:4] == ("8.00", "0.00")


def test_all_sub_supernets_that_find_the_same_are_no_ordering(material):
    there = material(searched=cases(RISING, (90.0,) * 8))
    _, _, useless, early = proxy_claims(there)
    assert useless.evidence[0].verdict is Verdict.UNKNOWN
    assert early.evidence[0].verdict is Verdict.UNKNOWN


def test_splits_beside_the_whole_space(material):
    whole = (WholeSearch(KIND, 0, 93.5, "search-whole"),)
    better, seldom, _, _ = impact_claims(material(searched=cases(RISING), whole=whole))
    assert better.evidence[0].verdict is seldom.evidence[0].verdict is Verdict.HOLDS
    assert "search-whole" in better.evidence[0].runs
    assert {line[-1] for line in better.evidence[0].grid.lines} == {"+0.50"}
    other = (WholeSearch(KIND, 1, 93.5, "search-whole"),)
    [printed] = impact_claims(material(searched=cases(RISING), whole=other))[0].evidence
    assert printed.runs == ()


def test_random_beside_metrics(material):
    worse = (*cases(RISING)[:3], searched({0: RISING, 60: RISING}, (80.0,) * 8, "random"))
    more = (searched({0: RISING, 60: RISING}, FOUND, "snip as published"),)
    claim = impact_claims(material(searched=worse + more))[2]
    assert claim.evidence[0].verdict is Verdict.FAILS
    assert "0 of 4" in claim.evidence[0].measured
    alone = impact_claims(material(searched=cases(RISING)[:3]))[2]
    assert all(not one.runs for one in alone.evidence)


def test_the_page_says_what_is_missing_and_names_the_runs(material):
    there = material(searched=cases(FALLING))
    claims = [*impact_claims(there), *selection_claims(there)]
    page = report_markdown(claims, there, "fewshot reproduce")
    assert "    fewshot search --no-splitting\n" in page
    assert page.count("Runs of this data folder: not measured.") == 2
    assert "* R1: `search-params-0`, `search-snip-0`, `search-grasp-0`, `search-random-0`" in page
    assert page == report_markdown(claims, there, "fewshot reproduce")
