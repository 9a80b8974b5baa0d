"""Getting at a student's translation model: its layers, and what the handout leaves free."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from building import constant_randomness, leaves
from stand_ins import StandInDecoder, StandInEncoder
from torch import Tensor, nn

from grader.probing import bind_layers, handed

Weights = Mapping[str, Tensor]
LSTM_NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
# What the decoder is fed when position t is predicted: the target before t, or its own prediction; the first token
# once or twice. The last two feed the target that is to be predicted.
FED = (
    "teacher forcing",
    "greedy",
    "teacher forcing from position 0",
    "greedy from position 0",
    "leak",
    "leak from position 0",
)
# What the figure leaves open beside the context.
MIXES: dict[str, dict[str, object]] = {
    "the embedded token is mixed with the context": {},
    "the state is mixed with the context": {"mixes": "state"},
}
READINGS: dict[str, dict[str, object]] = {
    f"{fed}, {what}": ({"fed": fed} if fed != FED[0] else {}) | mixes for what, mixes in MIXES.items() for fed in FED
}


def seq2seq_file(modules: Any, vocab: int, length: int, hidden: int) -> Any:
    """The notebook, with the globals that functions of real submissions read."""
    file = modules["seq2seq"]
    languages = [type("Lang", (), {"n_words": vocab})() for _ in range(2)]
    dataset = type("Dataset", (), {"max_length": length, "input_lang_pad": vocab - 1, "output_lang_pad": vocab - 1})()
    dataset.input_lang, dataset.output_lang = languages
    device = torch.device("cpu")
    file.provide(DEVICE=device, device=device, dataset=dataset, MAX_LENGTH=length, SOS_token=0, EOS_token=1)
    file.provide(hid_dim=hidden, emb_dim=hidden, in_dim=vocab, out_dim=vocab)
    return file


def encoder_layers(weights: Weights) -> dict[str, tuple[type[nn.Module], Weights]]:
    """The layers of LSTMEncoder with the drawn weights."""
    return {
        "embedding": (nn.Embedding, {"weight": weights["encoder.embedding"]}),
        "lstm": (nn.LSTM, {name: weights[f"encoder.{name}"] for name in LSTM_NAMES}),
    }


def decoder_layers(weights: Weights, turned: bool) -> dict[str, tuple[type[nn.Module], Weights]]:
    """The layers of AttnLSTMDecoder; `turned`: fc gets the context first, so its halves are exchanged."""
    classifier = {"weight": weights["decoder.classifier"], "bias": weights["decoder.classifier_bias"]}
    return {
        "embedding": (nn.Embedding, {"weight": weights["decoder.embedding"]}),
        "lstm": (nn.LSTM, {name: weights[f"decoder.{name}"] for name in LSTM_NAMES}),
        "fc": (nn.Linear, {"weight": halves(weights["decoder.fc"], turned), "bias": weights["decoder.fc_bias"]}),
        "classifier": (nn.Linear, classifier),
    }


def halves(fc: Tensor, turned: bool) -> Tensor:
    """The weight (or gradient) of fc with its halves exchanged, or as it is."""
    return fc.roll(fc.shape[0], 1) if turned else fc


def drawn_order(found: Mapping[str, Tensor | None], turned: bool) -> dict[str, Tensor | None]:
    """Gradients with the halves of fc in the order in which they were drawn."""
    fc = found["fc.weight"]
    return {**found, "fc.weight": None if fc is None else halves(fc, turned)}


def context_first(modules: Any) -> bool:
    """Whether the context stands first in what fc gets: free in the handout."""
    turned: bool = modules.choose([("context last", False), ("context first", True)])
    return turned


def mix_states(file: Any, net: nn.Module) -> None:
    """On the reference only: its decoder under the other reading of the figure."""
    net.forward = types.MethodType(file._forward_mixing_states, net)  # type: ignore[method-assign]


def shapes(found: Sequence[Tensor]) -> str:
    """The shapes of tensors, for a message."""
    return ", ".join(str(tuple(leaf.shape)) for leaf in found) or "no tensor"


def argument_forms(
    modules: Any, net: nn.Module, tokens: Tensor, hidden: Tensor, cell: Tensor, states: Tensor
) -> tuple[Tensor, ...]:
    """(enc_hiddens, input, hidden, cell) in a form with which the student's decoder runs, the documented one first."""
    forms = _forms(tokens, hidden, cell, states)
    running = [(name, form) for name, form in forms if _runs(net, form)]
    chosen: tuple[Tensor, ...] = modules.choose(running or forms[:1])
    return chosen


def _forms(tokens: Tensor, hidden: Tensor, cell: Tensor, states: Tensor) -> list[tuple[str, tuple[Tensor, ...]]]:
    forms = []
    for seen_name, seen in (("", states), ("enc_hiddens (L, B, H)", states.transpose(0, 1).contiguous())):
        for token_name, token in (("", tokens[:, None]), ("input (B,)", tokens)):
            for state_name, state in (("", hidden), ("hidden (1, B, H)", hidden[None])):
                name = ", ".join(filter(None, (seen_name, token_name, state_name))) or "as documented"
                forms.append((name, (seen, token, state, cell)))
    return forms


def _runs(net: nn.Module, form: tuple[Tensor, ...]) -> bool:
    net.enc_hiddens, *inputs = handed(form)
    try:
        with torch.no_grad():
            return bool(leaves(net(*inputs)))
    except Exception:
        return False


def own_translator(
    modules: Any, src: Tensor, weights: Weights, mixes: str = ""
) -> tuple[nn.Module, Callable[[], dict[str, Tensor | None]]]:
    """(model with the drawn weights, a function that reads all gradients)"""
    file, model = _model(modules, src, weights)
    turned = context_first(modules)
    reads = bind_layers(modules, model.encoder, encoder_layers(weights))
    writes = bind_layers(modules, model.decoder, decoder_layers(weights, turned))
    if mixes == "state":
        mix_states(file, model.decoder)

    def gradients() -> dict[str, Tensor | None]:
        both = (("encoder", reads.gradients()), ("decoder", drawn_order(writes.gradients(), turned)))
        return {f"{side}.{name}": value for side, found in both for name, value in found.items()}

    return model, gradients


def translator_of_stand_ins(modules: Any, src: Tensor, weights: Weights) -> tuple[nn.Module, Any]:
    """The student's LSTMSeq2Seq around stand-ins for its encoder and decoder."""
    _, model = _model(modules, src, weights)
    nested = modules.choose([("(scores, hidden, cell)", False), ("(scores, (hidden, cell))", True)])
    model.encoder = StandInEncoder(weights["encoder.embedding"], model.encoder, nested)
    parts = {name: weights[f"stand_in.{name}"] for name in ("table", "mix", "classifier")}
    model.decoder = StandInDecoder(parts, model.decoder, nested)
    own = model.decoder

    def gradients() -> dict[str, Tensor | None]:
        leaves_of = {"mix": own.mix, "table": own.embedding.weight, "classifier": own.classifier.weight}
        found = {"encoder": model.encoder.embedding.weight, **leaves_of}
        return {f"stand-in {name}": None if leaf.grad is None else leaf.grad.clone() for name, leaf in found.items()}

    return model, gradients


def _model(modules: Any, src: Tensor, weights: Weights) -> tuple[Any, Any]:
    vocab, size = weights["decoder.embedding"].shape
    file = seq2seq_file(modules, vocab, src.shape[1], size)
    return file, file.LSTMSeq2Seq(vocab, vocab, size, size, torch.device("cpu"), 0.0).eval()


def read_as(model: nn.Module, src: Tensor, trg: Tensor, fed_with: str) -> Tensor:
    """The output of a model with teacher forcing, as another reading would have it: its targets are shifted for that.

    src, trg (B, L) -> (B, V, L - 1)
    """
    first, blank = trg[:, :1], torch.zeros_like(trg[:, :1])
    if fed_with == "leak":
        return model(src, torch.cat([trg[:, 1:], blank], 1))[:, :, 1:]
    if fed_with == "leak from position 0":
        return model(src, torch.cat([trg, blank], 1))[:, :, 2:]
    if fed_with == "teacher forcing from position 0":
        return model(src, torch.cat([first, trg], 1))[:, :, 2:]
    if fed_with.startswith("greedy"):
        extra = int(fed_with != "greedy")
        fed = first.expand(-1, trg.shape[1] + extra).clone()
        for step in range(1, fed.shape[1]):
            with torch.no_grad():
                fed[:, step] = model(src, fed)[:, :, step].argmax(1)
        return model(src, fed)[:, :, 1 + extra :]
    return model(src, trg)[:, :, 1:]


def leak_of(model: nn.Module, src: Tensor, other_src: Tensor, trg: Tensor, other: Tensor) -> dict[str, object]:
    """How much outputs change with targets at their own and later positions, and how much with the source.

    Both sides of a coin are tried, because some models choose at random what they feed their decoder.
    """
    leak, moved = 0.0, 0.0
    for coin in (0.0, 0.999):
        with constant_randomness(coin), torch.no_grad():
            out = model(src, trg)
            for position in range(1, trg.shape[1]):
                changed = torch.cat([trg[:, :position], other[:, position:]], 1)
                difference = (model(src, changed) - out)[:, :, : position + 1]
                leak = max(leak, difference.abs().max().item())
            moved = max(moved, (model(other_src, trg) - out)[:, :, 1:].abs().max().item())
    return {"leak": leak, "moved": moved}


def by_inputs(value: Tensor, inputs: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """The gradients of a tensor, weighted from entry to entry, by each input."""
    if not value.requires_grad:
        return dict.fromkeys(inputs)
    weighted = value * torch.linspace(0.5, 1.5, value.numel()).reshape(value.shape)
    found = torch.autograd.grad(weighted.sum(), list(inputs.values()), retain_graph=True, allow_unused=True)
    return dict(zip(inputs, found, strict=True))


# --- whether the student's own three classes fit together -------------------------------------------------------


def misfit(modules: Any, src: Tensor, trg: Tensor, weights: Weights) -> str:
    """What goes wrong between the student's own classes; nothing where one of them does not run alone.

    The states that the two LSTMs get and give are compared: the decoder's cell has to start as the encoder's last one
    and to go on from step to step. (Its hidden state may be mixed with the context.)
    """
    _, model = _model(modules, src, weights)
    source, target = (torch.cat([tokens, tokens.flip(0)]) for tokens in (src, trg))  # never a batch of one
    if not _run_alone(model, source):
        return ""
    given, taken = _tapped(model.encoder), _tapped(model.decoder)
    try:
        with constant_randomness(), torch.no_grad():
            model(source, target)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    if not given or not taken:
        return ""
    before = given[-1][1]
    for step, (start, end) in enumerate(taken):
        where = "the encoder's last cell state" if step == 0 else "its cell state after the step before"
        if start is None or (start.numel() == before.numel() and not torch.allclose(start.flatten(), before.flatten())):
            return f"step {step + 1} of the decoder's LSTM does not start from {where} (are states exchanged?)"
        before = end
    return ""


def _run_alone(model: Any, source: Tensor) -> bool:
    batch, length = source.shape
    state = torch.zeros(1, batch, model.hid_dim)
    try:
        with torch.no_grad():
            leaves(model.encoder(source, state, state))
    except Exception:
        return False
    forms = _forms(source[:, 0], state[0], state, torch.zeros(batch, length, model.hid_dim))
    return any(_runs(model.decoder, form) for _, form in forms)


def _tapped(net: nn.Module) -> list[tuple[Tensor | None, Tensor]]:
    """A list that grows by (cell before, cell after) with each call of the LSTM in `net`."""
    calls: list[tuple[Tensor | None, Tensor]] = []

    def note(_: nn.Module, inputs: tuple[Any, ...], keywords: Mapping[str, Any], result: Any) -> None:
        start = inputs[1] if len(inputs) > 1 else keywords.get("hx")
        calls.append((None if start is None else start[1], result[1][1]))

    for layer in net.modules():
        if isinstance(layer, nn.LSTM):
            layer.register_forward_hook(note, with_kwargs=True)
    return calls
