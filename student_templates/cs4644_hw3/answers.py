"""Problem set 3, theory: the answers that a computer can check.

Handing this file in is optional. When it is handed in, each function is checked by computation in place of that answer
in the write-up, so hand it in complete or not at all. Proofs and explanations stay in the write-up either way. Numbers
may be given as Python numbers, lists, NumPy arrays or tensors.
"""

import torch


def and_neuron():
    """Question 1: (w, b) with w two numbers, such that w·x + b >= 0 exactly where x1 AND x2."""
    raise NotImplementedError("and_neuron")


def or_neuron():
    """Question 1: (w, b), such that w·x + b >= 0 exactly where x1 OR x2."""
    raise NotImplementedError("or_neuron")


def parity_gates():
    """Question 3: the eight constants of an LSTM whose cell state is the parity of the bits read so far.

    Returns a dict with W_f, b_f, W_i, b_i, W_C, b_C, W_o, b_o. With n cells each W is (n, n + 1) and multiplies
    [h_{t-1}, x_t] (x_t last), each b is (n,); n = 1 is enough. The step functions of equations 8 and 9 stand for
    sigmoid and tanh. h_0 and C_0 may be given under these names and are zero otherwise. Some cell must be 1 after an
    odd number of ones and 0 after an even number.
    """
    raise NotImplementedError("parity_gates")


def hidden_state(W, h_0, t):
    """Question 5: h_t of the recurrence h_t = Wᵀ h_{t-1}, for W (n, n) and h_0 (n,)."""
    raise NotImplementedError("hidden_state")


def long_run(W):
    """Question 5: what h_t does in general for t >> 0: "vanishes", "explodes" or "neither" (spectral radius one)."""
    raise NotImplementedError("long_run")


def gnn_update(h, neighbours, f, g):
    """Question 6a: one step of equation 16 for every vertex, with the sum as aggregation.

    h: states (n, d); neighbours[i]: the list of all j with an edge from j to i
    f(j, i, state): the message (d,) that the edge from j to i makes of a state; g(state, aggregated): the new state
    returns: the new states (n, d); all vertices are updated from the same snapshot, an empty sum is zero
    """
    raise NotImplementedError("gnn_update")


def updated_vertex():
    """Question 6b: the two numbers of h_1 at time t + 1."""
    raise NotImplementedError("updated_vertex")


def number_of_edges():
    """Question 6c: how many directed edges the graph of the four words has."""
    raise NotImplementedError("number_of_edges")


def attention_as_gnn(Q, K, V):
    """Question 6d: single-head attention (equation 18) written as a graph neural network (equation 16).

    Q, K: (m, d), V: (d, d). Returns four functions:
      neighbours(i, n)          the vertices with an edge to vertex i, when the sentence has n words
      f(state)                  the message that a neighbour's state becomes (anything)
      aggregate(state, inbox)   what vertex i makes of the list of incoming messages (anything)
      g(state, aggregated)      the new state (d,)
    """
    raise NotImplementedError("attention_as_gnn")
