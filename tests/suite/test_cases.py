"""Cases: distinct sizes, small ones included, and nothing but the seed decides what is drawn."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given

from grader.judge.drawing import EXAMPLES, draw, item_seed
from grader.suite import Case, Draw, cases, flags, item, one_of, routes, sizes


@dataclass(frozen=True)
class Small(Case):
    batch: int
    time: int
    width: int
    hidden: int
    deep: bool
    kind: str
    seed: int

    def inputs(self):
        return {"x": self.draw().normal(self.batch, self.time)}


def small_cases():
    return cases(
        Small, distinct={"width": (2, 4), "hidden": (2, 4)}, batch=sizes(1, 5), time=sizes(1, 9), deep=flags(),
        kind=one_of("a", "b"),
    )  # fmt: skip


def drawn(seed, strategy=None):
    """What a run with that seed records."""
    found = []

    @given(case=small_cases() if strategy is None else strategy)
    def test(case):
        raise AssertionError("only the replaced body runs")

    draw(test, lambda case: found.append(case), {}, seed, shrink=False)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_what_is_recorded(seed):
    found = drawn(seed)
    assert 4 <= len(found) <= EXAMPLES
    assert all(case.width != case.hidden for case in found)
    assert any(case.batch == 1 for case in found)
    assert any(case.time == 1 for case in found)
    assert any(case.batch > 1 and case.time > 1 for case in found)
    assert len({case.seed for case in found}) > 1


def test_the_seed_decides():
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert item_seed("a", "x") != item_seed("a", "y")
    assert item_seed("a", "x") != item_seed("b", "x")


OTHER_PROCESS = """
import sys
sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "more":
    import odd_constants
from grader.judge.drawing import forget_local_constants
forget_local_constants()
import test_cases
print(test_cases.drawn(11))
"""


def test_other_imported_modules_change_nothing(tmp_path):
    """Hypothesis likes to draw constants that it finds in imported modules."""
    (tmp_path / "odd_constants.py").write_text("A, B, C = 1234567, 7654321, 31337\nD = [4, 5, 3, 2]\n")
    results = []
    for more in ("more", "plain"):
        code = OTHER_PROCESS.replace("import sys\n", f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n", 1)
        command = [sys.executable, "-c", code, str(__import__("pathlib").Path(__file__).parent), more]
        results.append(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd="/").stdout)
    assert results[0] == results[1]
    assert "Small(" in results[0]


def test_a_case_draws_from_its_whole_record():
    first = Small(1, 3, 2, 3, True, "a", 5)
    assert torch.equal(first.inputs()["x"], first.inputs()["x"])
    assert not torch.equal(first.inputs()["x"], Small(1, 3, 2, 4, True, "a", 5).inputs()["x"])
    assert not torch.equal(first.inputs()["x"], Small(1, 3, 2, 3, True, "a", 6).inputs()["x"])


def test_the_weight_ignores_seed_and_flags():
    assert Small(1, 3, 2, 3, True, "a", 10**9).weight() == 9


def test_no_free_size_is_the_authors_mistake():
    with pytest.raises(ValueError, match="the range of hidden leaves no size"):
        drawn(0, cases(Small, distinct={"width": (2, 2), "hidden": (2, 2)}, batch=1, time=1, deep=True, kind="a"))


def test_draws_are_of_the_stated_range_and_dtype():
    made = Draw(3)
    assert made.normal(2, 3).dtype == torch.float32
    integers = made.integers(1000, low=2, high=5)
    assert integers.dtype == torch.int64
    assert set(integers.tolist()) == {2, 3, 4}
    uniform = made.uniform(1000, low=-1.0, high=2.0)
    assert -1 <= uniform.min() < uniform.max() < 2
    assert sorted(made.permutation(5).tolist()) == [0, 1, 2, 3, 4]
    assert made.choice("abc") in "abc"
    assert abs(made.normal(10_000, std=2.0, mean=3.0).mean() - 3) < 0.2


def test_masks_start_with_a_full_row_and_never_have_an_empty_one():
    mask = Draw(1).mask_lengths(50, 7)
    assert mask.shape == (50, 7)
    assert mask[0].sum() == 7
    assert mask.sum(dim=1).min() >= 1
    assert bool((mask[:, :-1] >= mask[:, 1:]).all()), "ones, then zeros"


def test_equal_seeds_draw_equal_sequences():
    first, second = Draw(9), Draw(9)
    assert torch.equal(first.normal(3), second.normal(3))
    assert torch.equal(first.integers(3, high=9), second.integers(3, high=9))


def test_marks_are_kept_on_the_function():
    from grader.suite.marks import ITEM, ROUTES

    @item("a.b")
    @routes("own", "stand-in")
    def test():
        pass

    assert (getattr(test, ITEM), getattr(test, ROUTES)) == ("a.b", ("own", "stand-in"))
    for names in ((), ("own", "own")):
        with pytest.raises(ValueError, match="at least one name"):
            routes(*names)


# --- nobody can find the seed out -----------------------------------------------------------------------------


def test_cases_are_seeded_by_128_bits():
    seeds = [case.seed for seed in range(12) for case in drawn(seed)]
    assert all(0 <= seed < 2**128 for seed in seeds)
    large = [seed for seed in seeds if seed >= 2**120]
    assert len(large) > 0.6 * len(seeds), "not the small numbers that Hypothesis prefers, but in a run's first case"
    halves = {seed >> 64 for seed in seeds}, {seed % 2**64 for seed in seeds}
    assert all(len(half) > 0.6 * len(seeds) for half in halves)


def test_every_bit_of_a_seed_decides_what_is_drawn():
    """Of a seed torch's own generator takes 32 bits, which can be tried through."""
    plain = Draw(5).normal(4)
    for bit in (0, 31, 32, 33, 63, 64, 100, 127, 255):
        assert not torch.equal(Draw(5 ^ 1 << bit).normal(4), plain), bit
    assert torch.equal(Draw(5).normal(4), plain)


def test_what_is_drawn_is_random():
    numbers = torch.cat([Draw(seed).uniform(500) for seed in range(20)])
    assert abs(numbers.mean().item() - 0.5) < 0.01
    assert abs(numbers.var().item() - 1 / 12) < 0.003
    assert len(numbers.unique()) > 9_900


def test_the_state_of_torchs_generator_lies_where_it_is_written():
    state = torch.Generator().manual_seed(5489).get_state()
    words = state[sys.modules["grader.suite.cases"]._STATE :][: 8 * sys.modules["grader.suite.cases"]._WORDS].view(
        torch.int64
    )
    assert words[:3].tolist() == [5489, 1301868182, 2938499221], "the first words of a Mersenne Twister of that seed"
    assert bool((words < 2**32).all())
