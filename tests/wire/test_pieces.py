"""Pieces of tensors: what is cut comes together again, and hostile pieces do no more than raise WireError."""

import contextlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.wire import pieces
from grader.wire.frames import DTYPES, WireError
from grader.wire.pieces import Assembly, batches


@st.composite
def tensors(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    values = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    values = values.to(DTYPES[draw(st.sampled_from(sorted(DTYPES)))])
    return values.transpose(0, -1) if draw(st.booleans()) and values.dim() > 1 else values


STATES = st.dictionaries(st.text(max_size=6), tensors(), max_size=6)


def assembled(found, **options):
    assembly = Assembly(**options)
    for batch in found:
        assembly.add(batch)
    return assembly.finished()


def piece(name="a", shape=(4,), offset=0, values=(1.0, 2.0), **more):
    values = torch.tensor(values) if isinstance(values, tuple) else values
    return {"name": name, "shape": list(shape) if isinstance(shape, tuple) else shape, "offset": offset,
            "values": values, **more}  # fmt: skip


# --- there and back -----------------------------------------------------------------------------------------------


@given(STATES, st.integers(1, 64), st.integers(1, 5))
def test_what_is_cut_comes_together_again(state, size, count):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "BATCH_BYTES", size)
        patch.setattr(pieces, "BATCH_PIECES", count)
        patch.setattr(pieces, "MAX_BATCHES", 10_000)
        found = list(batches(state))
        back = assembled(found)
    assert list(back) == list(state)
    for name, tensor in state.items():
        assert back[name].dtype == tensor.dtype
        assert back[name].shape == tensor.shape
        assert torch.equal(back[name], tensor)
    for batch in found:
        assert 1 <= len(batch) <= count
        # One element more than fits, because a piece holds at least one.
        assert sum(entry["values"].nbytes for entry in batch[:-1]) < size
        assert sum(entry["values"].nbytes for entry in batch) < size + 8


def test_a_large_tensor_travels_in_batches_that_fit_into_a_frame():
    large = torch.zeros(pieces.BATCH_BYTES // 4 + 1)
    sizes = [[entry["values"].nbytes for entry in batch] for batch in batches({"large": large, "small": torch.ones(3)})]
    assert sizes == [[pieces.BATCH_BYTES], [4, 12]]


def test_on_a_cpu_nothing_is_copied():
    weight = torch.zeros(8)
    [[entry]] = batches({"w": weight})
    weight[0] = 7
    assert entry["values"][0] == 7


def test_nothing_is_no_batch():
    assert list(batches({})) == []
    assert assembled([[]]) == {}


def test_values_are_copied_out_of_the_frame():
    values = torch.ones(2)
    assembly = Assembly()
    assembly.add([piece(shape=(2,), values=values)])
    values[0] = 5
    assert assembly.finished()["a"].tolist() == [1, 1]


# --- hostile pieces -----------------------------------------------------------------------------------------------

TWO = torch.tensor([2, 2])


@pytest.mark.parametrize(
    "batch",
    [
        None,
        "pieces",
        {"name": "a"},
        [None],
        [{}],
        [piece(more=1)],
        [piece(name=3)],
        [piece(name="n" * 301)],
        [piece(values=[1.0])],
        [piece(values=torch.ones(2, 2))],
        [piece(values=torch.tensor(1.0))],
        [piece(shape=None)],
        [piece(shape=(-1,))],
        [piece(shape=(2.0, 2.0))],
        [piece(shape=(True, 4))],
        [piece(shape=(1,) * 9)],
        [piece(shape=[TWO])],
        [piece(shape=(1 << 40,))],
        [piece(shape=(0, 1 << 62, 1 << 62), values=())],
        [piece(shape=(0, 1 << 80), values=())],
        [piece(shape=(1,))],
        [piece(shape=())],
        [piece(offset=1)],
        [piece(offset=-2)],
        [piece(offset=TWO)],
        [piece(offset=None)],
        [piece(), piece()],
        [piece(), piece(offset=2, shape=(5,))],
        [piece(), piece(offset=2, shape=[TWO])],
        [piece(), piece(offset=2, values=(1, 2))],
        [piece(), piece(offset=TWO)],
        [piece(), piece(offset=2.0)],
        [piece(), piece(offset=2), piece(offset=4)],
    ],
)  # fmt: skip
def test_a_malformed_piece_is_refused(batch):
    with pytest.raises(WireError):
        Assembly().add(batch)


def test_an_incomplete_tensor_is_refused():
    assembly = Assembly()
    assembly.add([piece()])
    with pytest.raises(WireError, match="'a' is incomplete"):
        assembly.finished()


def test_the_tensors_together_are_limited():
    assembly = Assembly(max_bytes=20)
    assembly.add([piece()])
    with pytest.raises(WireError, match="larger together"):
        assembly.add([piece(name="b")])


def test_the_number_of_tensors_is_limited():
    assembly = Assembly()
    assembly.add([piece(name=str(n), shape=(0,), values=()) for n in range(pieces.MAX_TENSORS)])
    with pytest.raises(WireError, match="more than 5000 tensors"):
        assembly.add([piece(name="one more", shape=(0,), values=())])


@pytest.mark.parametrize("crumb", [[], [piece(values=())], [piece(shape=(0,), values=())]])
def test_a_sender_that_never_comes_to_an_end_is_refused(crumb):
    assembly = Assembly()
    for _ in range(pieces.MAX_BATCHES):
        assembly.add(crumb)
    with pytest.raises(WireError, match="batches"):
        assembly.add(crumb)


def test_the_limit_of_batches_leaves_room_for_the_largest_state():
    tensors = {str(n): torch.zeros(1) for n in range(pieces.MAX_TENSORS)}
    by_bytes = pieces.MAX_BYTES // pieces.BATCH_BYTES + 1
    assert len(list(batches(tensors))) + by_bytes < pieces.MAX_BATCHES


SCRAPS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 5), st.integers(), st.floats(), st.text(max_size=3), tensors(),
    st.lists(st.one_of(st.integers(-1, 3), st.integers(), tensors()), max_size=4),
)  # fmt: skip
PIECES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]) | SCRAPS,
        "shape": st.sampled_from([[4], [2, 2], []]) | SCRAPS,
        "offset": st.sampled_from([0, 2]) | SCRAPS,
        "values": st.sampled_from([torch.ones(2), torch.ones(1), torch.ones(4)]) | SCRAPS,
    }
)


@given(st.lists(st.lists(PIECES, max_size=4) | SCRAPS, max_size=5))
def test_no_pieces_raise_anything_but_a_wire_error(found):
    with contextlib.suppress(WireError):
        assembled(found, max_bytes=1 << 16)


@pytest.mark.parametrize(
    "view", [torch.arange(12.0).reshape(3, 4)[0:1, 2], torch.arange(12).reshape(3, 4).t(), torch.ones(()).expand(5)]
)
def test_weights_that_lie_oddly_arrive(view):
    from grader.wire.frames import encode

    assembly = Assembly()
    for batch in batches({"w": view}):
        encode(batch)
        assembly.add(batch)
    assert torch.equal(assembly.finished()["w"], view)
