"""All claims of Section 4, in its order, and the questions beyond it."""

from fewshot_core.reproduction.claims import Claim
from fewshot_core.reproduction.content_claims import content_claims
from fewshot_core.reproduction.impact import impact_claims
from fewshot_core.reproduction.informing import informing_claim
from fewshot_core.reproduction.material import Material
from fewshot_core.reproduction.proxy import proxy_claims
from fewshot_core.reproduction.selecting import selection_claims


def find_claims(material: Material) -> list[Claim]:
    """Judge every claim on what there is; where there is nothing, a claim has no evidence."""
    return [
        *impact_claims(material),
        *content_claims(material),
        *proxy_claims(material),
        *selection_claims(material),
        informing_claim(material),
    ]
