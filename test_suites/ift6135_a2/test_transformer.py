"""Questions 2.6 and 2.7: the pre-norm block and the Transformer."""

from __future__ import annotations

import torch
from cases import block_cases, transformer_cases
from hypothesis import given
from probes import prenorm, prenorm_mask, transformer, transformer_dropout, transformer_mask

from grader.suite import assert_agrees, item, require, require_close, require_different, routes


@item("prenorm.forward")
@routes("stand-in", "own")
@given(case=block_cases())
def test_prenorm(student, reference, case, route):
    """Each branch normalises its input first and is added to what came in, before the normalisation."""
    assert_agrees(student.run(prenorm, case, route=route), reference.run(prenorm, case, route=route))


@item("prenorm.mask")
@routes("stand-in", "own")
@given(case=block_cases(rows=2, time=3))
def test_prenorm_mask(student, reference, case, route):
    """The block hands the padding mask to its attention."""
    reference.run(prenorm_mask, case, route=route)
    found, mask = student.run(prenorm_mask, case, route=route), case.inputs()["mask"]
    if route == "stand-in":
        require(found["mask"].numel() > 0, "The mask did not reach the attention of the block.")
        require_close(found["mask"], mask.float(), "the mask that reached the attention")
        return
    require_close(found["after"], found["before"], "the output after a change of what is padding")
    if bool((mask == 0).any()):
        free, changed = found["without a mask"], found["after, without a mask"]
        require_different(free, changed, "Even without a mask, padded positions have no influence.")


@item("transformer.forward")
@routes("stand-in", "own")
@given(case=transformer_cases())
def test_transformer(student, reference, case, route):
    """All blocks run in order and the CLS position goes through the head: (B, E), with its gradients."""
    assert_agrees(student.run(transformer, case, route=route), reference.run(transformer, case, route=route))


@item("transformer.dropout")
@given(case=transformer_cases())
def test_transformer_dropout(student, reference, case):
    """In training mode dropout acts on the embedded sequence, and in evaluation mode nowhere."""
    reference.run(transformer_dropout, case)
    found = student.run(transformer_dropout, case)
    for output in found["evaluation"].values():
        require_close(output, found["without dropout"], "with dropout 0.7 in evaluation mode, the output")
    require_close(
        found["all dropped"],
        found["zero embedding"],
        "with dropout 1 in training mode, the output (expected: that of embeddings of zeros)",
    )
    require_different(*found["training"].values(), "In training mode with dropout 0.5, two calls give the same output.")


@item("transformer.mask")
@routes(
    "mask without the CLS column",
    "mask with the CLS column",
    "own blocks, mask without the CLS column",
    "own blocks, mask with the CLS column",
)
@given(case=transformer_cases(rows=2))
def test_transformer_mask(student, reference, case, route):
    """Every block gets the padding mask, with the CLS token kept; the mask may come with or without its column."""
    expected = reference.run(transformer_mask, case, route=route)
    found = student.run(transformer_mask, case, route=route)
    if "own blocks" in route:
        assert_agrees(found, expected)
        return
    require(bool(found["masks"]), "No block was called.")
    wanted = torch.cat([torch.ones(case.batch, 1), case.inputs()["mask"].float()], dim=1)
    for index, reached in enumerate(found["masks"]):
        require(reached.numel() > 0, f"Block {index} got no mask.")
        require_close(reached, wanted, f"the mask that reached block {index} (expected: a column for CLS first)")
