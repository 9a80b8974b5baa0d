"""The registry: every kind of mistake, by the name that reports and `equivalent_mutants.yaml` use."""

from __future__ import annotations

from collections.abc import Mapping

from grader.proof.changes.making import Operator
from grader.proof.mutants.operators import arrays, axes, functions, layers, masks, plain, terms, training

# Where two kinds give the same text, the first gives the mutant its name: new kinds belong behind the others.
_FUNCTIONS: tuple[Operator, ...] = (
    terms.scale_dropped,
    terms.factor_dropped,
    terms.bias_dropped,
    terms.epsilon_dropped,
    terms.epsilon_outside,
    terms.residual_dropped,
    terms.term_dropped,
    axes.axis_changed,
    axes.permutation_changed,
    axes.transposition_dropped,
    axes.concatenation_exchanged,
    axes.slice_shifted,
    axes.index_changed,
    axes.order_reversed,
    masks.mask_dropped,
    masks.mask_inverted,
    masks.mask_after_softmax,
    masks.causal_shifted,
    masks.causal_turned,
    functions.activation_exchanged,
    functions.activation_dropped,
    functions.reduction_changed,
    functions.extreme_exchanged,
    functions.clipping_dropped,
    functions.function_dropped,
    functions.variance_estimate_changed,
    layers.weight_exchanged,
    layers.gate_exchanged,
    layers.halves_exchanged,
    layers.norm_moved_before,
    layers.norm_moved_behind,
    layers.norm_dropped,
    training.dropout_always,
    training.dropout_dropped,
    training.mode_exchanged,
    training.gradients_kept,
    training.detached,
    training.state_kept,
    training.state_reset,
    plain.operator_exchanged,
    plain.sign_dropped,
    plain.comparison_shifted,
    plain.condition_fixed,
    plain.logic_exchanged,
    plain.constant_changed,
    plain.flag_flipped,
    plain.return_exchanged,
    plain.statement_deleted,
    plain.loop_shortened,
    arrays.copy_dropped,
    arrays.dtype_changed,
)

# A name outlives its function: ids of explained mutants are made from it.
OPERATORS: Mapping[str, Operator] = {function.__name__.replace("_", "-"): function for function in _FUNCTIONS}
