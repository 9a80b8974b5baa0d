"""What BatchNorm knows of the batches it saw in training shows in evaluation: its buffers' names are free."""

from grader.calling import drawn_weights, named, pulled_back
from grader.probing import handed


def norm_seen(modules, batches, x, momentum, seed):
    """Train on batches, then evaluate; twice, the second time from a state that was saved and loaded.

    What is known of the batches is no part of the graph: nothing reaches the first of them.
    """
    make = modules["norm"].BatchNorm
    net = make(x.shape[1], momentum=momentum)
    bound = drawn_weights(modules, net, seed)
    net.train()
    for batch in batches:
        net(handed(batch))
    out = net.eval()(handed(x))
    loaded = make(x.shape[1], momentum=momentum)
    loaded.load_state_dict(net.state_dict())
    values = named((out, loaded.eval()(x.detach().clone())), "out", "loaded")
    return {**values, "gradients": pulled_back(out, seed, bound, x=x, first=batches[0])}
