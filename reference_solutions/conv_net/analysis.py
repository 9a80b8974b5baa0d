# %% [markdown]
# # What a network sees
#
# An entry of the last map of `ConvNet` (network.py), before the mean over all places, depends on a square of the picture.
# How many pixels wide is it? Compute it: a layer with a window of k pixels widens the square by (k - 1) times the product
# of all strides before it.

# %%
# (window, stride) of each layer on the longest way: stem, pooling, and two convolutions in each block
layers = [(3, 1), (2, 2), (3, 1), (3, 1), (3, 2), (3, 1)]

# %%
# BEGIN SOLUTION
# TEMPLATE: receptive_field = None
receptive_field, step = 1, 1
for window, stride in layers:
    receptive_field += (window - 1) * step
    step *= stride
# END SOLUTION
