"""What kinds that read texts share in training: parts, models with LoRA, layout, batches, saving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from torch import Tensor, nn
from torch.utils.data import Dataset

from configs.models import TextModel
from configs.schema import Train

from ..learn.fit import Feed
from ..learn.phases import Layout
from ..learn.trainer import Truth
from . import feed, lora, merging, parts
from .models import Form, build_model
from .tokenizer import TextTokenizer


@dataclass(frozen=True)
class TextTraining:
    """Texts as token ids; a kind subclasses it with its encoding, its `form`, and its rows and batches."""

    encoding: Any
    tokenizer: TextTokenizer
    preprocessing: ClassVar[tuple[str, ...]] = ("tokenizer.json", "encoding.json")
    truth: ClassVar[Truth] = "tokens"
    """What validation counts as right, see learn/fit.py `Feed`."""

    @property
    def form(self) -> Form:
        """How the kind uses models of transformers."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[str, ...]:
        """In class-id order."""
        return tuple(self.encoding.labels)

    @property
    def kind(self) -> str:
        """As in encode.kind."""
        return str(self.encoding.kind)

    def read(self, path: Path) -> parts.Part:
        """One encoded part."""
        return parts.read_part(path)

    def model(self, section: Train, train: Any) -> Any:
        """What training starts from, with LoRA layers where the recipe asks for them. Raises DataError."""
        source = cast(TextModel, section.model)
        adapters = section.lora
        form = replace(self.form, base=adapters.base) if adapters else self.form
        model = build_model(source, form, self.encoding, self.tokenizer, section.seed)
        self.set_loss(model, section, train)
        if adapters is not None:
            heads = lora.new_modules(model) if self.form.whole_rows else ()
            lora.add_lora(model, adapters, self._probe(model), heads=heads, tokens=self.encoding.new_tokens)
        return model

    def set_loss(self, model: Any, section: Train, train: Any) -> None:
        """Set the recipe's loss where a kind has a choice; as it is, the forward's own holds."""

    def _probe(self, model: Any) -> dict[str, Tensor]:
        length, tokens = min(16, self.encoding.max_length), self.encoding.new_tokens
        return lora.probe_batch(model, length, writer=not self.form.whole_rows, tokens=tokens)

    def layout(self, model: Any) -> Layout:
        """Names without the base model's prefix; the head is what is not part of the base model."""
        base = f"{model.base_model_prefix}."
        names = [name for name, value in model.named_parameters() if value.requires_grad]
        inner = [f"{base}{name}" for name, _ in model.base_model.named_children()]
        outer = [name for name, _ in model.named_children() if name != model.base_model_prefix]
        last = [module for name, module in model.named_modules() if isinstance(module, nn.Linear) and base not in name]
        output = (last[-1] if last else None) if self.form.whole_rows else model.get_output_embeddings()
        return Layout(
            {name: name.removeprefix(base) for name in names},
            (*inner, *outer),
            frozenset(name for name in names if not name.startswith(base)),
            getattr(model, "fresh", frozenset()),
            output,
            new=not hasattr(model, "loaded"),
        )

    def rows(self, part: Any, *, train: bool) -> Dataset[Any]:
        """A part as the Trainer takes it."""
        return feed.Rows(part)

    def collate(self, seed: int) -> Callable[[Any], dict[str, Tensor]]:
        """What makes batches of such rows."""
        return feed.collate_rows(self.encoding)

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        """Training and validation rows, and what makes batches of them."""
        train = self.rows(parts["train"], train=True)
        validation: Any = self.rows(parts["validation"], train=False)
        lengths = getattr(train, "lengths", None) if self.encoding.padding == "longest" else None
        given = validation if len(validation) else None
        return Feed(train, given, self.collate(seed), truth=self.truth, lengths=lengths)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        """Write the model as transformers does, adapters merged."""
        if section.lora is None:
            model.save_pretrained(folder)
        else:
            merging.export_merged(model, folder, self._probe(model), section.lora.base)

    def finish(self, validation: Any, folder: Path) -> None:
        """Nothing: validation rows decide nothing else of the model."""

    def draw_inputs(self, model: Any, train: Any, section: Train, folder: Path) -> None:
        """Nothing: training shows the model what the rows hold."""
