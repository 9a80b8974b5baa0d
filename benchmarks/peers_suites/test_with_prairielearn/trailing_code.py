def run_probe(probe, inputs, options, keys):
    """One check's values as a flat array."""
    import os
    import sys
    import types

    sys.path[:0] = os.environ["SUITES"].split(":")
    import probes
    import torch
    from test_with_prairielearn_values import flat

    torch.set_num_threads(1)
    student = types.SimpleNamespace(**globals())
    return flat(getattr(probes, probe)({"speed": student}, **inputs, **options), keys)
