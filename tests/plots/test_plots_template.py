import pytest

from fewshot_core.plots import (
    DEGENERATE_COLOUR,
    OPERATION_COLOURS,
    OPERATION_GLYPHS,
    SUB_SPACE_COLOURS,
    alternative,
    empty_figure,
    sub_space_colour,
)
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    FONT_SIZE,
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    luminance,
    outline_colour,
    sub_space_dash,
    sub_space_pattern,
    text_colour,
    translucent,
)

THEMES = ("#FFFFFF", "#0E1117")


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_colours_of_sub_spaces_are_fixed():
    expected = "#E69F00 #56B4E9 #009E73 #F0E442 #0072B2 #D55E00 #CC79A7 #8C8C8C"
    assert " ".join(SUB_SPACE_COLOURS) == expected
    assert sub_space_colour(3) == sub_space_colour(11) == "#F0E442"


def test_a_repeated_colour_has_another_dash_and_pattern():
    looks = {(sub_space_colour(i), sub_space_dash(i)) for i in range(32)}
    assert len(looks) == len({(sub_space_colour(i), sub_space_pattern(i)) for i in range(32)}) == 32


def test_every_operation_has_its_own_glyph_and_tint():
    assert len(set(OPERATION_COLOURS)) == len(set(OPERATION_GLYPHS)) == 5


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_text_stand_out_in_both_themes(theme):
    assert contrast(INK, theme) > 4
    for colour in (*map(outline_colour, SUB_SPACE_COLOURS), *OPERATION_COLOURS):
        assert contrast(colour, theme) > 3
    for colour in (DEGENERATE_COLOUR, ACTIVE_COLOUR):
        assert contrast(colour, theme) > 3


@pytest.mark.parametrize("colour", [*SUB_SPACE_COLOURS, *OPERATION_COLOURS])
def test_text_on_colours_is_readable(colour):
    assert contrast(text_colour(colour), colour) > 4.5


def test_outlines_of_the_extremes():
    for colour in ("#000000", "#FFFFFF"):
        assert all(contrast(outline_colour(colour), theme) > 3 for theme in THEMES)
    assert translucent("#0072B2", 0.5) == "rgba(0,114,178,0.5)"


def test_an_empty_figure_says_why():
    figure = empty_figure("Scores <1>", "nothing here")
    assert figure.layout.annotations[0].text == "nothing here"
    assert figure.layout.title.text == "Scores &lt;1&gt;"
    assert alternative(figure) == "Scores <1>: nothing here"
    assert figure.layout.height


def test_the_template_is_transparent_and_large_enough():
    layout = base_figure("Title", 100, "alt", ["one", "two"]).layout
    assert "one · two" in layout.title.text
    assert layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert layout.template.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert min(FONT_SIZE, SMALL_FONT_SIZE) >= 12


def test_long_notes_go_into_lines_of_their_own():
    short = base_figure("A title", 300, "", ["one", "two"])
    assert short.layout.title.text.count("<br>") == 1
    assert "one · two" in short.layout.title.text
    long = base_figure("A title", 300, "", ["one " * 15, "two " * 15])
    assert long.layout.title.text.count("<br>") == 2
    assert long.layout.margin.t == short.layout.margin.t + 20
