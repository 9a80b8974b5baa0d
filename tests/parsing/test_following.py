"""What a cell's calls of the notebook's own functions stand for."""

import ast

import pytest

from grader.parsing.following import bound, followed, functions_of


def lines(definitions, cell, apart=()):
    functions = functions_of(ast.parse(definitions).body, frozenset(apart))
    return [ast.unparse(step) for step in followed(ast.parse(cell).body, functions)]


@pytest.mark.parametrize(
    ("definitions", "cell", "found"),
    [
        ("def fit(n): train(n)", "fit(3)", "train(3)"),
        ("def fit(n=5): train(n)", "fit()", "train(5)"),
        ("def fit(*, n=5): train(n)", "fit(n=k)", "train(k)"),
        ("def fit(n): x = n; train(x, y)", "fit(3)", "fit.x = 3"),
        ("def fit(n): x = n; train(x, y)", "fit(3)", "train(fit.x, y)"),
        ("def fit(n): global x; x = n", "fit(3)", "x = 3"),
        ("def make(n, *rest, **of): Model(n, *rest, **of)", "make(1, 2, k=3, **more)", "Model(1, 2, k=3, **more)"),
        ("make = lambda n: Model(n)", "m = make(7)", "Model(7)"),
        ("def outer(a): inner(a)\ndef inner(b): train(b)", "for i in r: outer(i)", "train(i)"),
        ("class Run:\n  def __init__(self, b=35): self.b = b", "run = Run()", "Run.self.b = 35"),
        ("class Run:\n  def go(self, n): train(self.b, n)", "Run().go(2)", "train(.go.self.b, 2)"),
        ("def fit(n): train(n)\ndef fit(n): train(n, 35)", "fit(1)", "train(1, 35)"),
        ("try:\n  class Run:\n    def go(self): train(35)\nexcept NameError:\n  raise", "Run().go()", "train(35)"),
        ("if ready:\n  pass\nelse:\n  def fit(n): train(n)", "fit(1)", "train(1)"),
        ("def make():\n  class Run:\n    def go(self): train(35)\n  return Run", "make()().go()", "train(35)"),
    ],
)  # fmt: skip
def test_a_call_stands_for_the_body_with_its_arguments(definitions, cell, found):
    assert any(found in line for line in lines(definitions, cell))


def test_what_is_only_defined_and_what_is_named_apart_are_not_followed():
    definitions = "def fit(n): train(n)\ndef train(n): step(n)\nclass Model:\n  def __init__(self): step(1)"
    assert lines(definitions, "x = 1", ["train"]) == ["x = 1"]
    assert lines(definitions, "fit(Model())", ["train", "Model"]) == ["fit(Model())", "train(Model())"]


def test_functions_that_call_themselves_or_multiply_end():
    assert lines("def f(n): g(n)\ndef g(n): f(n)", "f(1)") == ["f(1)", "g(1)", "f(1)"]
    doubling = "\n".join(f"def f{n}(x):\n  f{n + 1}(x)\n  f{n + 1}(x)" for n in range(40))
    assert len(lines(doubling, "f0(1)")) < 20_000


def test_what_is_nested_too_deeply_is_left_out():
    deep = f"def f():\n  return {'+'.join(['x'] * 600)}"
    assert lines(deep, "f()")[0] == "f()"


def test_arguments_are_matched_by_place_and_by_name():
    function = ast.parse("def train(self, model, bptt=20, *, rate=1): pass").body[0]
    call = ast.parse("t.train(net, rate=2, other=3, **more)").body[0].value
    assert {name: ast.unparse(value) for name, value in bound(function, call).items()} == {
        "model": "net",
        "bptt": "20",
        "rate": "2",
    }
