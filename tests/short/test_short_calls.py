"""A call of the manifest in a probe's words, and what cannot be one."""

import pytest

from grader.short.calls import Target, Unreadable, read_call

FILES = {"f": {"relu", "mse", "decode", "encode"}, "nets": {"Cell", "Stack", "relu6"}}
VALUES = {"x": "handed(x)", "y": "handed(y)", "h": "handed(h)", "width": "width"}


def read(text, own="", files=FILES):
    return read_call(text, files, own, VALUES)


@pytest.mark.parametrize(
    ("text", "made", "code", "names"),
    [
        ("relu(x)", "", 'modules["f"].relu(handed(x))', ("x",)),
        ("f.mse(x, reduce='sum')", "", """modules["f"].mse(handed(x), reduce='sum')""", ("x",)),
        ("mse((x, y), [1, -2.5], None)", "", 'modules["f"].mse((handed(x), handed(y)), [1, -2.5], None)', ("x", "y")),
        ("Cell(width, 2 * width)(x, h)[0]", 'modules["nets"].Cell(width, 2 * width)', "net(handed(x), handed(h))[0]",
         ("width", "x", "h")),
        ("Stack().push(width).pop()", 'modules["nets"].Stack()', "net.push(width).pop()", ("width",)),
        ("decode(encode(x))", "", 'modules["f"].decode(modules["f"].encode(handed(x)))', ("x",)),
        ("list(Stack().push(x))", 'modules["nets"].Stack()', "list(net.push(handed(x)))", ("x",)),
        ("mse(x, relu)", "", 'modules["f"].mse(handed(x), modules["f"].relu)', ("x",)),
        ("relu(x, torch.float64)", "", 'modules["f"].relu(handed(x), torch.float64)', ("x",)),
    ],
)  # fmt: skip
def test_calls(text, made, code, names):
    call = read(text)
    assert (call.made, call.code, call.names) == (made, code, names)


def test_what_is_graded_is_what_stands_outermost():
    assert read("decode(encode(x))").first == Target("f", "decode")
    assert read("Cell(width, 3)(relu(x))").first == Target("nets", "Cell")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rleu(x)", "no file defines it; did you mean 'relu'?"),
        ("relu(z)", "z is no input and no size"),
        ("f.Cell(x)", "f defines no Cell"),
        ("relu(x", "not an expression of Python"),
        ("x", "calls nothing that students hand in"),
        ("len(x)", "calls nothing that students hand in"),
        ("relu(lambda: x)", "has no place here"),
        ("relu([a for a in x])", "has no place here"),
        ("relu(x).__class__", "private names"),
        ("relu(b'x')", "expected a number, a text"),
        ("__import__('os').system('true')", "no file defines it"),
        ("open('/etc/passwd')", "no file defines it"),
        ("relu(*x)", "has no place here"),
    ],
)
def test_what_is_no_call(text, told):
    with pytest.raises(Unreadable, match=None) as caught:
        read(text)
    assert told in str(caught.value)


def test_a_name_of_two_files_is_asked_for():
    files = {"a": {"relu"}, "b": {"relu"}}
    with pytest.raises(Unreadable, match="say which with `in`"):
        read("relu(x)", files=files)
    assert read("relu(x)", "b", files).first.file == "b"
    assert read("a.relu(x)", files=files).first.file == "a"


def test_a_file_that_cannot_be_looked_into_may_define_anything():
    assert read("whatever(x)", files={"f": set()}).first == Target("f", "whatever")
