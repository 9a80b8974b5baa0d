"""Which binding is tried after which, and that each is the same thing on every case."""

import functools

from grader import probing
from grader.judge.bindings import Binding, Bindings, lets_choose
from grader.model import Notes
from grader.probing import MAX_CANDIDATES


def play(*probes, cases=1):
    """All bindings of a submission whose probes choose among these lists, as {probe: names chosen} each."""
    bindings, seen = Bindings(), []
    binding = bindings.next()
    while binding is not None:
        for _ in range(cases):
            chosen = {}
            for name, lists in probes:
                asked = binding.asked(name)
                picks = [asked[n] if n < len(asked) else names[0] for n, names in enumerate(lists)]
                binding.hear(name, Notes(choices=tuple(zip(picks, map(tuple, lists), strict=True))))
                chosen[name] = tuple(picks)
        seen.append(chosen)
        binding = bindings.next(binding)
    return seen


def test_all_combinations_are_tried_once_the_declared_one_first():
    lists = [["a", "b"], ["x", "y", "z"], ["only"]]
    seen = [one["p"] for one in play(("p", lists), cases=3)]
    assert seen[0] == ("a", "x", "only")
    assert sorted(seen) == sorted((one, two, "only") for one in "ab" for two in "xyz")


def test_two_probes_of_a_test_choose_apart():
    seen = play(("p", [["a", "b"]]), ("q", [["x", "y"]]))
    assert sorted((one["p"], one["q"]) for one in seen) == sorted(((a,), (x,)) for a in "ab" for x in "xy")


def test_the_number_of_bindings_is_capped():
    assert len(play(("p", [[str(number) for number in range(24)]] * 4))) == MAX_CANDIDATES


def test_what_was_chosen_on_one_case_holds_on_all():
    binding = Bindings().next()
    binding.hear("p", Notes(choices=(("a", ("a", "b")),)))
    binding.hear("p", Notes(choices=(("a", ("b", "a")),)))
    assert binding.asked("p") == ("a",)
    assert binding.others() == [((("p", 0), "b"),)]


def test_what_fits_only_on_a_later_case_is_tried_too():
    bindings = Bindings()
    binding = bindings.next()
    binding.hear("p", Notes(choices=(("as documented", ("as documented",)),)))
    binding.hear("p", Notes(choices=(("as documented", ("turned", "longer")),)))
    assert [bindings.next(binding).asked("p"), bindings.next().asked("p")] == [("turned",), ("longer",)]


def test_names_are_only_ever_sent_back():
    binding = Binding()
    binding.hear("p", Notes(choices=(("\x00", ("\x00", "…")),), binding="shown"))
    assert (binding.asked("p"), binding.name) == (("\x00",), "shown")


def _binds(modules, x):
    return probing.bind_layers(modules, x, [], {})


def _binds_further_down(modules, x):
    def inner():
        return [_binds(modules, one) for one in x]

    return {"out": inner()}


def _by_module(modules, x):
    return probing.bind(modules, [], {})


def _made(inner):
    def made(modules, x):
        return inner(modules, x)

    return made


def _plain(modules, x):
    return {"out": modules["a"].softmax(x)}


def test_the_judge_knows_which_probes_let_anything_be_chosen():
    assert all(map(lets_choose, (_binds, _binds_further_down, _by_module)))
    assert lets_choose(_made(_binds))
    assert lets_choose(functools.partial(_plain, x=1)), "what cannot be looked into may"
    assert not lets_choose(_plain)
    assert not lets_choose(_made(_plain))
