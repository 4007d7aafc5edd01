"""Facts about bare language tags: which are slips for a country, and which regional tags are not meant as a pair.

`en-es` is a valid tag (English of Spain), and nearly always a slip for `en to es`. `es-AR` is one too, and nearly
never a slip, although `ar` is Arabic. What tells them apart: whether the language is an official one of that region
(CLDR, supplemental data, languagePopulation). Languages official only in a part of another language's country are
left out, so that `fr-it` and `de-dk` are asked about. A language in its own home (`de-DE`, `ca-ES`) needs no row:
langcodes knows the homes.
"""

from __future__ import annotations

_OFFICIAL = """
AF fa ps|AR es|AS en sm|BA bs hr sr|BE de fr nl|BI fr rn|BM en|BN ms|BO ay es qu|BR pt|BS en|CA en fr iu
CH de fr gsw it rm|CN bo ug za zh|CO es|CR es|CU es|CV pt|CY el tr|DZ ar fr|ES ast ca es eu gl|FI fi sv|FJ en fj
GA fr|GD en|GN fr|GU ch en|HT fr ht|KG ky ru|KI en|KM ar fr|KN en|KW ar|KY en|KZ kk ru|LB ar|LI de gsw|LU de fr lb
MG en fr mg|MH en mh|ML fr|MR ar|MS en|MT en mt|MY ms|NA en|NE fr|NG en yo|NL fy nds nl|NO nb nn no se|NR en na|OM ar
PA es|PS ar|PT pt|RW en fr rw|SA ar|SC en fr|SD ar en|SG en ms ta zh|SH en|SL en|SM it|SN ff fr wo|SO ar so|SR nl
SS en|ST pt|SV es|TG fr|TK en|TL pt|TN ar fr|TO en to|TT en|TW zh|UG en sw|VE es|VI en|ZA af en nr ss st tn ts ve xh zu
"""

OFFICIAL: dict[str, frozenset[str]] = {
    row.split()[0]: frozenset(row.split()[1:]) for row in _OFFICIAL.strip().replace("\n", "|").split("|")
}

RARE_TARGETS = frozenset({"ae", "bh", "cu", "ia", "ie", "in", "io", "iw", "ji", "jw", "mo", "pi", "vo"})
"""Two letters whose language nobody dubs into, or whose tag is out of use: there a region is meant as a region."""

SLIPS: dict[str, tuple[tuple[str, str], ...]] = {
    "kr": (("Korean", "ko"),),
    "se": (("Swedish", "sv"),),
    "br": (("Portuguese of Brazil", "pt-BR"),),
    "tw": (("Chinese of Taiwan", "zh-TW"),),
    "ee": (("Estonian", "et"),),
    "ch": (("Chinese", "zh"), ("German of Switzerland", "de-CH")),
    "my": (("Malay", "ms"),),
    "la": (("Lao", "lo"), ("Spanish of Latin America", "es-419")),
    "in": (("Indonesian", "id"), ("Hindi", "hi")),
    "jp": (("Japanese", "ja"),),
    "cn": (("Chinese", "zh"),),
    "cz": (("Czech", "cs"),),
    "dk": (("Danish", "da"),),
    "gr": (("Greek", "el"),),
    "ua": (("Ukrainian", "uk"),),
    "kz": (("Kazakh", "kk"),),
}
"""Bare tags that are mostly slips for a country: what may be meant, as (name, tag), the likeliest first."""

GRAMMAR_WORDS = frozenset({"to", "and"})
"""Valid tags (Tongan, Ansus) that are words of the grammar, and so never a language."""

MACRO = {"cmn": "zh", "arb": "ar", "pes": "fa", "zsm": "ms", "swh": "sw"}
"""CLDR's languageAlias for the main language of a macrolanguage: Mandarin is `zh` to every service."""

NO_LANGUAGE = frozenset({"und", "mul", "zxx", "mis", "root"})
"""Tags that are valid and name no language (undetermined, multiple, no linguistic content, uncoded)."""

OTHER_NAMES = {
    "chinese simplified": "zh-Hans",
    "chinese traditional": "zh-Hant",
    "bahasa indonesia": "id",
    "bahasa malaysia": "ms",
    "bahasa melayu": "ms",
    "português do brasil": "pt-BR",
    "português brasileiro": "pt-BR",
    "español latinoamericano": "es-419",
    "español de américa latina": "es-419",
}
"""Everyday names of languages that CLDR's lists lack."""

REGION_NAMES = {
    "uk": "GB", "great britain": "GB", "england": "GB", "us": "US", "usa": "US", "america": "US", "korea": "KR",
}
"""Everyday English names of regions that CLDR's lists lack."""
