"""Operations as small tinted signs.

Signs are returned as annotations, for a figure to take all of them at once: adding them one by
one takes a time that grows with the square of their number.
"""

from collections.abc import Iterable
from typing import Any

from fewshot_core.plots.template import OPERATION_COLOURS, OPERATION_GLYPHS, SMALL_FONT_SIZE

Annotation = dict[str, Any]

_GAP = 3


def chip(operation: int, text: str, x: float, y: float, hover: str) -> Annotation:
    """Return the sign of an operation, centred on a point of the figure's axes."""
    return {
        "x": x,
        "y": y,
        "text": text,
        "showarrow": False,
        "bgcolor": OPERATION_COLOURS[operation],
        "borderpad": 3,
        "font": {"color": "#FFFFFF", "size": SMALL_FONT_SIZE},
        "hovertext": hover,
    }


def chip_row(
    operations: Iterable[int], x: float, y: float, shift: int, hover: str
) -> list[Annotation]:
    """Return the signs of some operations side by side.

    Args:
        operations: Operation numbers.
        x: Where the row begins, on the figure's axis.
        y: Its middle, on the figure's axis.
        shift: How far to the right of ``x`` it begins, in pixels.
        hover: What hovering over it says.
    """
    row = []
    for operation in operations:
        width = _width(operation)
        place = {"width": width - 2, "borderpad": 1, "xanchor": "left", "xshift": shift}
        row.append(chip(operation, OPERATION_GLYPHS[operation], x, y, hover) | place)
        shift += width + _GAP
    return row


def _width(operation: int) -> int:
    """Return the width of an operation's sign, in pixels."""
    return 27 if len(OPERATION_GLYPHS[operation]) > 1 else 17
