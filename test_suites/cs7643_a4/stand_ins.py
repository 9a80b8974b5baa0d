"""Small public modules that take the place of a student's own code, so that a mistake is paid for once.

Each has the interface and the documented attributes of what it stands for and computes something else. Its weights
are drawn by the judge, and the reference meets the same stand-in.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

State = Tensor | tuple[Tensor, Tensor]


class FixedRecurrent(nn.Module):
    """Stands for nn.RNN: whatever it reads, it returns the output and the state that it was built with."""

    def __init__(self, output: Tensor, hidden: Tensor) -> None:
        super().__init__()
        self.output = output
        self.hidden = hidden

    def forward(self, input: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The fixed pair."""
        return self.output, self.hidden


class StandInEncoder(nn.Module):
    """Stands for `Encoder`: outputs (B, T, enc) and the decoder's first state, made of sines and running sums."""

    def __init__(
        self, input_size: int, emb_size: int, encoder_hidden_size: int, decoder_hidden_size: int, model_type: str
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.model_type = model_type
        self.embedding = nn.Embedding(num_embeddings=input_size, embedding_dim=emb_size)
        self.wave = nn.Parameter(torch.zeros(emb_size, encoder_hidden_size))
        self.state = nn.Parameter(torch.zeros(encoder_hidden_size, decoder_hidden_size))

    def forward(self, input: Tensor) -> tuple[Tensor, State]:
        """As `Encoder.forward`."""
        output = (self.embedding(input) @ self.wave).cumsum(dim=1).sin()  # (B, T, enc)
        hidden = (output.sum(dim=1) @ self.state).cos().unsqueeze(0)  # (1, B, dec)
        if self.model_type != "RNN":
            return output, (hidden, output[:, -1].unsqueeze(0) * 2)
        return output, hidden


class StandInDecoder(nn.Module):
    """Stands for `Decoder`: scores (N, V) and the next state; `attention` adds the mean of the encoder outputs.

    `attention` may come with the call, or as an attribute where the semester's `forward` has no such argument.
    """

    def __init__(
        self, emb_size: int, encoder_hidden_size: int, decoder_hidden_size: int, output_size: int, model_type: str
    ) -> None:
        super().__init__()
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.output_size = output_size
        self.model_type = model_type
        self.attention = False
        self.embedding = nn.Embedding(num_embeddings=output_size, embedding_dim=emb_size)
        self.step = nn.Parameter(torch.zeros(emb_size, decoder_hidden_size))
        self.keep = nn.Parameter(torch.zeros(decoder_hidden_size, decoder_hidden_size))
        self.score = nn.Parameter(torch.zeros(decoder_hidden_size, output_size))

    def forward(
        self,
        input: Tensor,
        hidden: State,
        encoder_outputs: Tensor | None = None,
        attention: bool | None = None,
    ) -> tuple[Tensor, State]:
        """As `Decoder.forward`."""
        if input.dim() != 2 or input.shape[1] != 1:
            raise ValueError(f"the decoder reads one word per call: its input is (N, 1), not {tuple(input.shape)}")
        state, cell = hidden if isinstance(hidden, tuple) else (hidden, None)
        if self.attention if attention is None else attention:
            assert encoder_outputs is not None, "attention needs the encoder outputs"
            state = state + encoder_outputs.mean(dim=1)
        state = (self.embedding(input).transpose(0, 1) @ self.step + state @ self.keep).sin()  # (1, N, dec)
        if cell is None:
            return state[0] @ self.score, state
        cell = (cell * 1.5 + state).cos()
        return (state + cell)[0] @ self.score, (state, cell)


def stand_in_attention(hidden: Tensor, encoder_outputs: Tensor) -> Tensor:
    """Stands for `Decoder.compute_attention`: (1, N, H), (N, T, H) -> (N, 1, T), later positions count more."""
    nearness = 1 / (1 + (encoder_outputs - hidden.transpose(0, 1)).abs().sum(dim=2))  # (N, T)
    rank = torch.arange(1, nearness.shape[1] + 1, dtype=nearness.dtype)
    return (nearness * rank).unsqueeze(1)


def stand_in_layers(table: Tensor, mix: Tensor, bend: Tensor, score: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    """Stand for the four methods of `TransformerTranslator`, to be assigned on the instance.

    table: (input_size, H), mix and bend: (H, H), score: (H, output_size).
    """
    return {
        "embed": lambda inputs: table[inputs].cumsum(dim=1),
        "multi_head_attention": lambda inputs: (inputs @ mix).sin() + inputs.flip(1),
        "feedforward_layer": lambda inputs: (inputs.roll(1, dims=2) @ bend).cos(),
        "final_layer": lambda inputs: inputs.square() @ score,
    }


def stand_in_forward(words: Tensor, positions: Tensor, score: Tensor, pad: int, start: int) -> Callable[..., Tensor]:
    """Stands for `FullTransformerTranslator.forward`, to be assigned on the instance.

    It reads the target one step late, as the given `add_start_token` does; its scores (N, T, V) at a position depend
    on the source and on earlier target words. Position 0 always predicts `start`, no position ever predicts `pad`.
    words: (V, H), positions: (T, H), score: (H, V).
    """

    def forward(src: Tensor, tgt: Tensor) -> Tensor:
        late = torch.cat((torch.full_like(tgt[:, :1], start), tgt[:, :-1]), dim=1)
        read = tgt if bool((tgt[:, :2] == start).all()) else late
        seen = (words[read] + positions[: tgt.shape[1]]).cumsum(dim=1)  # (N, T, H)
        scores = (seen + words[src % len(words)].sum(dim=1, keepdim=True)).sin() @ score  # (N, T, V)
        offset = torch.zeros_like(scores)
        offset[:, :, pad] = offset[:, 1:, start] = -100.0
        offset[:, 0, start] = 100.0
        return scores + offset

    return forward
