"""Problem set 3, theory: the answers that a computer can check.

Handing this file in is optional. Each function that it answers is checked by computation; whatever is left out is
marked by a person from the write-up, like the proofs and explanations. Numbers may be given as Python numbers, lists,
NumPy arrays or tensors.
"""

import torch  # keep


def and_neuron():
    """Question 1: (w, b) with w two numbers, such that w·x + b >= 0 exactly where x1 AND x2."""
    # BEGIN SOLUTION
    return [1.0, 1.0], -1.5
    # END SOLUTION


def or_neuron():
    """Question 1: (w, b), such that w·x + b >= 0 exactly where x1 OR x2."""
    # BEGIN SOLUTION
    return [1.0, 1.0], -0.5
    # END SOLUTION


def parity_gates():
    """Question 3: the eight constants of an LSTM whose cell state is the parity of the bits read so far.

    Returns a dict with W_f, b_f, W_i, b_i, W_C, b_C, W_o, b_o. With n cells each W is (n, n + 1) and multiplies
    [h_{t-1}, x_t] (x_t last), each b is (n,); n = 1 is enough. The step functions of equations 8 and 9 stand for
    sigmoid and tanh. h_0 and C_0 may be given under these names and are zero otherwise. Some cell must be 1 after an
    odd number of ones and 0 after an even number.
    """
    # BEGIN SOLUTION
    # o = 1, so that h = tanh(C) = C. Then C_t = (not x) C + x (not C), which is C xor x:
    # f = not x, i = x, and the candidate is tanh(1 - h), which is 1 for h = 0 and 0 for h = 1.
    return {
        "W_f": [[0.0, -1.0]], "b_f": [0.5],
        "W_i": [[0.0, 1.0]], "b_i": [-0.5],
        "W_C": [[-1.0, 0.0]], "b_C": [1.0],
        "W_o": [[0.0, 0.0]], "b_o": [1.0],
    }  # fmt: skip
    # END SOLUTION


def hidden_state(W, h_0, t):
    """Question 5: h_t of the recurrence h_t = Wᵀ h_{t-1}, for W (n, n) and h_0 (n,)."""
    # BEGIN SOLUTION
    return torch.linalg.matrix_power(W.T, t) @ h_0
    # END SOLUTION


def long_run(W):
    """Question 5: what h_t does in general for t >> 0: "vanishes", "explodes" or "neither" (spectral radius one)."""
    # BEGIN SOLUTION
    radius = float(torch.linalg.eigvals(W).abs().max())
    if abs(radius - 1.0) < 1e-6:
        return "neither"
    return "vanishes" if radius < 1.0 else "explodes"
    # END SOLUTION


def gnn_update(h, neighbours, f, g):
    """Question 6a: one step of equation 16 for every vertex, with the sum as aggregation.

    h: states (n, d); neighbours[i]: the list of all j with an edge from j to i
    f(j, i, state): the message (d,) that the edge from j to i makes of a state; g(state, aggregated): the new state
    returns: the new states (n, d); all vertices are updated from the same snapshot, an empty sum is zero
    """
    # BEGIN SOLUTION
    rows = []
    for i, incoming in enumerate(neighbours):
        aggregated = sum((f(j, i, h[j]) for j in incoming), torch.zeros_like(h[i]))
        rows.append(g(h[i], aggregated))
    return torch.stack(rows)
    # END SOLUTION


def updated_vertex():
    """Question 6b: the two numbers of h_1 at time t + 1."""
    # BEGIN SOLUTION
    # Agg = 2 (0.6 h_2 + 0.2 h_3 + 0.2 h_4) = (-0.8, 0.8); W h_1 = 0; max{Agg, 0} = (0, 0.8).
    return [0.0, 0.8]
    # END SOLUTION


def number_of_edges():
    """Question 6c: how many directed edges the graph of the four words has."""
    # BEGIN SOLUTION
    return 4 * 3
    # END SOLUTION


def attention_as_gnn(Q, K, V):
    """Question 6d: single-head attention (equation 18) written as a graph neural network (equation 16).

    Q, K: (m, d), V: (d, d). Returns four functions:
      neighbours(i, n)          the vertices with an edge to vertex i, when the sentence has n words
      f(state)                  the message that a neighbour's state becomes (anything)
      aggregate(state, inbox)   what vertex i makes of the list of incoming messages (anything)
      g(state, aggregated)      the new state (d,)
    """
    # BEGIN SOLUTION

    def neighbours(i, n):
        return range(n)  # fully connected, each word sees itself too

    def f(state):
        return K @ state, V @ state

    def aggregate(state, inbox):
        keys, values = (torch.stack(vectors) for vectors in zip(*inbox, strict=True))  # (n, m), (n, d)
        return torch.softmax(keys @ (Q @ state), dim=0) @ values  # (d,)

    def g(state, aggregated):
        return aggregated

    return neighbours, f, aggregate, g
    # END SOLUTION
