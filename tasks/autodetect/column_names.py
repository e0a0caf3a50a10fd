"""Names that columns usually have: of groups of images, and of pairs of texts."""

GROUP_NAMES = ("group", "patient", "subject", "person", "writer", "speaker", "participant", "case", "session", "site",
               "user", "scene", "location", "animal")  # fmt: skip
"""Names of columns whose values say which images belong together."""
PAIR_STEMS = ("sentence", "sent", "text", "question", "string", "phrase")
PAIR_ENDS = (("1", "2"), ("a", "b"))
PAIR_NAMES = (
    ("premise", "hypothesis"),
    ("text", "textpair"),
    ("query", "passage"),
    ("first", "second"),
    *((f"{stem}{a}", f"{stem}{b}") for stem in PAIR_STEMS for a, b in PAIR_ENDS),
)
"""Names of two columns that are a pair of texts, in small letters and without marks."""
