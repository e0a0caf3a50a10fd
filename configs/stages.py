"""The stages of the pipeline in their order: a section of the recipe, a file of tasks/ and a line of the flow each."""

STAGES = ("download", "validate", "clean", "split", "encode", "train", "evaluate", "register")
WITH_ROWS = STAGES[:5]
"""Those that account for every row in a ledger."""
CACHED = STAGES[:7]
"""Those that are served from the store."""
AUXILIARY = ("reference", "teacher", "pseudo_labels")
"""Artifacts that no stage of the flow makes: `train` asks for the first two, `download` opens the last."""
STORED = (*CACHED[:5], *AUXILIARY, *CACHED[5:])
"""All that the store holds, sources before users."""
