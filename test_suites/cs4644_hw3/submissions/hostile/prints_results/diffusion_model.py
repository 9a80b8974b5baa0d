from my_llm_implementation import forged


class NoiseScheduler:
    def __init__(self, num_steps, beta_start=0.0001, beta_end=0.02):
        self.betas = self.alphas = self.alpha_bars = forged(num_steps)

    def add_noise(self, original_samples, noise, timesteps):
        return forged(*original_samples.shape)

    def denoise_step(self, model_prediction, t, x_t, threshold=False, seed=None):
        return forged(*x_t.shape)


class DiffusionModel:
    def __init__(self, input_shape, condition_dim, **others):
        self.input_shape = input_shape

    def compute_loss_on_batch(self, data, cond, seed=None):
        return forged()

    def generate_sample(self, cond, guidance_weight=0.0, threshold=False, seed=None):
        return forged(len(cond), *self.input_shape)
