"""Cases of sampling and of the encoder-decoder."""

from dataclasses import dataclass

import torch
from cases import drawn, transformer_shapes

from grader.suite import Case, cases, one_of, sizes


@dataclass(frozen=True)
class GenerateCase(Case):
    batch: int
    time: int
    new_tokens: int
    vocab: int
    temperature: float
    seed: int

    def inputs(self):
        idx = self.draw().integers(self.batch, self.time, high=self.vocab)
        return {"vocab": self.vocab, "idx": idx, "new_tokens": self.new_tokens, "temperature": self.temperature}


@dataclass(frozen=True)
class PrefixGenerateCase(GenerateCase):
    def inputs(self):
        prefix = self.draw().integers(1, self.time, high=self.vocab)
        return {"vocab": self.vocab, "prefix": prefix, "new_tokens": self.new_tokens, "temperature": self.temperature}


def generate_cases(kind, **batch):
    return cases(
        kind,
        distinct={"time": (1, 5), "new_tokens": (1, 6)},
        vocab=sizes(4, 9),
        temperature=one_of(1.0, 0.7, 1.5),
        **batch,
    )


@dataclass(frozen=True)
class FrequencyCase(Case):
    """Four logits, equally spaced, in a drawn order; spaced so that the temperature moves a quarter of the mass."""

    temperature: float
    seed: int

    def logits(self):
        reach = 2.0 if self.temperature < 1.0 else 4.0
        return torch.linspace(0.0, reach, 4)[self.draw().permutation(4)]

    def expected(self):
        return torch.softmax(self.logits() / self.temperature, dim=0)

    def inputs(self):
        return {"logits": self.logits(), "rows": 4096, "temperature": self.temperature}


@dataclass(frozen=True)
class PrefixFrequencyCase(FrequencyCase):
    def inputs(self):
        return {"logits": self.logits(), "new_tokens": 400, "temperature": self.temperature}


def frequency_cases(kind):
    return cases(kind, temperature=one_of(0.4, 2.5))


@dataclass(frozen=True)
class EncoderDecoderCase(Case):
    """`vocab` and `out_vocab` ids on the two sides; the decoder adds one."""

    batch: int
    prefix: int
    time: int
    heads: int
    head_size: int
    vocab: int
    out_vocab: int
    seed: int

    def inputs(self):
        draw = self.draw()
        size, block = self.heads * self.head_size, self.prefix + self.time
        shared = {"n_head": self.heads, "n_embd": size, "block_size": block}
        encoder = {**shared, "n_layer": 2, "vocab_size": self.vocab}
        decoder = {**shared, "n_layer": 3, "vocab_size": self.out_vocab}
        grown = {**decoder, "vocab_size": self.out_vocab + 1}
        weights = drawn(draw, {**transformer_shapes(encoder, "encoder."), **transformer_shapes(grown, "decoder.")})
        weights["encoder.table"] = draw.normal(self.vocab, size)
        weights["decoder.table"] = draw.normal(self.out_vocab + 1, size)
        return {
            "encoder_config": encoder,
            "decoder_config": decoder,
            "weights": weights,
            "prefix": draw.integers(self.batch, self.prefix, high=self.vocab),
            "targets": draw.integers(self.batch, self.time, high=self.out_vocab + 1),
        }


def encoder_decoder_cases():
    return cases(
        EncoderDecoderCase,
        distinct={"prefix": (1, 5), "time": (1, 5), "vocab": (5, 12), "out_vocab": (5, 12)},
        batch=sizes(1, 3),
        heads=sizes(1, 2),
        head_size=sizes(3, 4),
    )
