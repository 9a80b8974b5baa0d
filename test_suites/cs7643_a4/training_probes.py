"""Training the four translators as the course's notebook does, and running them on sentences they have not seen.

The conventions are the course's. A target begins with <sos> and ends with <eos>, both sides are filled with <pad> to
equal length, and the score at position t is that of target word t: nothing is shifted, <sos> at position 0 counts,
<pad> does not. Three of the models read the source alone (Seq2Seq translates greedily while it learns, the encoder
scores a word at every source position); the full Transformer reads the target too and shifts it itself.
"""

from __future__ import annotations

import torch
from building import build_decoder, build_encoder, build_seq2seq
from torch import Tensor, nn

PAD = 1
DROPOUT = 0.2
LARGEST_GRADIENT = 0.5
POINTS = 50  # of the curve


def train_translator(modules, *, steps, batch, rate, **options):
    """Train one translator by Adam for `steps` batches of the sentences given, in their order, round and round."""
    source, target = (modules.given[name] for name in ("source", "target"))
    net = build_translator(modules, **options).train()
    if not list(net.parameters()):
        # The template's class has none: then its hole is found here ("not attempted"), before the optimiser complains.
        scores_of(net, source[:1].to(modules.device), target[:1].to(modules.device), options["kind"])
    modules.keep_start(net.state_dict())
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    loss_of = nn.CrossEntropyLoss(ignore_index=PAD)
    for step in range(1, steps + 1):
        rows = torch.arange((step - 1) * batch, step * batch) % len(source)
        wanted = target[rows].to(modules.device)
        scores = scores_of(net, source[rows].to(modules.device), wanted, options["kind"])
        loss = loss_of(scores.reshape(-1, scores.shape[-1]), wanted.reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
        optimiser.step()
        if step in (1, steps) or step % max(1, steps // POINTS) == 0:
            modules.report(step, loss=loss.item())
    modules.keep(net.state_dict())
    return {"steps": steps, "parameters": sum(parameter.numel() for parameter in net.parameters())}


def predict_translator(modules, *, source, target=None, **options):
    """Scores (N, T, V) of the trained translator. It is given the source, only the full Transformer the target too."""

    def filled():
        net = build_translator(modules, **options)
        net.load_state_dict(modules.given_weights())
        return net.eval()

    net = modules.cached("net", filled)
    with torch.no_grad():
        wanted = None if target is None else target.to(modules.device)
        scores = scores_of(net, source.to(modules.device), wanted, options["kind"])
    return {"logits": scores.reshape(*source.shape, -1).float().cpu()}


def scores_of(net: nn.Module, source: Tensor, target: Tensor | None, kind: str) -> Tensor:
    """One call as the course's training loop makes it."""
    return net(source, target) if kind == "full" else net(source)


def build_translator(modules, *, kind, source_words, target_words, length, width, feedforward) -> nn.Module:
    """The student's model of this kind on the device; what has a default in the template keeps it, sizes apart."""
    device = torch.device(modules.device)
    if kind in ("rnn", "lstm_attention"):
        model, attention = ("RNN", False) if kind == "rnn" else ("LSTM", True)
        parts = {
            "encoder": build_encoder(modules, [source_words, width, width, width], model, dropout=DROPOUT),
            "decoder": build_decoder(modules, [width, width, width, target_words], model, attention, dropout=DROPOUT),
        }
        return build_seq2seq(modules, modules["seq2seq"].Seq2Seq, parts, attention, device).to(device)
    name = {"encoder": "TransformerTranslator", "full": "FullTransformerTranslator"}[kind]
    sizes = {"hidden_dim": width, "dim_feedforward": feedforward, "max_length": length}
    return getattr(modules["transformer"], name)(source_words, target_words, device, **sizes).to(device)
