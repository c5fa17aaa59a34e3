"""The three ways in which tables write an architecture, and what each stands for."""

from functools import cache
from itertools import product

from fewshot_core.space import ARCHITECTURE_COUNT, EDGES, OPERATIONS, Architecture

FORMS = {
    "string": "an architecture string like |none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "digits": "six digits from 0 to 4, the operation numbers in the order of the string",
    "index": f"an index from 0 to {ARCHITECTURE_COUNT - 1}, those digits read as a base-5 number "
    "(not a file number of NATS-Bench)",
}
"""What each form looks like, for messages and choices."""


@cache
def architecture_codes(form: str) -> dict[str, int]:
    """Return the index of every architecture by its text in one of ``FORMS``."""
    indices = range(ARCHITECTURE_COUNT)
    if form == "string":
        return {Architecture.from_index(index).to_string(): index for index in indices}
    if form == "digits":
        digits = [str(operation) for operation in range(len(OPERATIONS))]
        texts = product(digits, repeat=len(EDGES))
        return {"".join(text): index for index, text in enumerate(texts)}
    return {str(index): index for index in indices}
