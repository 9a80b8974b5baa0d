"""Cases of part 1: sizes, and the inputs that are drawn from them. Sizes that could be mixed up are distinct."""

from dataclasses import dataclass

import torch

from grader.suite import Case, cases, flags, one_of, sizes

STD = 0.6  # of every parameter, norms included: a fresh norm would hide a norm that is used twice


def drawn(draw, shapes):
    return {name: draw.normal(*shape, std=STD) for name, shape in shapes.items()}


def linear_shapes(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm_shapes(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def attention_shapes(size, start=""):
    return {
        key: shape
        for name in ("q", "k", "v", "c_proj")
        for key, shape in linear_shapes(start + name, size, size).items()
    }


def block_shapes(size, start=""):
    return {
        **norm_shapes(start + "ln_1", size),
        **attention_shapes(size, start + "attn."),
        **norm_shapes(start + "ln_2", size),
        **linear_shapes(start + "mlp.c_fc", size, 4 * size),
        **linear_shapes(start + "mlp.c_proj", 4 * size, size),
    }


def transformer_shapes(config, start=""):
    size, vocab = config["n_embd"], config["vocab_size"]
    shapes = {
        start + "transformer.embedding.vocab_embeddings.weight": (vocab, size),
        start + "transformer.embedding.position_embeddings.weight": (config["block_size"], size),
        **norm_shapes(start + "transformer.ln_f", size),
        start + "lm_head.weight": (vocab, size),
    }
    for place in range(config["n_layer"]):
        shapes.update(block_shapes(size, f"{start}transformer.h.{place}."))
    return shapes


# --- part 1 ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EmbeddingCase(Case):
    batch: int
    time: int
    vocab: int
    size: int
    spare: int
    seed: int

    def inputs(self):
        draw = self.draw()
        config = {"vocab_size": self.vocab, "block_size": self.time + self.spare, "n_embd": self.size}
        shapes = {
            "vocab_embeddings.weight": (self.vocab, self.size),
            "position_embeddings.weight": (config["block_size"], self.size),
        }
        return {
            "config": config,
            "weights": drawn(draw, shapes),
            "idx": draw.integers(self.batch, self.time, high=self.vocab),
            "upstream": draw.normal(self.batch, self.time, self.size),
        }


def embedding_cases():
    return cases(
        EmbeddingCase,
        distinct={"vocab": (3, 9), "size": (2, 7)},
        batch=sizes(1, 4),
        time=sizes(1, 6),
        spare=sizes(0, 2),
    )


@dataclass(frozen=True)
class AttentionCase(Case):
    batch: int
    time: int
    heads: int
    head_size: int
    seed: int

    @property
    def size(self):
        return self.heads * self.head_size

    def config(self):
        return {"n_embd": self.size, "n_head": self.heads}

    def inputs(self):
        draw = self.draw()
        return {
            "config": self.config(),
            "weights": drawn(draw, attention_shapes(self.size)),
            "x": draw.normal(self.batch, self.time, self.size),
            "upstream": draw.normal(self.batch, self.time, self.size),
        }


def attention_cases():
    return cases(AttentionCase, distinct={"heads": (1, 4), "head_size": (2, 6)}, batch=sizes(1, 4), time=sizes(1, 6))


@dataclass(frozen=True)
class OneTokenCase(AttentionCase):
    """Every token may look at one token; `shared` masks are (1, T, T), others (B, 1, T, T)."""

    shared: bool = False
    dtype: str = "float32"

    def inputs(self):
        draw = self.draw()
        orders = [draw.permutation(self.time) for _ in range(1 if self.shared else self.batch)]
        return {
            "config": self.config(),
            "weights": drawn(draw, attention_shapes(self.size)),
            "x": draw.normal(self.batch, self.time, self.size),
            "looks_at": torch.stack(orders).expand(self.batch, -1).clone(),
            "shared": self.shared,
            "dtype": self.dtype,
        }


def one_token_cases():
    return cases(
        OneTokenCase,
        distinct={"heads": (1, 4), "head_size": (2, 6)},
        batch=sizes(1, 4),
        time=sizes(2, 6),
        shared=flags(),
        dtype=one_of("float32", "int32"),
    )


@dataclass(frozen=True)
class DropoutCase(AttentionCase):
    def inputs(self):
        draw = self.draw()
        x = draw.normal(self.batch, self.time, self.size)
        return {"config": self.config(), "weights": drawn(draw, attention_shapes(self.size)), "x": x}


def dropout_cases():
    return cases(DropoutCase, distinct={"heads": (1, 4), "head_size": (2, 6)}, batch=sizes(8, 12), time=sizes(5, 8))


def some_mask(draw, batch, time):
    """Float (B, 1, T, T): each token may look at itself and at about half of the others."""
    return ((draw.uniform(batch, 1, time, time) < 0.5) | torch.eye(time).bool()).float()


@dataclass(frozen=True)
class BlockCase(AttentionCase):
    def inputs(self):
        draw = self.draw()
        return {
            "config": self.config(),
            "weights": {**drawn(draw, block_shapes(self.size)), "mix": draw.normal(self.size, self.size, std=STD)},
            "x": draw.normal(self.batch, self.time, self.size),
            "mask": some_mask(draw, self.batch, self.time),
            "upstream": draw.normal(self.batch, self.time, self.size),
        }


def block_cases():
    return cases(BlockCase, distinct={"heads": (1, 3), "head_size": (3, 5)}, batch=sizes(1, 3), time=sizes(1, 5))


@dataclass(frozen=True)
class ModelCase(Case):
    """A whole model: `prefix` tokens of a cache, then `time` tokens."""

    batch: int
    time: int
    prefix: int
    heads: int
    head_size: int
    layers: int
    vocab: int
    seed: int

    def config(self):
        return {
            "n_layer": self.layers,
            "n_head": self.heads,
            "n_embd": self.heads * self.head_size,
            "vocab_size": self.vocab,
            "block_size": self.prefix + self.time + self.seed % 3,
        }

    def weights(self, draw):
        config = self.config()
        size = config["n_embd"]
        own = drawn(draw, transformer_shapes(config))
        return {**own, "table": draw.normal(self.vocab, size), "mix": draw.normal(size, size, std=STD)}

    def targets(self, draw):
        targets = draw.integers(self.batch, self.time, high=self.vocab)
        targets[draw.uniform(self.batch, self.time) < 0.3] = -1
        targets[:, 0] = draw.integers(self.batch, high=self.vocab)  # never all of them left out: that loss is 0/0
        return targets


@dataclass(frozen=True)
class TransformerCase(ModelCase):
    def inputs(self):
        draw = self.draw()
        return {
            "config": self.config(),
            "weights": self.weights(draw),
            "idx": draw.integers(self.batch, self.time, high=self.vocab),
            "targets": self.targets(draw),
            "mask": some_mask(draw, self.batch, self.time),
        }


@dataclass(frozen=True)
class HiddenCase(ModelCase):
    def inputs(self):
        draw = self.draw()
        return {
            "config": self.config(),
            "weights": self.weights(draw),
            "idx": draw.integers(self.batch, self.time, high=self.vocab),
            "mask": some_mask(draw, self.batch, self.time),
        }


@dataclass(frozen=True)
class CacheCase(ModelCase):
    def inputs(self):
        draw, half = self.draw(), self.vocab // 2
        return {
            "config": self.config(),
            "weights": self.weights(draw),
            "prefix": draw.integers(self.batch, self.prefix, high=half),  # other ids than behind it: a cache must show
            "idx": draw.integers(self.batch, self.time, low=half, high=self.vocab),
            "targets": self.targets(draw),
            "mask": torch.ones(self.batch, 1, self.prefix + self.time, self.prefix + self.time),
        }


def model_cases(kind, *, prefix=(0, 0), batch=(1, 4), time=(1, 5)):
    return cases(
        kind,
        distinct={"heads": (1, 3), "head_size": (3, 5), "vocab": (6, 12)},  # a norm over two channels knows only signs
        batch=sizes(*batch),
        time=sizes(*time),
        prefix=sizes(*prefix),
        layers=sizes(2, 3),
    )


@dataclass(frozen=True)
class PaddingCase(ModelCase):
    """Rows of at least two lengths; id -1 fills them up, `prefix` columns hold nothing but padding."""

    def inputs(self):
        draw = self.draw()
        lengths = draw.integers(self.batch, low=1, high=self.time)
        lengths[draw.integer(0, self.batch)] = self.time
        width = self.time + self.prefix
        padded = torch.arange(width) >= lengths[:, None]
        return {
            "config": self.config(),
            "weights": self.weights(draw),
            "idx": draw.integers(self.batch, width, high=self.vocab).masked_fill(padded, -1),
            "targets": draw.integers(self.batch, width, high=self.vocab).masked_fill(padded, -1),
        }


@dataclass(frozen=True)
class MaskCase(Case):
    """`column`: the lengths come as (B, 1) instead of (B,)."""

    batch: int
    time: int
    spare: int
    column: bool
    seed: int

    def config(self):
        block_size = self.time + self.spare
        return {"n_layer": 1, "n_head": 1, "n_embd": 2, "vocab_size": 3, "block_size": block_size}

    def lengths(self, draw):
        lengths = draw.integers(self.batch, low=1, high=self.time + 1)
        lengths[draw.integer(0, self.batch)] = self.time
        return lengths

    def inputs(self):
        lengths = self.lengths(self.draw())
        return {"config": self.config(), "num_tokens": lengths[:, None] if self.column else lengths}


def mask_cases(kind=MaskCase):
    return cases(kind, distinct={"batch": (1, 5), "time": (1, 7)}, spare=sizes(0, 3), column=flags())


@dataclass(frozen=True)
class DecoderMaskCase(MaskCase):
    def inputs(self):
        draw = self.draw()
        lengths = self.lengths(draw)
        return {
            "config": self.config(),
            "num_tokens": lengths[:, None] if self.column else lengths,
            "full_mask": draw.integers(self.batch, 1, self.time, self.time, high=2).int(),
        }
