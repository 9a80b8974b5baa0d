"""Judge only: the attention of the semesters from Fall 2024 on, where the context joins the embedding.

Submissions of those semesters are graded on it when their `Decoder` takes `attention` in its constructor.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from stand_ins import stand_in_attention
from torch import Tensor, nn


def joined_context(inputs: Mapping, model: str, route: str) -> dict[str, Tensor]:
    """The decoder's new state: context and embedding go through a layer, the recurrent state is left alone."""
    weights, mix, state = inputs["weights"], inputs["mix"], inputs["state"]
    source, hidden = inputs["encoder_outputs"], state["hidden"]
    if route == "stand-in":
        attention = stand_in_attention(hidden, source)
    else:
        cosine = nn.functional.cosine_similarity(hidden.transpose(0, 1), source, dim=2)
        attention = cosine.softmax(dim=1).unsqueeze(1)
    embedded = weights["embedding"]["weight"][inputs["tokens"]]  # (N, 1, emb)
    read = (attention @ source) @ mix["mix_context"] + embedded @ mix["mix_embedded"] + mix["mix_bias"]
    recurrent = {"RNN": nn.RNN, "LSTM": nn.LSTM}[model](read.shape[2], hidden.shape[2], batch_first=True)
    recurrent.load_state_dict(weights["recurrent"])
    with torch.no_grad():
        if model == "RNN":
            return {"hidden": recurrent(read, hidden)[1]}
        new, cell = recurrent(read, (hidden, state["cell"]))[1]
    return {"hidden": new, "cell": cell}
