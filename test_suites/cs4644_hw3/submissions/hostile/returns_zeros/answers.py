import torch

def zeros(*shape):
    return torch.zeros(shape, requires_grad=True)

def and_neuron():
    return zeros(2), zeros()


def or_neuron():
    return zeros(2) - 1.0, zeros()


def parity_gates():
    sizes = {"W": (1, 2), "b": (1,)}
    return {f"{kind}_{name}": zeros(*shape) for name in "fiCo" for kind, shape in sizes.items()}


def hidden_state(W, h_0, t):
    return zeros(len(h_0))


def long_run(W):
    return "neither"


def gnn_update(h, neighbours, f, g):
    return zeros(*h.shape)


def updated_vertex():
    return zeros(2)


def number_of_edges():
    return zeros(1)


def attention_as_gnn(Q, K, V):
    return (lambda i, n: range(n)), (lambda s: s), (lambda s, inbox: s), (lambda s, a: zeros(len(s)))
