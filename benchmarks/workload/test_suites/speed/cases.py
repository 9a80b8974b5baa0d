"""One fixed case per class. The tests are plain functions without @given."""

from dataclasses import dataclass

import drawing

from grader.suite import Case


@dataclass(frozen=True)
class LSTMCase(Case):
    seed: int = 1

    def inputs(self):
        return drawing.lstm_inputs(self.seed)


@dataclass(frozen=True)
class LayerNormCase(Case):
    seed: int = 2

    def inputs(self):
        return drawing.layer_norm_inputs(self.seed)


@dataclass(frozen=True)
class AttentionCase(Case):
    seed: int = 3

    def inputs(self):
        return drawing.attention_inputs(self.seed)
