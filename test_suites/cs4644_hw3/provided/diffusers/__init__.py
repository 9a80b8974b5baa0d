"""In place of Hugging Face's diffusers, as far as part 2 uses it."""
