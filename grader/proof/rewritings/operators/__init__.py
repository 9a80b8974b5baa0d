"""The registry: every kind of rewriting, by the name that reports and `refused_rewritings.yaml` use."""

from __future__ import annotations

from collections.abc import Mapping

from grader.proof.changes.making import Operator
from grader.proof.rewritings.operators import devices, dropout, layers, names, objects, spellings, tensors, values

OPERATORS: Mapping[str, Operator] = {
    "activation": spellings.activation,
    "softmax": spellings.softmax,
    "product": spellings.product,
    "einsum": spellings.einsum,
    "loop": spellings.looped,
    "linear": spellings.linear,
    "concatenation": spellings.concatenation,
    "mask": spellings.mask,
    "reshape": spellings.reshape,
    "size": spellings.size,
    "statistic": spellings.statistic,
    "order": spellings.order,
    "fresh": spellings.fresh,
    "older": spellings.older,
    "number": spellings.number,
    "returned": spellings.returned,
    "strided": tensors.strided,
    "written-in-place": tensors.written_in_place,
    "in-place": tensors.in_place,
    "argument-written": tensors.argument_written,
    "dropout": dropout.dropout,
    "dropout-layer": dropout.layer,
    "padding-index-first": dropout.padding_first,
    "padding-index-second": dropout.padding_second,
    "padding-index-last": dropout.padding_last,
    "initial-values": values.initial_values,
    "wrapped": layers.wrapped,
    "subclassed": layers.subclassed,
    "by-function": layers.by_function,
    "fused": layers.fused,
    "split": layers.split,
    "buffered": layers.buffered,
    "super": objects.super_spelt,
    "call-defined": objects.call_defined,
    "property": objects.property_made,
    "helped": objects.helped,
    "decorated": objects.decorated,
    "hinted": objects.hinted,
    "under": objects.under,
    "import": names.import_spelt,
    "imported-whole": names.imported_whole,
    "class-aliased": names.class_aliased,
    "constant-named": names.constant_named,
    "function-shared": names.activation_shared,
    "variable-renamed": names.variable_renamed,
    "loop-shown": names.loop_shown,
    "script": names.script_added,
    "built-there": devices.built_there,
    "moved": devices.moved,
}

# Those whose words are Python's: all that a file without torch is rewritten by.
PLAIN = frozenset(
    {"order", "number", "returned", "super", "call-defined", "property", "helped", "decorated", "hinted", "under"}
    | {"import", "constant-named", "variable-renamed", "loop-shown", "script"}
)
