"""Bytes of a text in Latin letters -> the single-byte encodings that may have written it, likeliest first.

The encodings of Europe differ in a few letters, which statistics of words confuse: French read as cp1250 says "naďve".
So the letters decide: those that are no ASCII must, all of them, be letters of one language that is written so.
"""

WESTERN = (
    "àâçèéêëîïôœùûü",
    "äöüß",
    "áéíñóúü¿¡ªº",
    "àáâãçéêíóôõúü",
    "àèéìíîòóù",
    "åäöæøéüà",
    "áéëïíóöüèç",
    "áðéíóúýþæö",
    "àáçèéíïòóúü·",
)
"""French, German, Spanish, Portuguese, Italian, the Nordic languages, Dutch, Icelandic, Catalan."""
CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ", "äöüß", "çë")
"""Polish, Czech, Slovak, Hungarian, Croatian and Slovene, Romanian, German, Albanian."""
TURKISH = ("çğıöşüâîûi̇",)
BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž")
"""Lithuanian, Latvian, Estonian."""
VIETNAMESE = ("ăâđêôơưàáèéíóùúüëï₫\u0300\u0309\u0303\u0301\u0323",)
LETTERS = {
    "cp1252": WESTERN,
    "iso8859_15": WESTERN,
    "cp1250": CENTRAL,
    "iso8859_2": CENTRAL,
    "cp1254": TURKISH,
    "cp1257": BALTIC,
    "mac_roman": WESTERN,
    "cp1258": VIETNAMESE,
}
"""Encodings with the letters of the languages that they are used for; of equal ones the first is taken."""
SIGNS = frozenset("“”„‘’‚«»‹›–—…•€£¥©®™°§´×½¼¾²³\u00a0")
"""Signs that stand in texts of any of these languages."""


def likeliest(data: bytes) -> list[str]:
    """Encodings in the order of how well one language explains the letters."""
    return sorted(LETTERS, key=lambda name: -_explained(data, name))


def _explained(data: bytes, encoding: str) -> float:
    """The share of characters beyond ASCII that are signs or letters of one and the same language."""
    odd = [letter for letter in data.decode(encoding, "replace").lower() if not letter.isascii()]
    letters = [letter for letter in odd if letter not in SIGNS]
    most = max(sum(letter in language for letter in letters) for language in LETTERS[encoding])
    return (most + len(odd) - len(letters)) / max(len(odd), 1)
