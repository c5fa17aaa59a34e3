import json
from pathlib import Path

import pytest
from made_up_material import ALONE, EVEN

from fewshot_core.reproduction import Split, Verdict, find_claims
from fewshot_core.reproduction.content_claims import BALANCED, LOPSIDED, content_claims
from fewshot_core.reproduction.contents import contents, extreme_shares
from fewshot_core.reproduction.informing import informing_claim
from fewshot_core.space import SubSpace

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def by_title(claims, start):
    [found] = [claim for claim in claims if claim.title.startswith(start)]
    return found


@pytest.mark.parametrize(("leaves", "lopsided"), [(ALONE, True), (EVEN, False)])
def test_a_split_is_lopsided_by_its_largest_sub_space(material, split, leaves, lopsided):
    found = contents(split("params", leaves), material())
    assert found.lopsided is lopsided
    assert extreme_shares(found.split) == pytest.approx((27 / 125, 64 / 125))
    assert sum(found.sizes) == 15_625
    assert sum(found.tops) == 157


def test_the_top_is_where_the_last_operations_are(material, split):
    found = contents(split("params", EVEN), material())
    # Accuracy grows with the index, and 157 is 125 with 4, 4, 4 on the edges and 32 with 4, 4, 3.
    assert found.tops == (0, 0, 0, 0, 0, 0, 32, 125)
    assert (found.with_top, found.for_most, found.largest_has_most) == (2, 2, True)
    assert found.richest_share == 125 / 157


def test_the_two_behaviours_hold_where_every_metric_behaves_so(material, split):
    splits = tuple(split(name, EVEN) for name in BALANCED)
    splits += tuple(split(name, ALONE) for name in LOPSIDED)
    claims = content_claims(material(splits=splits))
    [five], [four] = claims[0].evidence, claims[1].evidence
    assert (five.verdict, four.verdict) == (Verdict.HOLDS, Verdict.HOLDS)
    assert len(five.runs) == 5
    assert "5 of 5" in five.measured


def test_they_do_not_hold_the_other_way_round(material, split):
    splits = tuple(split(name, ALONE) for name in BALANCED)
    splits += tuple(split(name, EVEN) for name in LOPSIDED)
    claims = content_claims(material(splits=splits))
    assert [claim.evidence[0].verdict for claim in claims[:2]] == [Verdict.FAILS] * 2
    assert "Otherwise: gradnorm" in claims[0].evidence[0].measured


def test_one_metric_cannot_tell_and_chance_is_not_counted(material, split):
    splits = (split("params"), *(split("random", EVEN, seed) for seed in range(5)))
    several = by_title(content_claims(material(splits=splits)), "The top 1%")
    [found] = several.evidence
    assert found.verdict is Verdict.UNKNOWN
    assert "1 of 1" in found.measured
    assert len(found.grid.lines) == 6


def test_scales_are_kept_apart(material, split):
    small = Split("snip", "cifar10", EVEN, "split-snip", "2 channels", "8 real images", (0,), 0)
    several = by_title(content_claims(material(splits=(split("snip"), small))), "The top 1%")
    assert [one.runs for one in several.evidence] == [("split-snip-0",), ("split-snip",)]


def test_nothing_is_measured_without_runs(material):
    measured = {
        claim.title for claim in find_claims(material()) if any(one.runs for one in claim.evidence)
    }
    assert measured == set()


def test_a_metric_informs_over_seeds_only(material, split):
    one = informing_claim(material(splits=(split("snip"), split("params")))).evidence[0]
    answers = {line[0]: line[-1] for line in one.grid.lines}
    assert answers["snip"] == "cannot be told"
    assert answers["params"] in ("yes", "no")
    several = tuple(split("snip", ALONE, seed) for seed in range(3))
    again = informing_claim(material(splits=several)).evidence[0]
    assert again.grid.lines[0][1] == "3"
    assert again.grid.lines[0][-1] in ("yes", "no")


def test_the_published_splits_as_they_are_known(accuracies, material):
    if not SHARED.exists():
        pytest.skip("needs the folder `shared` beside the project")
    masks = json.loads((SHARED / "published_splits.json").read_text())["splits"]
    rows = masks["gradientmatching"]["ImageNet16-120"]
    leaves = tuple(SubSpace.from_rows(one) for one in rows)
    published = Split("gradientmatching", "cifar10", leaves)
    found = contents(published, material(published=(published,)))
    assert found.sizes == (125, 500, 500, 2000, 500, 2000, 2000, 8000)
    claims = content_claims(material(published=(published,)))
    assert claims[1].evidence[0].material == "1 of the 1 published splits"
    assert claims[1].evidence[0].runs == ()
