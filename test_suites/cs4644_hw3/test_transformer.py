"""Part 1: embedding, attention, block, Transformer, masks."""

import cases
import probes
import torch
import torch.nn.functional as F
from hypothesis import given

from grader.suite import assert_agrees, item, require, require_close, require_different, routes


@item("embedding.forward")
@given(case=cases.embedding_cases())
def test_embedding(student, reference, case):
    """Every token gets the vector of its id plus the vector of its position."""
    assert_agrees(student.run(probes.embedding, case), reference.run(probes.embedding, case))


@item("attention.forward")
@given(case=cases.attention_cases())
def test_attention(student, reference, case):
    """Multi-head self-attention gives the right values and gradients when every token may see every token."""
    # The gradient of a weight without influence (one token: nothing to choose) is rounding noise, hence the atol.
    assert_agrees(student.run(probes.attention, case), reference.run(probes.attention, case), atol=1e-4)


@item("attention.mask")
@given(case=cases.one_token_cases())
def test_attention_mask(student, reference, case):
    """A token that is masked out has no influence: with one visible token, attention gives that token's value."""
    values = student.run(probes.attention_to_one, case)
    expected = reference.run(probes.attention_to_one, case)
    assert_agrees(values, expected, only=("one head",))
    require_close(values["out"], values["alone"], "the output where only one token is visible")


@item("attention.dropout")
@given(case=cases.dropout_cases())
def test_attention_dropout(student, reference, case):
    """In training, dropout acts on the attention weights and on the final output, and nowhere in evaluation."""
    expected = reference.run(probes.attention_dropout, case)
    values = student.run(probes.attention_dropout, case)
    assert_agrees(values, expected, only=("without",))
    for name, where in (("weights all dropped", "attention weights"), ("output all dropped", "output, after c_proj")):
        text = f"With a dropout probability of 1 on the {where}, nothing should be left of the output; something is."
        require(values[name].abs().max() == 0, text)
    require_close(values["eval"], values["eval without"], "the output in evaluation mode, where nothing is dropped,")
    dropped, whole = values["half the weights"], values["without"]
    kept = (dropped.abs().sum(dim=-1, keepdim=True) > 0).float()
    require(0 < kept.mean() < 1, "With a dropout probability of 0.5, some attention weights are dropped, some kept.")
    require_close(dropped, 2.0 * kept * whole, "the output of a single token, whose one weight is dropped or doubled,")


@item("block.forward")
@routes("own", "stand-in")
@given(case=cases.block_cases())
def test_block(student, reference, case, route):
    """Attention and feed-forward part see a normalised input, and each is added to what came in."""
    options = {"stand_in": route == "stand-in"}
    expected = reference.run(probes.block, case, **options)
    assert_agrees(student.run(probes.block, case, **options), expected, atol=1e-4)


@item("transformer.forward")
@routes("own", "stand-in")
@given(case=cases.model_cases(cases.TransformerCase))
def test_transformer(student, reference, case, route):
    """Embedding, blocks, final norm and head give the logits and the loss (either placement of the norm)."""
    options = {"stand_in": route == "stand-in"}
    expected = reference.run(probes.transformer, case, **options)
    assert_agrees(student.run(probes.transformer, case, **options), expected, atol=1e-4)


@item("transformer.hidden")
@routes("own", "stand-in")
@given(case=cases.model_cases(cases.HiddenCase))
def test_hidden(student, reference, case, route):
    """With return_hidden the hidden states come back from which the head makes the logits."""
    options = {"stand_in": route == "stand-in"}
    values = student.run(probes.transformer_hidden, case, **options)
    expected = reference.run(probes.transformer_hidden, case, **options)
    shape = tuple(expected["hidden"].shape)
    require(values["hidden"].shape == shape, f"The hidden states have shape (B, T, n_embd), here {shape}.")
    head = case.inputs()["weights"]["lm_head.weight"]
    require_close(values["hidden"] @ head.T, values["logits"], "lm_head(hidden)")
    require_different(values["logits"], torch.zeros_like(values["logits"]), "The logits depend on the tokens.")


@item("transformer.cache")
@routes("own blocks", "stand-in blocks")
@given(case=cases.model_cases(cases.CacheCase, prefix=(1, 4)))
def test_cache(student, reference, case, route):
    """A hidden cache stands before the embedded tokens, and the loss starts at the cache's last position."""
    options = {"stand_in": route == "stand-in blocks"}
    values = student.run(probes.transformer_cache, case, **options)
    reference.run(probes.transformer_cache, case, **options)
    require_close(values["cached"], values["whole"], "the logits of a cache and its continuation")
    later = values["cached"][:, case.prefix :]
    require_different(later, values["without"], "The hidden cache has no influence on the logits of the tokens.")
    inputs = case.inputs()
    predictions = values["cached"][:, case.prefix - 1 : -1]
    expected = F.cross_entropy(predictions.flatten(0, 1), inputs["targets"].flatten(), ignore_index=-1)
    require_close(values["loss"], expected, "the loss with a cache")
    require(values["cache is trained"], "No gradient of the loss reaches the hidden cache: an encoder would not learn.")


@item("encoder.mask")
@given(case=cases.mask_cases())
def test_encoder_mask(student, reference, case):
    """The rows of tokens that are no padding show exactly the tokens that are no padding."""
    mask, expected = student.run(probes.encoder_mask, case)["mask"], reference.run(probes.encoder_mask, case)["mask"]
    shape = tuple(expected.shape)
    require(mask.shape == shape, f"The mask has shape (B, 1, T, T), here {shape}; it has {tuple(mask.shape)}.")
    lengths = case.inputs()["num_tokens"].view(-1, 1, 1, 1)
    real = torch.arange(case.time).view(1, 1, -1, 1) < lengths  # what rows of padding show is another check's affair
    assert_agrees({"mask": mask * real}, {"mask": expected * real})


@item("encoder.padding")
@routes("own", "stand-in")
@given(case=cases.model_cases(cases.PaddingCase, prefix=(0, 2), batch=(2, 4), time=(3, 6)))
def test_padding(student, reference, case, route):
    """A batch of rows of different lengths gives finite outputs, a finite loss and finite gradients."""
    options = {"stand_in": route == "stand-in"}
    values = student.run(probes.encoder_padding, case, **options)
    expected = reference.run(probes.encoder_padding, case, **options)
    for name in ("hidden", "logits", "loss", "gradient"):
        value = values[name]
        require(value is not None and value.shape == expected[name].shape, f"The {name} has another shape.")
        share = 1.0 - value.isfinite().float().mean().item()
        require(share == 0.0, f"{share:.0%} of the {name} is NaN or infinite: rows of padding must see some token.")
    require(values["logits"].std() > 1e-4, "The logits of different tokens differ; here they are all the same.")


@item("decoder.mask")
@routes("own", "stand-in")
@given(case=cases.mask_cases(cases.DecoderMaskCase))
def test_decoder_mask(student, reference, case, route):
    """Of what the encoder's mask shows, a token sees itself and what stands before it."""
    options = {"stand_in": route == "stand-in"}
    expected = reference.run(probes.decoder_mask, case, **options)
    assert_agrees(student.run(probes.decoder_mask, case, **options), expected)
