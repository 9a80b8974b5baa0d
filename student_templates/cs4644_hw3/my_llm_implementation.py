"""Problem set 3, part 1: Transformer architectures and language modelling.

Encoder, decoder and encoder-decoder Transformers, built on the layers of the course's `gtgpt` package. The base
classes hold every layer; what is written here is how the layers work together.

Vaswani et al., Attention Is All You Need (arXiv 1706.03762); Radford et al., GPT-2 (2019) for the pre-norm block.

Letters in shapes: B batch, T tokens, P prefix tokens, C = n_embd channels, H heads, D = C / H, V = vocab_size.
"""

import torch
import torch.nn.functional as F
from gtgpt.model import DummyBlock, DummyEmbedding, DummyMultiHeadedSelfAttention, DummyTransformer
from torch import nn


class Embedding(DummyEmbedding):
    """Token embedding plus learned position embedding."""

    def forward(self, idx):
        """
        idx: integer token ids, (B, T)
        returns: (B, T, C), for each token the vector of its id plus the vector of its position 0 … T-1

        Layers: self.vocab_embeddings (V x C), self.position_embeddings (block_size x C).
        """
        raise NotImplementedError("Embedding.forward")


class GenericSelfAttention(DummyMultiHeadedSelfAttention):
    """Multi-head self-attention with a mask (equation 1 of arXiv 1706.03762)."""

    def forward(self, x, attention_mask):
        """
        x: (B, T, C)
        attention_mask: (B, 1, T, T), or any shape that broadcasts to it; where [b, 0, i, j] is 0, token i may not
            look at token j
        returns: (B, T, C)

        Layers: self.q, self.k, self.v, self.c_proj, self.attn_dropout, self.hidden_dropout. Head h owns channels
        h*D … (h+1)*D - 1. Dropout acts on the attention weights and, at the very end, on the output.
        """
        raise NotImplementedError("GenericSelfAttention.forward")


class TransformerBlock(DummyBlock):
    """Attention, then a feed-forward part; each sees a normalised input and is added to the residual stream."""

    def __init__(self, config):
        super().__init__(config, GenericSelfAttention)

    def forward(self, x, attention_mask):
        """
        x: (B, T, C); attention_mask: (B, 1, T, T)
        returns: (B, T, C)

        Layers: self.ln_1, self.attn, self.ln_2 and self.mlpf. Each norm stands before its part (pre-norm), and what
        went into the norm is added to what comes out of the part.
        """
        raise NotImplementedError("TransformerBlock.forward")


class GenericTransformer(DummyTransformer):
    """Embedding, blocks, final norm, language-model head; subclasses choose the attention mask."""

    def __init__(self, config):
        super().__init__(config, TransformerBlock, Embedding)
        self.block_size = config.block_size
        self.vocab_size = config.vocab_size

    def get_attention_mask(self, num_tokens):
        """num_tokens: (B,); returns a mask (B, 1, T, T) of ones, T the longest row: everyone sees everyone."""
        longest = int(num_tokens.max())
        return torch.ones(num_tokens.shape[0], 1, longest, longest, device=num_tokens.device)

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        """
        idx: token ids (B, T); id -1 marks padding at the end of a row
        targets: token ids (B, T) that the logits should predict, -1 where nothing is to be predicted
        hidden_cache: vectors (B, P, C) that stand before the embedded tokens
        return_hidden: return the hidden states (B, P + T, C) after the final norm
        returns: otherwise logits (B, P + T, V), and the mean cross-entropy or None
        """
        num_tokens = (idx != -1).sum(dim=1)  # (B,)
        idx = idx[:, : int(num_tokens.max())].clamp(min=0).long()
        prefix = 0 if hidden_cache is None else hidden_cache.shape[1]
        attention_mask = self.get_attention_mask(num_tokens + prefix)
        x, logits = None, None

        # Embed the tokens, put the hidden cache (where there is one) before them on the token axis, send everything
        # through the blocks with the mask, through the final norm and through the head. Leave the hidden states in
        # `x` and the logits in `logits`; self.transformer has the keys "embedding", "h" and "ln_f".
        raise NotImplementedError("GenericTransformer.forward")

        if return_hidden:
            return x
        if targets is None:
            return logits, None
        predictions = logits if hidden_cache is None else logits[:, prefix - 1 : -1]  # the prefix predicts the first
        targets = targets[:, : predictions.shape[1]].long()
        return logits, F.cross_entropy(predictions.flatten(0, 1), targets.flatten(), ignore_index=-1)


class Encoder(GenericTransformer):
    """Every token sees every token that is not padding."""

    def get_attention_mask(self, num_tokens):
        """
        num_tokens: how many tokens of each row are no padding, (B,) or (B, 1)
        returns: (B, 1, longest, longest); column j of item b is 1 where j < num_tokens[b] and else 0, the same in
            every row (in rows of padding too)
        """
        batch = num_tokens.shape[0]
        max_tokens = min(self.block_size, int(num_tokens.max()))
        raise NotImplementedError("Encoder.get_attention_mask")
        return attention_mask.reshape(batch, 1, max_tokens, max_tokens)


class Decoder(Encoder):
    """A token sees itself and what stands before it."""

    def get_attention_mask(self, num_tokens):
        """num_tokens: (B,) or (B, 1); returns the encoder's mask with every column j > i of row i set to 0."""
        full_attention_mask = super().get_attention_mask(num_tokens)
        raise NotImplementedError("Decoder.get_attention_mask")


def generate(model, idx, max_new_tokens, temperature=1.0):
    """
    model: called as model(idx), returns (logits (B, T, V), loss)
    idx: token ids to continue, (B, T)
    returns: (B, T + max_new_tokens): idx with the sampled tokens behind it

    Each new token is drawn from the softmax of the last position's logits divided by the temperature, and is part
    of the input from then on.
    """
    raise NotImplementedError("generate")


class EncoderDecoder(nn.Module):
    """An encoder reads the prefix, a decoder continues it."""

    def __init__(self, encoder_config, decoder_config):
        super().__init__()
        decoder_config.vocab_size += 1  # the token that ends a sequence
        self.encoder = Encoder(encoder_config)
        self.decoder = Decoder(decoder_config)
        self.vocab_size = decoder_config.vocab_size

    def configure_optimizers(self, train_config):
        """The parameter groups of both halves, in one list."""
        return self.encoder.configure_optimizers(train_config) + self.decoder.configure_optimizers(train_config)

    def forward(self, prefix, targets=None):
        """
        prefix: token ids for the encoder, (B, P)
        targets: token ids for the decoder, (B, T), or None for no token yet
        returns: the decoder's logits (B, P + T, V + 1) and its loss (None without targets)

        The encoder's hidden states of the prefix are the decoder's hidden cache.
        """
        idx = prefix.new_zeros(prefix.shape[0], 0) if targets is None else targets  # what the decoder reads
        raise NotImplementedError("EncoderDecoder.forward")


def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):
    """
    model: called as model(prefix, idx), returns (logits (1, P + T, V), loss)
    prefix: token ids (1, P)
    returns: the sampled tokens alone, (1, max_new_tokens)

    As `generate`, but what was sampled goes to the decoder while the prefix stays as it is.
    """
    idx = prefix.new_zeros(1, 0)
    raise NotImplementedError("prefix_generate")
