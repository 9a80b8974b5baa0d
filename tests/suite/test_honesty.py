"""Honest models pass every check; those that look ahead, remember, or do not learn fail the one that is theirs."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.suite import Disagreement
from grader.suite.honesty import (
    Sample,
    answers,
    batch_independent,
    causal,
    curve_is_plausible,
    doubt,
    holds_up,
    learned,
    same_function,
    scored,
    unlearned_below,
    weights_moved,
)
from grader.suite.metrics import Measure
from grader.suite.training import Trained

VOCABULARY = 9
GENERATOR = torch.Generator().manual_seed(3)
EMBEDDING = torch.randn(VOCABULARY, VOCABULARY, generator=GENERATOR)


class Fake:
    """A predictor whose processes are objects: `build` makes the model of each."""

    def __init__(self, build, seed=0):
        self.build = build
        self.model = build()
        self.draw = torch.Generator().manual_seed(seed)

    def __call__(self, batch):
        return {"logits": self.model(**batch)}

    def fresh(self):
        other = Fake(self.build)
        other.draw = self.draw
        return other


def tokens_of(rows, time, seed=0):
    return torch.randint(VOCABULARY, (rows, time), generator=torch.Generator().manual_seed(seed))


def seeing(tokens, sees, reach=100):
    """Logits (N, T, V) of which position i depends on the `reach` tokens before i + sees."""
    columns = []
    for i in range(tokens.shape[1]):
        window = tokens[:, max(0, i + sees - reach) : max(0, i + sees)]
        columns.append(EMBEDDING[window].cumsum(1)[:, -1] if window.shape[1] else torch.zeros(len(tokens), VOCABULARY))
    return torch.stack(columns, dim=1)


def language_model(sees, change=lambda logits: logits):
    return Fake(lambda: lambda tokens: change(seeing(tokens, sees)))


def is_causal(model, time, sees, **more):
    causal(model, {"tokens": tokens_of(16, time)}, field="tokens", sees=sees, vocabulary=VOCABULARY, **more)


LOOKS_AHEAD = "the model sees what it is to predict"

# --- causal -------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 1), st.integers(1, 7), st.integers(0, 100))
def test_a_causal_model_passes(sees, time, seed):
    model = Fake(language_model(sees).build, seed)
    is_causal(model, time, sees)


@settings(max_examples=40)
@given(st.integers(0, 1), st.integers(1, 7), st.integers(0, 100))
def test_a_model_that_looks_one_token_ahead_fails(sees, time, seed):
    if time <= sees:
        return  # there is no token ahead
    model = Fake(language_model(sees + 1).build, seed)
    with pytest.raises(Disagreement, match=LOOKS_AHEAD):
        is_causal(model, time, sees)


@pytest.mark.parametrize("time", [1, 2, 3])
def test_a_decoder_that_reads_its_own_target_fails_from_the_first_position_on(time):
    with pytest.raises(Disagreement, match=r"from position \d on"):
        is_causal(language_model(1), time, 0)


def test_of_a_single_token_the_next_may_be_predicted():
    is_causal(language_model(1), 1, 1)


def test_a_model_that_looks_at_the_last_token_only_fails():
    def peeks(tokens):
        return seeing(tokens, 1) + EMBEDDING[tokens[:, -1:]]

    with pytest.raises(Disagreement, match=LOOKS_AHEAD):
        is_causal(Fake(lambda: peeks), 12, 1)


@pytest.mark.parametrize(
    "hide",
    [
        pytest.param(lambda logits: logits.index_fill(-1, torch.tensor([0]), -1e9), id="a class ruled out by -1e9"),
        pytest.param(lambda logits: logits.index_fill(-1, torch.tensor([0]), -math.inf), id="… by -inf"),
        pytest.param(lambda logits: logits + 1e5, id="a constant added"),
    ],
)
def test_large_logits_hide_nothing_and_cost_nothing(hide):
    is_causal(language_model(1, hide), 6, 1)
    with pytest.raises(Disagreement, match=LOOKS_AHEAD):
        is_causal(language_model(2, hide), 6, 1)


def test_what_an_infinite_logit_turns_into_is_a_difference():
    def flips(tokens):
        logits = seeing(tokens, 1)
        logits[:, 0, 0] = torch.where(tokens[:, -1] > 3, math.inf, 0.0)
        return logits

    with pytest.raises(Disagreement):
        is_causal(Fake(lambda: flips), 5, 1)


def test_rounding_is_no_difference():
    noise = iter(range(100))
    is_causal(language_model(1, lambda logits: logits * 10 + 1e-5 * next(noise)), 5, 1)


def test_replaced_tokens_come_from_the_range():
    seen = []

    def remembers(tokens):
        seen.append(tokens)
        return seeing(tokens, 1)

    is_causal(Fake(lambda: remembers), 8, 1, lowest=4)
    before, *others = seen
    for after in others:
        assert bool((after[before != after] >= 4).all())
        assert not torch.equal(before, after)
        cut = int((before != after).any(dim=0).float().argmax())
        assert cut >= 1


def test_other_inputs_of_the_batch_stay():
    def decoder(source, tokens):
        return seeing(tokens, 0) + EMBEDDING[source].sum(1, keepdim=True)

    batch = {"source": tokens_of(4, 3, seed=1), "tokens": tokens_of(4, 5)}
    causal(Fake(lambda: decoder), batch, field="tokens", sees=0, vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    "wrong", [lambda logits: logits[:, :, 0].mean(), lambda logits: logits[0, 0], lambda logits: None, lambda logits: 3]
)
def test_outputs_of_another_form_are_the_students_fault(wrong):
    with pytest.raises(Disagreement, match="logits should"):
        is_causal(language_model(1, wrong), 4, 1)


def test_outputs_whose_shape_changes():
    calls = []

    def shrinks(tokens):
        calls.append(tokens)
        return seeing(tokens, 1)[len(calls) :]

    with pytest.raises(Disagreement, match="another shape"):
        is_causal(Fake(lambda: shrinks), 5, 1)


# --- rows by themselves -------------------------------------------------------------------------------------------

INPUTS = {"x": torch.randn(6, 4, generator=torch.Generator().manual_seed(1))}
WEIGHT = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))


class Remembers:
    """Keeps state from call to call in one process, which a fresh one does not have."""

    def __init__(self):
        self.state = 0.0

    def __call__(self, x):
        rows = []
        for row in x:
            self.state = self.state + row.sum()
            rows.append(row @ WEIGHT + self.state)
        return torch.stack(rows)


class Position:
    """The first row is treated in another way than the others."""

    def __call__(self, x):
        return x @ WEIGHT + torch.tensor([1.0] + [0.0] * (len(x) - 1))[:, None]


LEAKING = {
    "batch statistics": lambda: lambda x: (x - x.mean(0)) @ WEIGHT,
    "batch norm that trains": lambda: lambda x: torch.nn.functional.batch_norm(x, None, None, training=True) @ WEIGHT
    if len(x) > 1 else x @ WEIGHT,
    "dropout": lambda: lambda x: torch.nn.functional.dropout(x, 0.5) @ WEIGHT,
    "state": Remembers,
    "position": Position,
    "ranks over the batch": lambda: lambda x: x.argsort(0).float(),
    "the number of rows": lambda: lambda x: x @ WEIGHT + len(x),
}  # fmt: skip


@settings(max_examples=20)
@given(st.integers(1, 6))
def test_a_model_of_single_rows_passes(rows):
    batch_independent(Fake(lambda: lambda x: torch.tanh(x @ WEIGHT)), {"x": INPUTS["x"][:rows]})


@pytest.mark.parametrize("name", LEAKING)
def test_a_model_that_mixes_rows_or_calls_fails(name):
    with pytest.raises(Disagreement, match="The outputs differ"):
        batch_independent(Fake(LEAKING[name]), INPUTS)


def test_inputs_that_are_no_rows_stay():
    def model(x, scale, lengths, name):
        assert (scale.shape, name) == ((), "n")
        assert len(lengths) == len(x)
        return x @ WEIGHT * scale * lengths[:, None]

    lengths = torch.arange(6)
    batch_independent(Fake(lambda: model), {**INPUTS, "scale": torch.tensor(2.0), "lengths": lengths, "name": "n"})


@pytest.mark.parametrize("outputs", [lambda x: x[:, 0], lambda x: x[:, :1], lambda x: x.reshape(len(x), 2, 2)])
def test_outputs_of_any_number_of_dimensions(outputs):
    batch_independent(Fake(lambda: outputs), INPUTS)
    with pytest.raises(Disagreement, match="The outputs differ"):
        batch_independent(Fake(lambda: lambda x: outputs(x + x.mean())), INPUTS)


def test_only_the_first_positions_are_compared_where_later_ones_may_change():
    def from_position(place):
        def model(x):
            out = (x @ WEIGHT)[:, None].expand(-1, 5, -1).clone()
            out[:, place:] += x.mean()
            return out

        return Fake(lambda: model)

    batch_independent(from_position(3), INPUTS, positions=3)
    with pytest.raises(Disagreement, match="The outputs differ"):
        batch_independent(from_position(2), INPUTS, positions=3)
    with pytest.raises(Disagreement, match="The outputs differ"):
        batch_independent(from_position(3), INPUTS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.int64])
def test_outputs_of_any_type(dtype):
    batch_independent(Fake(lambda: lambda x: (x * 8).to(dtype)), INPUTS)


def test_outputs_by_another_name():
    class Noise(Fake):
        def __call__(self, batch):
            return {"noise": batch["x"]}

        def fresh(self):
            return Noise(self.build)

    batch_independent(Noise(lambda: None), INPUTS, output="noise")
    with pytest.raises(Disagreement, match="logits should be a tensor, it is NoneType"):
        batch_independent(Noise(lambda: None), INPUTS)


def test_nan_is_named():
    with pytest.raises(Disagreement, match="hold NaN"):
        batch_independent(Fake(lambda: lambda x: x * math.nan), INPUTS)


@pytest.mark.parametrize(
    "wrong", [lambda x: torch.tensor(1.0), lambda x: x[:2], lambda x: x[: len(x) // 2], lambda x: x[:0], lambda x: "x"]
)
def test_too_few_rows_are_never_a_crash(wrong):
    with pytest.raises(Disagreement):
        batch_independent(Fake(lambda: wrong), INPUTS)


def test_a_process_that_answers_with_fewer_rows_later():
    built = []

    def build():
        built.append(1)
        return (lambda x: x) if len(built) == 1 else (lambda x: x[:1])

    with pytest.raises(Disagreement, match="another shape"):
        batch_independent(Fake(build), INPUTS)


# --- weights ------------------------------------------------------------------------------------------------------

START = {"a": torch.zeros(2), "b": torch.ones(3), "c": torch.zeros(()), "steps": torch.tensor(0)}


def trained(**changed):
    return Trained(start=START, weights={**START, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"a": torch.ones(2), "b": torch.zeros(3), "c": torch.tensor(1.0)},
        {"a": torch.ones(2), "b": torch.zeros(3)},
        {"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.zeros(3)},
        {"a": torch.full((2,), math.nan), "b": torch.zeros(3)},
    ],
)
def test_weights_that_moved(changed):
    weights_moved(trained(**changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, r"3 of 3 weight tensors did not move during training \(a, b, c\)"),
        ({"b": torch.zeros(3)}, r"2 of 3 weight tensors did not move during training \(a, c\)"),
        ({"steps": torch.tensor(5)}, "3 of 3"),
    ],
)
def test_weights_that_did_not_move(changed, said):
    with pytest.raises(Disagreement, match=said):
        weights_moved(trained(**changed))


def test_half_of_the_weights_may_be_frozen():
    start = {"a": torch.zeros(2), "b": torch.ones(3)}
    weights_moved(Trained(start=start, weights={**start, "b": torch.zeros(3)}))


def test_a_long_list_is_cut():
    start = {f"layer{n}": torch.zeros(1) for n in range(8)}
    with pytest.raises(Disagreement, match="layer4 and 3 more"):
        weights_moved(Trained(start=start, weights=start))


def test_without_weights_nothing_was_trained():
    with pytest.raises(Disagreement, match="the model has no parameters"):
        weights_moved(Trained(start=START, weights={}))
    with pytest.raises(Disagreement, match="no floating-point weights"):
        weights_moved(Trained(start={"n": torch.tensor(1)}, weights=START))


def test_the_untrained_model_is_the_start():
    run = trained(a=torch.ones(2))
    with pytest.raises(Disagreement):
        weights_moved(run.untrained())


# --- curves -------------------------------------------------------------------------------------------------------


def curve(*steps, loss=1.0):
    return Trained(weights={}, start={}, curve=tuple((step, {"loss": loss}) for step in steps))


@pytest.mark.parametrize("steps", [(1, 5, 10), (10,), (9,), (1, 9)])
def test_plausible_curves(steps):
    curve_is_plausible(curve(*steps), 10)


def test_a_step_may_be_reported_without_a_loss():
    curve_is_plausible(replace(curve(10), curve=((1, {}), (10, {}))), 10)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((), "No training step was reported"),
        ((0, 10), "not in order"),
        ((-1, 10), "not in order"),
        ((1, 1, 10), "not in order"),
        ((10, 9), "not in order"),
        ((1, 11), "11 steps were reported; the budget is 10"),
        ((1, 8), "Training ended after 8 of 10 steps"),
    ],
)
def test_implausible_curves(steps, said):
    with pytest.raises(Disagreement, match=said):
        curve_is_plausible(curve(*steps), 10)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_curve_that_diverges_is_named_with_its_step(loss):
    run = replace(curve(1), curve=((1, {"loss": 2.0}), (5, {"loss": 1.0, "norm": loss}), (10, {"loss": loss})))
    with pytest.raises(Disagreement, match="NaN or infinite at step 5: training diverged"):
        curve_is_plausible(run, 10)


# --- the answers that were counted --------------------------------------------------------------------------------


def test_the_counted_answer_is_examined_and_not_a_second_one():
    """A model that looks ahead only in large batches, and is shown a few rows for examination, is found out."""
    tokens = tokens_of(12, 6)

    model = Fake(lambda: lambda tokens: seeing(tokens, 2 if len(tokens) > 8 else 1))
    few, counted = {"tokens": tokens[:4]}, {"tokens": tokens}
    causal(model, few, field="tokens", sees=1, vocabulary=VOCABULARY)
    with pytest.raises(Disagreement, match=LOOKS_AHEAD):
        causal(model, Sample(counted, model(counted)), field="tokens", sees=1, vocabulary=VOCABULARY)


def test_some_rows_of_a_sample_keep_their_counted_answers():
    """A model that mixes rows in large batches only is found out by a few rows of what was counted."""
    model = Fake(lambda: lambda tokens: seeing(tokens, 1) + (tokens.float().mean() if len(tokens) > 8 else 0))
    counted = {"tokens": tokens_of(12, 6), "scale": torch.tensor(2.0), "name": "n"}
    sample = Sample(counted, {**model({"tokens": counted["tokens"]}), "steps": 4})
    few = sample.first(3)
    assert len(few.batch["tokens"]) == len(few.answer["logits"]) == 3
    assert (few.batch["scale"], few.batch["name"], few.answer["steps"]) == (2.0, "n", 4)
    with pytest.raises(Disagreement, match="The outputs differ"):
        batch_independent(model, Sample({"tokens": few.batch["tokens"]}, few.answer))
    batch_independent(model, {"tokens": counted["tokens"][:3]})


def test_one_of_the_answers_is_drawn_and_not_the_first():
    batches = [{"tokens": tokens_of(2, 3, seed)} for seed in range(5)]
    found, sample = answers(Fake(lambda: lambda tokens: tokens.float()), iter(batches))
    assert all(torch.equal(mine["logits"], batch["tokens"]) for mine, batch in zip(found, batches, strict=True))
    place = next(n for n, batch in enumerate(batches) if batch is sample.batch)
    assert place > 0
    assert sample.answer is found[place]


def test_the_only_answer_is_examined():
    batch = {"tokens": tokens_of(2, 3)}
    _, sample = answers(Fake(lambda: lambda tokens: tokens.float()), [batch])
    assert sample.batch is batch


def test_scores_are_kept_in_the_place_of_answers():
    batches = [({"tokens": tokens_of(2, 3, seed)}, seed) for seed in range(4)]
    found, sample = scored(Fake(lambda: lambda tokens: tokens.float()), batches, lambda _, expected: 10 * expected)
    assert found == [0, 10, 20, 30]
    assert torch.equal(sample.answer["logits"], sample.batch["tokens"].float())
    assert sample.batch is not batches[0][0]


# --- what was learned, and what was known before ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["more", "a"])
def test_weights_of_another_model_than_the_first_are_refused(name):
    start = {"a": torch.zeros(2), "b": torch.zeros(2)}
    after = {"a": torch.ones(2), "b": torch.ones(2), name: torch.ones(300)}
    with pytest.raises(Disagreement, match=f"other weights after training than before it .{name}"):
        weights_moved(Trained(weights=after, start=start))


def figure(value, error=0.0):
    return Measure(value=value, standard_error=error, per_example=torch.zeros(1))


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.62), (70.0, 1.006), (1.0, 0.08), (0.0, 0.9), (0.1, 0.0)])
def test_a_figure_that_training_made_passes(before, after):
    learned(figure(before), figure(after))


@pytest.mark.parametrize(("before", "after"), [(0.97, 0.97), (0.95, 0.97), (2.5, 2.45)])
def test_a_figure_from_before_the_first_step_is_none(before, after):
    with pytest.raises(Disagreement, match="it was not learned here"):
        learned(figure(before), figure(after))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_left_to_the_threshold(value):
    learned(figure(3.0), figure(value))


def test_the_last_layer_alone_keeps_what_has_a_dimension_of_classes():
    start = {"body": torch.zeros(4, 3), "head": torch.zeros(10, 4), "bias": torch.zeros(10)}
    run = Trained(weights={name: each + 1 for name, each in start.items()}, start=start)
    alone = run.last_layer_alone(10)
    assert {name: float(each.sum()) for name, each in alone.weights.items()} == {"body": 0, "head": 40, "bias": 10}
    assert alone.start is start


@pytest.mark.parametrize(("alone", "whole", "said"), [(0.12, 0.9, False), (0.0, 0.0, False), (0.68, 0.69, True)])
def test_a_figure_of_the_last_layer_alone_says_that_the_rest_was_not_learned(alone, whole, said):
    assert bool(unlearned_below(figure(alone), figure(whole))) is said


def test_a_figure_may_fall_a_little_when_examples_are_changed():
    holds_up(figure(0.9, 0.01), figure(0.79, 0.01), "without a word")
    with pytest.raises(Disagreement, match=r"and 0\.5 without a word: the model knows these very examples"):
        holds_up(figure(0.97, 0.01), figure(0.5, 0.03), "without a word")


def sample_of(answer):
    return Sample({"tokens": tokens_of(len(answer), 3)}, {"logits": answer})


def test_the_reference_with_the_same_weights_agrees_in_one_reading():
    mine = torch.randn(40, 3, generator=GENERATOR)
    rounded = mine * (1 + 1e-6)
    same_function(sample_of(mine), [lambda _: {"logits": -mine}, lambda _: {"logits": rounded}])


def test_a_single_row_may_differ():
    mine = torch.arange(120.0).reshape(40, 3)
    theirs = mine.clone()
    theirs[7] = 0
    same_function(sample_of(mine), [lambda _: {"logits": theirs}])


@pytest.mark.parametrize("theirs", [torch.zeros(40, 3), torch.zeros(40, 4)])
def test_another_function_than_the_reference_is_found_out(theirs):
    with pytest.raises(Disagreement, match="the handout's model gives other answers, for 100% of the examples"):
        same_function(sample_of(torch.ones(40, 3)), [lambda _: {"logits": theirs}])


def test_weights_that_do_not_fit_the_reference_are_named():
    with pytest.raises(Disagreement, match="other names or shapes than the handout's layers"):
        same_function(sample_of(torch.ones(4, 3)), [lambda _: None])


def test_a_doubt_is_said_and_no_doubt_is_not():
    mine = torch.ones(4, 3)
    assert doubt(sample_of(mine), [lambda _: None, lambda _: {"logits": mine}]) == ""
    assert "for 100% of the examples" in doubt(sample_of(mine), [lambda _: {"logits": -mine}])
