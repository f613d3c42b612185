"""All countries there are: ISO 3166-1 alpha-2, the continent of each, and who is a member of the European Union.

The single source for both: a table file only says which addresses are which country's.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fastedge._core.geotable import GeoFacts

# Continents as GeoNames sorts them, which is what MMDB makers do too. XK is no ISO code but the one in common use for
# Kosovo (ISO 3166-1 leaves X.. to users).
_BY_CONTINENT: Final = {
    "AF": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA "
    "NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    "AN": "AQ BV GS HM TF",
    "AS": "AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM "
    "PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE",
    "EU": "AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME "
    "MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    "NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC "
    "TT US VC VG VI",
    "OC": "AS AU CK CX FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS",
    "SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}

# The 27 member states. Their territories with a code of their own (AX BL GF GP MF MQ PM RE YT ..) are not in it.
_EU_MEMBERS: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU_MEMBERS: Final = frozenset(_EU_MEMBERS.split())

CONTINENTS: Final = frozenset(_BY_CONTINENT)

UNKNOWN: Final = GeoFacts("", "", False)


def _facts_by_country() -> dict[str, GeoFacts]:
    facts = {
        code: GeoFacts(code, continent, code in EU_MEMBERS)
        for continent, codes in _BY_CONTINENT.items()
        for code in codes.split()
    }
    return {"": UNKNOWN, **facts}


COUNTRIES: Final[Mapping[str, GeoFacts]] = MappingProxyType(_facts_by_country())
