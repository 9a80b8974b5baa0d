"""What a training probe finds: data and weights in, weights and steps out, and a budget that cannot be overrun."""

import contextlib

import pytest
import torch
from torch import nn

from grader.wire.pieces import Assembly, batches
from grader.worker.training import BudgetSpent, TrainingRoom, copied


@pytest.fixture
def room():
    found = TrainingRoom()
    found.heard = []
    found.on_progress = lambda step, values: found.heard.append((step, values))
    return found


def give(room, place, tensors):
    waiting = list(batches(tensors)) or [[]]
    for number, batch in enumerate(waiting):
        room.give(place, batch, last=number == len(waiting) - 1)


def take(room, place):
    assembly = Assembly()
    pieces = room.take(place, first=True)
    while pieces is not None:
        assembly.add(pieces)
        pieces = room.take(place, first=False)
    return assembly.finished()


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def equal(one, other):
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


# --- data and weights ---------------------------------------------------------------------------------------------


def test_what_is_given_is_found(room):
    data = {"x": torch.randn(4, 2), "y": torch.arange(4), "none": torch.zeros(0, 3)}
    give(room, "data", data)
    assert equal(room.given, data)
    assert room.given_weights() == {}


def test_before_anything_came_there_is_nothing(room):
    assert room.given == {}
    assert room.given_weights() == {}
    assert take(room, "weights") == {}
    assert room.take("weights", first=False) is None


def test_nothing_but_the_last_batch_completes_it(room):
    [[first], [second]] = [[{"name": "x", "shape": [2], "offset": n, "values": torch.ones(1)}] for n in (0, 1)]
    room.give("data", [first], last=False)
    assert room.given == {}
    room.give("data", [second], last=True)
    assert room.given["x"].tolist() == [1, 1]


def test_later_data_takes_the_place_of_earlier(room):
    give(room, "data", {"x": torch.zeros(2)})
    give(room, "data", {"x": torch.ones(3)})
    assert room.given["x"].tolist() == [1, 1, 1]


def test_given_weights_are_a_copy(room):
    give(room, "weights", {"w": torch.zeros(2)})
    room.given_weights()["w"] += 1
    assert room.given_weights()["w"].tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_a_model_comes_back_as_it_was_kept(room, dtype):
    net = model().to(dtype)
    room.keep_start(net.state_dict())
    with torch.no_grad():
        net[0].weight += 1
    room.keep(net.state_dict())
    weights, start = take(room, "weights"), take(room, "start")
    assert equal(weights, net.state_dict())
    assert torch.equal(start["0.weight"] + 1, weights["0.weight"])
    assert weights["1.num_batches_tracked"].shape == ()
    model().to(dtype).load_state_dict(weights)


def test_what_was_kept_does_not_change_with_the_model(room):
    net = model()
    before = copied(net.state_dict())
    room.keep(net.state_dict())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    assert equal(take(room, "weights"), before)


def test_it_can_be_taken_twice(room):
    room.keep({"w": torch.ones(2)})
    assert equal(take(room, "weights"), take(room, "weights"))


def test_tied_and_expanded_weights(room):
    shared = nn.Parameter(torch.randn(2, 3))
    room.keep({"in": shared, "out": shared, "turned": shared.t(), "wide": torch.ones(1, 2).expand(4, 2)})
    found = take(room, "weights")
    assert torch.equal(found["in"], found["out"])
    assert torch.equal(found["turned"], shared.t())
    assert found["wide"].shape == (4, 2)


def test_a_copy_of_a_slice_does_not_hold_the_whole():
    whole = torch.zeros(1000)
    assert copied({"slice": whole[:2]})["slice"].untyped_storage().nbytes() == 8


def test_what_is_no_tensor_is_left_out(room):
    room.keep({"w": torch.ones(1), "extra_state": {"a": 1}, "n": 3})
    assert list(take(room, "weights")) == ["w"]


# --- reports ------------------------------------------------------------------------------------------------------


def test_a_report_holds_plain_numbers(room):
    room.report(torch.tensor(3), loss=torch.tensor(0.5), steps=2)
    assert room.heard == [(3, {"loss": 0.5, "steps": 2.0})]
    assert [type(value) for value in (room.heard[0][0], *room.heard[0][1].values())] == [int, float, float]


def test_without_a_listener_nothing_happens():
    TrainingRoom().report(1, loss=1.0)


# --- counting -----------------------------------------------------------------------------------------------------


def loop(net, steps=1000, backward=lambda loss: loss.backward(), optimiser=torch.optim.SGD):
    """A student's loop that never ends by itself. Returns how many steps it began."""
    adjust = optimiser(net.parameters(), lr=0.01)
    begun = 0
    for _ in range(steps):
        begun += 1
        adjust.zero_grad()
        backward(net(torch.tensor([[0.0, 1.0], [2.0, 3.0], [5.0, 4.0]])).pow(2).mean())
        adjust.step()
    return begun


def test_a_loop_ends_with_its_budget(room):
    net = model()
    before = copied(net.state_dict())
    with room.counting(limit=7) as counter:
        loop(net)
        pytest.fail("the loop went on")
    assert counter.steps == 7
    assert not torch.equal(net[0].weight, before["0.weight"])
    assert room.heard == []


def test_the_last_step_is_made(room):
    one, two = model(), model()
    with room.counting(limit=3):
        loop(one)
    loop(two, steps=3)
    assert equal(one.state_dict(), two.state_dict())


def test_a_shorter_loop_ends_by_itself(room):
    with room.counting(limit=10, every=4) as counter:
        assert loop(model(), steps=6) == 6
    assert counter.steps == 6
    assert [step for step, _ in room.heard] == [1, 4]


def test_the_loss_is_reported_at_the_first_every_nth_and_the_last_step(room):
    with room.counting(limit=10, every=4):
        loop(model())
    assert [step for step, _ in room.heard] == [1, 4, 8, 10]
    losses = [values["loss"] for _, values in room.heard]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1] > 0


@pytest.mark.parametrize(
    "backward",
    [lambda loss: torch.autograd.backward(loss), lambda loss: loss.expand(2).backward(torch.ones(2))],
    ids=["torch.autograd.backward", "a vector"],
)
def test_a_loss_that_was_not_seen_is_no_nan(room, backward):
    """A curve with NaN would say that the training diverged."""
    with room.counting(limit=2, every=1):
        loop(model(), backward=backward)
    assert room.heard == [(1, {}), (2, {})]


def test_arguments_of_backward_pass_through(room):
    x = torch.ones(1, requires_grad=True)
    with room.counting(limit=2):
        y = (3 * x).sum()
        y.backward(torch.tensor(2.0), retain_graph=True)
        y.backward()
    assert x.grad.item() == 9


def test_a_students_handler_does_not_stop_the_end(room):
    with room.counting(limit=3) as counter:
        for _ in range(100):
            with contextlib.suppress(Exception):
                loop(model())
        pytest.fail("the loop went on")
    assert counter.steps == 3


def test_steps_of_several_optimisers_count_together(room):
    one, two = model(), model()
    with room.counting(limit=5) as counter:
        for _ in range(100):
            loop(one, steps=1)
            loop(two, steps=1, optimiser=torch.optim.Adam)
    assert counter.steps == 5


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_everything_is_put_back(room, error):
    backward = torch.Tensor.backward
    with contextlib.suppress(ValueError, KeyboardInterrupt), room.counting(limit=2) as counter:
        assert torch.Tensor.backward is not backward
        if error is not None:
            raise error
        loop(model())
    steps = counter.steps
    assert torch.Tensor.backward is backward
    assert loop(model(), steps=5) == 5, "no hook is left"
    assert counter.steps == steps


def test_an_error_of_the_student_comes_through(room):
    with pytest.raises(ZeroDivisionError), room.counting(limit=2):
        raise ZeroDivisionError


def test_the_end_of_the_budget_is_no_exception_that_students_catch():
    assert not issubclass(BudgetSpent, Exception)
