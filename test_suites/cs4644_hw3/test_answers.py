"""Theory answers that a computer can check; each takes the place of a manual item where answers.py was handed in."""

import itertools

import cases_answers
import probes
import torch
from hypothesis import given

from grader.suite import assert_agrees, item, require

ROWS = tuple(itertools.product((0.0, 1.0), repeat=2))


def require_neuron(values, truth):
    require(values["w"].shape == (2,), f"w has two numbers; it has {values['w'].numel()}.")
    for x in ROWS:
        total = float(values["w"] @ torch.tensor(x, dtype=torch.float64) + values["b"])
        says, wanted = int(total >= 0), truth(*map(int, x))
        require(says == wanted, f"For x = {x} the sum is {total:.4g}, so the neuron says {says}; {wanted} is expected.")


@item("answers.and")
def test_and(student, reference):
    """The neuron for AND fires for (1, 1) alone."""
    for side in (reference, student):
        require_neuron(side.run(probes.neuron, {"which": "and_neuron"}), lambda a, b: a & b)


@item("answers.or")
def test_or(student, reference):
    """The neuron for OR fires for everything but (0, 0)."""
    for side in (reference, student):
        require_neuron(side.run(probes.neuron, {"which": "or_neuron"}), lambda a, b: a | b)


def cells_over(gates, bits):
    """The cell states (T, N, n) of N strings of T bits, after each bit, by equations 2 to 9."""
    size = gates["b_f"].numel()

    def gate(name, joined):
        return joined @ gates[f"W_{name}"].reshape(size, size + 1).T + gates[f"b_{name}"].reshape(size)

    zero = torch.zeros(size, dtype=torch.float64)
    h, cell = (gates.get(name, zero).reshape(size).expand(len(bits), -1) for name in ("h_0", "C_0"))
    cells = []
    for bit in bits.T:
        joined = torch.cat([h, bit[:, None]], dim=1)
        forget, write, out = (gate(name, joined) > 0 for name in "fio")
        cell = forget * cell + write * torch.sign(gate("C", joined))
        h = out * torch.sign(cell)
        cells.append(cell)
    return torch.stack(cells)


def require_constants(gates):
    missing = [f"{letter}_{name}" for name in "fiCo" for letter in "Wb" if f"{letter}_{name}" not in gates]
    require(not missing, f"These constants are missing: {', '.join(missing)}.")
    size = gates["b_f"].numel()
    for name, value in gates.items():
        wanted = size * (size + 1) if name.startswith("W") else size
        require(
            value.numel() == wanted, f"b_f has {size}, so {name} should have {wanted} numbers; it has {value.numel()}."
        )


def require_parity(gates):
    """Some cell holds the parity after every bit of every string of ten bits, hence of every shorter string."""
    require_constants(gates)
    bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=10)), dtype=torch.float64)  # (1024, 10)
    cells = cells_over(gates, bits)  # (10, 1024, n)
    wrong = cells != (bits.cumsum(dim=1) % 2).T[:, :, None]
    if not bool((~wrong).flatten(0, 1).all(dim=0).any()):
        time, string, cell = wrong.nonzero()[0].tolist()
        read = "".join(str(int(bit)) for bit in bits[string, : time + 1])
        is_, wanted = cells[time, string, cell].item(), int(bits[string, : time + 1].sum()) % 2
        require(False, f"After the bits {read} the cell state is {is_:g}; the parity is {wanted}.")


@item("answers.parity")
def test_parity(student, reference):
    """The cell state is the parity of every bit string of up to ten bits, with the step functions of the handout."""
    for side in (reference, student):
        require_parity(side.run(probes.parity_gates, {}))


@item("answers.hidden_state")
@given(case=cases_answers.recurrence_cases())
def test_hidden_state(student, reference, case):
    """h_t is what t steps of the recurrence make of h_0."""
    actual, expected = student.run(probes.hidden_state, case), reference.run(probes.hidden_state, case)
    assert_agrees(actual, expected, rtol=1e-4, atol=1e-5)


@item("answers.long_run")
@given(case=cases_answers.spectrum_cases())
def test_long_run(student, reference, case):
    """Whether h_t vanishes or explodes is decided by the spectral radius."""
    assert_agrees(student.run(probes.long_run, case), reference.run(probes.long_run, case))


@item("answers.gnn_update")
@given(case=cases_answers.graph_cases())
def test_gnn_update(student, reference, case):
    """Every vertex is updated from the sum of its incoming messages, all from the same snapshot."""
    assert_agrees(student.run(probes.gnn_update, case), reference.run(probes.gnn_update, case))


@item("answers.updated_vertex")
def test_updated_vertex(student, reference):
    """The value of vertex 1 after the update of question 6b."""
    expected = reference.run(probes.updated_vertex, {})
    assert_agrees(student.run(probes.updated_vertex, {}), expected, rtol=1e-4, atol=1e-5)


@item("answers.edges")
def test_edges(student, reference):
    """The fully connected graph of four words has 12 directed edges, or 16 when each word points to itself too."""
    assert_agrees(student.run(probes.number_of_edges, {}), reference.run(probes.number_of_edges, {}))


@item("answers.attention_as_gnn")
@given(case=cases_answers.words_cases())
def test_attention_as_gnn(student, reference, case):
    """The graph network that the four functions make gives the same as attention (equation 18)."""
    assert_agrees(student.run(probes.attention_as_gnn, case), reference.run(probes.attention_as_gnn, case))
