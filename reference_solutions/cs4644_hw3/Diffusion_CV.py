# %% [markdown]
# # Problem set 3, part 2: diffusion models [21 points]
#
# The code is written in `noise_scheduler.py`, `diffusion_model.py` and `computer_vision/image_gen.py`; `randomizer.py`
# and `noise_prediction_net.py` are given. This notebook calls it, and holds your answers and pictures.
#
# - DDPM: Ho, Jain, Abbeel, *Denoising Diffusion Probabilistic Models*, arXiv 2006.11239. Equations and algorithms below
#   are those of this paper.
# - CFG: Ho, Salimans, *Classifier-Free Diffusion Guidance*, arXiv 2207.12598.
#
# Time steps count from 0 to T - 1, and the variance of a step back is always beta.

# %%
import matplotlib.pyplot as plt
import torch
from computer_vision.image_gen import ImageGenerator
from diffusion_model import DiffusionModel
from noise_scheduler import NoiseScheduler

# %% [markdown]
# ## 2.1 The noise scheduler
# ### 2.1.1 Forward [3 points code, 0.5 writing]
# Write `alphas` and `alpha_bars` in `NoiseScheduler.__init__` [1] and `add_noise` [2].

# %%
scheduler = NoiseScheduler(100)
x_0 = torch.ones(4, 2, 3)
print(scheduler.alpha_bars[[0, 50, 99]])
print(scheduler.add_noise(x_0, torch.randn_like(x_0), torch.tensor([0, 30, 60, 99])))

# %% [markdown]
# Which distribution does x_t have when x_0 is known? What are its mean and its variance?

# %% [markdown]
# BEGIN SOLUTION
# A normal one with mean sqrt(alpha_bar_t) x_0 and variance 1 - alpha_bar_t in every entry, independent of each other.
# END SOLUTION

# %% [markdown]
# ### 2.1.2 Backward [2.5 points code]
# Write `denoise_step` without thresholding: algorithm 2.

# %%
print(scheduler.denoise_step(torch.zeros_like(x_0), 0, x_0))

# %% [markdown]
# ## 2.2 The diffusion model
# ### 2.2.1 Loss [2 points code, 0.5 writing]
# Write the loss of `compute_loss_on_batch`: algorithm 1.

# %%
model = DiffusionModel((5, 10), condition_dim=5, p_uncond=0, test=True)
print(model.compute_loss_on_batch(torch.randn(6, 5, 10), torch.randn(6, 5)))

# %% [markdown]
# What is the network given, beside the condition, and what does it return? Why is that enough to find x_0?

# %% [markdown]
# BEGIN SOLUTION
# It is given x_t, the sample with its noise, and the time step t, which says how much of it is noise; it returns that
# noise. Sample and noise were mixed by known factors, so whoever knows x_t and the noise can solve for x_0.
# END SOLUTION

# %% [markdown]
# ### 2.2.2 Guidance in training [1 point code]
# Leave the condition of a batch out with probability `p_uncond` (algorithm 1 of CFG, a whole batch at a time).
# ### 2.2.3 Sampling [3.5 points code]
# Write `generate_sample`: algorithm 2 of DDPM, with the guided prediction of equation 6 of CFG.

# %%
print(model.generate_sample(torch.randn(6, 5), guidance_weight=2.0).shape)

# %% [markdown]
# ## 2.3 Pictures
# ### 2.3.1 Parameters and augmentations [2 points writing]
# Set `input_shape` and `condition_dim` in `ImageGenerator.__init__`. Which two augmentations would you add in
# `load_dataset` (the code is optional), and why do they not change what a picture shows?

# %% [markdown]
# BEGIN SOLUTION
# Mirrored pictures, `data.flip(3)`, since airplanes, cars and birds look to either side; and slightly brighter ones of more
# contrast, `(1.1 * data + 0.1).clamp(-1, 1)`, as another light would make them; each with the labels of the originals.
# The shape is (3, 32, 32); three classes and the null token make four conditions.
# END SOLUTION

# %% [markdown]
# ### 2.3.2 Training [1 point writing]
# Train for 25 epochs (half an hour on a GPU). The loss should be below 0.1 after some 7 epochs and below 0.05 at the end.
# Show pictures without and with guidance. What does guidance change, and what does it cost?


# %%
def show(pictures):
    """One row of pictures for each class."""
    figure, axes = plt.subplots(3, len(pictures) // 3, squeeze=False)
    for axis, picture in zip(axes.flat, pictures, strict=True):
        axis.imshow(picture)
        axis.axis("off")
    figure.show()


# %%
generator = ImageGenerator()
generator.load_dataset([f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)])
generator.train_policy(epochs=25)
show(generator.generate_images(guidance=0))
show(generator.generate_images(guidance=3))

# %% [markdown]
# BEGIN SOLUTION
# With guidance a row shows its class more clearly and its pictures resemble each other more: fidelity is bought with
# variety. Every step asks the network twice.
# END SOLUTION

# %% [markdown]
# ### 2.3.3 Thresholding [2 points code, 3 writing]
# Write `denoise_step(threshold=True)`: estimate x_0, keep it between -1 and 1, and take the mean of equation 7.
# Show at least two more sets of pictures, with thresholding and other guidance. What goes wrong without thresholding when
# guidance is strong, and why does clipping help?

# %%
show(generator.generate_images(guidance=3, threshold=True))
show(generator.generate_images(guidance=10, threshold=True))

# %% [markdown]
# BEGIN SOLUTION
# Strong guidance makes predictions larger than any noise that the network has seen; the estimate of x_0 leaves the range
# of pictures, errors add up, and colours saturate. Clipping returns the estimate to where training took place.
# END SOLUTION
