"""Probes of problem set 3. They run on the reference and on the submission alike.

Attribute names of part 1 are fixed by the base package, so weights are bound by name. Weights of stand-ins come under
"table" (an embedding) and "mix" (a square matrix).
"""

import parts
import stand_ins as given
import torch
from randomizer import handing_out
from torch import nn

from grader.probing import bind_names, gradient, handed
from grader.worker.loading import MissingDefinition

# --- part 1: embedding, attention, block -------------------------------------------------------------------------


def embedding(modules, config, weights, idx, upstream):
    net = parts.llm(modules).Embedding(given.config_of(config))
    bound = bind_names(modules, net, weights)
    out = net(idx)
    out.backward(upstream)
    return {"out": out, "gradients": bound.gradients()}


def attention(modules, config, weights, x, upstream):
    net = parts.llm(modules).GenericSelfAttention(given.config_of(config)).eval()
    bound = bind_names(modules, net, weights)
    batch, time, _ = x.shape
    out = net(handed(x), torch.ones(batch, 1, time, time))
    out.backward(upstream)
    return {"out": out, "gradients": parts.all_gradients(bound, x=x)}


def attention_to_one(modules, config, weights, x, looks_at, shared, dtype):
    """Every token may look at one token only; beside it, that token all by itself.

    "one head" is the same with a single head and no output projection, where the result is the value of the token.
    """
    net = parts.llm(modules).GenericSelfAttention(given.config_of(config)).eval()
    single = parts.llm(modules).GenericSelfAttention(given.config_of({**config, "n_head": 1})).eval()
    bind_names(modules, net, weights)
    bind_names(modules, single, parts.without_projection(weights))
    batch, time, channels = x.shape
    mask = nn.functional.one_hot(looks_at, time).to(getattr(torch, dtype))  # (B, T, T)
    mask = mask[:1] if shared else mask[:, None]
    seen = torch.stack([row[order] for row, order in zip(x, looks_at, strict=True)])
    alone = net(seen.reshape(batch * time, 1, channels), torch.ones(batch * time, 1, 1, 1))
    return {
        "out": net(*handed((x, mask))),
        "alone": alone.reshape(batch, time, channels),
        "one head": single(*handed((x, mask))),
    }


def attention_dropout(modules, config, weights, x):
    """Outputs with one of the two dropouts on; "eval" means the module's evaluation mode."""
    attention_class = parts.llm(modules).GenericSelfAttention
    unbiased = {**weights, "c_proj.bias": torch.zeros_like(weights["c_proj.bias"])}
    plain = parts.without_projection(weights)
    x_alone = x.reshape(-1, 1, x.shape[-1])  # one token per row: its only attention weight is 1, or is dropped

    def output(weights, x, train, **settings):
        net = attention_class(given.config_of({**config, **settings})).train(train)
        bind_names(modules, net, weights)
        return net(handed(x), torch.ones(x.shape[0], 1, x.shape[1], x.shape[1]))

    return {
        "weights all dropped": output(unbiased, x, True, attn_pdrop=1.0),
        "output all dropped": output(weights, x, True, hidden_pdrop=1.0),
        "half the weights": output(plain, x_alone, True, attn_pdrop=0.5, n_head=1),
        "without": output(plain, x_alone, False, n_head=1),
        "eval": output(weights, x, False, attn_pdrop=0.5, hidden_pdrop=0.5),
        "eval without": output(weights, x, False),
    }


def block(modules, config, weights, x, mask, upstream, stand_in):
    net = parts.llm(modules).TransformerBlock(given.config_of(config)).eval()
    own = {name: value for name, value in weights.items() if name != "mix"}
    if stand_in:
        own = {name: value for name, value in own.items() if not name.startswith("attn.")}
        net.attn = given.StandInAttention(weights["mix"])
    bound = bind_names(modules, net, own)
    out = net(*handed((x, mask)))
    out.backward(upstream)
    return {"out": out, "gradients": parts.all_gradients(bound, x=x)}


# --- part 1: the Transformer and its masks -----------------------------------------------------------------------


def transformer(modules, config, weights, idx, targets, mask, stand_in):
    every_block = parts.norm_after_every_block(modules)
    net, bound = parts.build(modules, "GenericTransformer", config, weights, stand_in, every_block)
    parts.use_mask(net, mask)
    logits, loss = net(idx, targets)
    without_targets = net(idx)
    parts.backward(loss)
    gradients = parts.all_gradients(bound, **parts.stand_in_leaves(net, stand_in))
    return {"logits": logits, "loss": loss, "loss without targets": without_targets[1], "gradients": gradients}


def transformer_hidden(modules, config, weights, idx, mask, stand_in):
    net, _ = parts.build(modules, "GenericTransformer", config, weights, stand_in)
    parts.use_mask(net, mask)
    return {"hidden": net(idx, return_hidden=True), "logits": net(idx)[0]}


def transformer_cache(modules, config, weights, prefix, idx, targets, mask, stand_in):
    """With an embedding that knows no positions, a cache is the same as the prefix in front of idx."""
    net, _ = parts.build(modules, "GenericTransformer", config, weights, stand_in)
    net.transformer["embedding"] = given.StandInEmbedding(weights["table"])
    parts.use_mask(net, mask)
    cache = net.transformer["embedding"](prefix).detach()
    logits, loss = net(idx, targets, hidden_cache=handed(cache))
    parts.backward(loss)
    whole, _ = net(torch.cat([prefix, idx], dim=1))
    without, _ = net(idx)
    reached = cache.grad is not None and bool(cache.grad.abs().max() > 0)
    return {"cached": logits, "whole": whole, "without": without, "loss": loss, "cache is trained": reached}


def encoder_mask(modules, config, num_tokens):
    net = parts.llm(modules).Encoder(given.config_of(config))
    return {"mask": net.get_attention_mask(num_tokens).float()}


def encoder_padding(modules, config, weights, idx, targets, stand_in):
    net, _ = parts.build(modules, "Encoder", config, weights, stand_in)
    logits, loss = net(idx, targets)
    hidden = net(idx, return_hidden=True)
    parts.backward(loss)
    return {"hidden": hidden, "logits": logits, "loss": loss, "gradient": gradient(net.lm_head.weight)}


def decoder_mask(modules, config, num_tokens, full_mask, stand_in):
    code = parts.llm(modules)
    encoder, decoder = code.Encoder, code.Decoder(given.config_of(config))
    if not stand_in:
        return {"mask": decoder.get_attention_mask(num_tokens).float()}
    own = encoder.get_attention_mask
    encoder.get_attention_mask = lambda self, num_tokens: full_mask.clone()
    try:
        return {"mask": decoder.get_attention_mask(num_tokens).float()}
    finally:
        encoder.get_attention_mask = own


# --- part 1: sampling and the encoder-decoder ----------------------------------------------------------------------


def generate(modules, vocab, idx, new_tokens, temperature):
    model = given.NextToken(vocab)
    return {"tokens": parts.llm(modules).generate(model, idx, new_tokens, temperature=temperature).long()}


def generate_frequencies(modules, logits, rows, temperature):
    """How often each token follows, out of many rows."""
    idx = torch.zeros(rows, 2, dtype=torch.long)
    tokens = parts.llm(modules).generate(given.FixedLogits(logits), idx, 1, temperature=temperature)[:, -1]
    return {"counts": torch.bincount(tokens.long(), minlength=len(logits))}


def prefix_generate(modules, vocab, prefix, new_tokens, temperature):
    model = given.PrefixNextToken(vocab)
    return {"tokens": parts.llm(modules).prefix_generate(model, prefix, new_tokens, temperature=temperature).long()}


def prefix_generate_frequencies(modules, logits, new_tokens, temperature):
    prefix = torch.zeros(1, 3, dtype=torch.long)
    model = given.FixedLogits(logits)
    tokens = parts.llm(modules).prefix_generate(model, prefix, new_tokens, temperature=temperature)[0, -new_tokens:]
    return {"counts": torch.bincount(tokens.long(), minlength=len(logits))}


def encoder_decoder(modules, encoder_config, decoder_config, weights, prefix, targets, stand_in):
    net = parts.llm(modules).EncoderDecoder(given.config_of(encoder_config), given.config_of(decoder_config)).eval()
    if stand_in:
        net.encoder = given.StandInEncoder(weights["encoder.table"])
        net.decoder = given.StandInDecoder(weights["decoder.table"])
        leaves = {"encoder": net.encoder.table, "decoder": net.decoder.table}
    else:
        leaves = {"encoder": net.encoder.transformer["ln_f"].weight, "decoder": net.decoder.lm_head.weight}
        every_block = parts.norm_after_every_block(modules)
        parts.fill(modules, net.encoder, parts.subset(weights, "encoder."), False, every_block)
        parts.fill(modules, net.decoder, parts.subset(weights, "decoder."), False, every_block)
    logits, loss = net(prefix, targets)
    parts.backward(loss)
    gradients = {name: gradient(leaf) for name, leaf in leaves.items()}
    return {"logits": logits, "loss": loss, "logits without targets": net(prefix)[0], "gradients": gradients}


def exact_match_is_printed(modules):
    """Asked only when no saved output holds the line: then the cell that prints it was never run."""
    raise MissingDefinition('no saved output reads "Exact Match: a/b = p% correct": that cell was not run')


# --- part 2 ----------------------------------------------------------------------------------------------------------
# "_calls" says how often DL_random was called: it is shown beside a disagreement and judged by nobody.


def noise_schedule(modules, num_steps, ends):
    scheduler = parts.part_2(modules, "NoiseScheduler")
    usual, other = scheduler(num_steps), scheduler(num_steps, beta_start=ends[0], beta_end=ends[1])
    made = {"": usual, " from other betas": other}
    return {
        f"{name}{which}": parts.as_float(getattr(one, name))
        for which, one in made.items()
        for name in ("alphas", "alpha_bars")
    }


def add_noise(modules, schedule, samples, noises, t, stand_in):
    scheduler = parts.a_scheduler(modules, schedule, stand_in)
    noisy = {shape: scheduler.add_noise(samples[shape], noises[shape], t) for shape in samples}
    return {f"x_t of {shape}": parts.as_float(value) for shape, value in noisy.items()}


def denoise_step(modules, schedule, prediction, x_t, noise, times, as_tensor, threshold, seed, stand_in):
    scheduler, x, calls = parts.a_scheduler(modules, schedule, stand_in), {}, 0
    for t in times:
        with handing_out(normal=[noise], seed=seed) as draws:
            step = torch.tensor(t) if as_tensor else t
            found = scheduler.denoise_step(prediction, step, x_t, threshold=threshold, seed=seed)
        x[f"x at t = {t}"] = parts.as_float(found)
        calls += draws.calls
    return {**x, "_calls": calls}


def noise_loss(modules, mix, table, data, cond, steps, draws, stand_in):
    net = given.StandInNet(mix, table)
    settings = {"condition_dim": len(table), "denoising_steps": steps, "p_uncond": parts.keeps_the_condition(modules)}
    model = parts.a_model(modules, net, net, data.shape[1:], stand_in, **settings)
    with handing_out(steps=steps, **draws) as handed:
        loss = model.compute_loss_on_batch(data, cond, seed=draws["seed"])
    parts.backward(loss)
    gradients = {name: gradient(parameter) for name, parameter in net.named_parameters()}
    return {"loss": parts.as_float(loss), "gradients": gradients, "_calls": handed.calls}


def condition_in_training(modules, mix, table, data, cond, steps, draws, stand_in):
    """The condition that the network is asked with; what becomes of its answer is no matter of guidance."""
    net = given.AskedNet(mix, table)
    settings = {"condition_dim": len(table), "denoising_steps": steps, "p_uncond": 0.5}
    model = parts.a_model(modules, net, net, data.shape[1:], stand_in, **settings)
    with handing_out(steps=steps, **draws) as handed:
        try:
            model.compute_loss_on_batch(data, cond, seed=draws["seed"])
        except given.Asked as asked:
            return {"condition": parts.as_float(asked.cond), "_calls": handed.calls}
    raise ValueError("compute_loss_on_batch does not call noise_pred_net")


def generate_sample(modules, mix, table, other_mix, cond, shape, steps, noises, guidance, threshold, seed, stand_in):
    training, averaged = given.StandInNet(other_mix, table), given.StandInNet(mix, table)
    settings = {"condition_dim": len(table), "denoising_steps": steps}
    model = parts.a_model(modules, training, averaged, shape, stand_in, **settings)
    samples, calls = {}, 0
    for weight in guidance:
        with handing_out(normal=noises, seed=seed) as draws:
            sample = model.generate_sample(cond, guidance_weight=weight, threshold=threshold, seed=seed)
        samples[f"sample with guidance {weight:g}"] = parts.as_float(sample)
        calls += draws.calls
    return {**samples, "_calls": calls}


def image_parameters(modules):
    generator = parts.part_2(modules, "ImageGenerator")
    with parts.file_of(modules, "ImageGenerator").replaced(DiffusionModel=lambda *a, **b: None):
        made = generator()
    return {"input_shape": [int(size) for size in made.input_shape], "condition_dim": int(made.condition_dim)}


# --- theory ---------------------------------------------------------------------------------------------------


def neuron(modules, which):
    w, b = getattr(modules["answers"], which)()
    return {"w": parts.numbers(w).flatten(), "b": parts.numbers(b).reshape(())}


def parity_gates(modules):
    return {name: parts.numbers(value) for name, value in modules["answers"].parity_gates().items()}


def hidden_state(modules, W, h_0, t):
    return {"h_t": parts.numbers(modules["answers"].hidden_state(W, h_0, t))}


def long_run(modules, W):
    return {"fate": str(modules["answers"].long_run(W))[:40]}


def gnn_update(modules, h, neighbours, transforms, own, other):
    def f(j, i, state):
        return torch.tanh(transforms[j, i] @ state)

    def g(state, aggregated):
        return own @ state - torch.relu(other @ aggregated)

    new = modules["answers"].gnn_update(h, neighbours, f, g)
    return {"h": torch.stack(list(new))}


def updated_vertex(modules):
    return {"h_1": parts.numbers(modules["answers"].updated_vertex()).flatten()}


def number_of_edges(modules):
    """The edges between different words; an answer may also count one from each word to itself."""
    loops = modules.choose([("12 edges: no word points to itself", 0), ("16 edges: each word points to itself", 4)])
    return {"edges": parts.numbers(modules["answers"].number_of_edges()).flatten() - loops}


def attention_as_gnn(modules, Q, K, V, h):
    """One step of the graph network that the student's four functions make."""
    neighbours, f, aggregate, g = modules["answers"].attention_as_gnn(Q, K, V)
    rows = []
    for i, state in enumerate(h):
        inbox = [f(h[j]) for j in neighbours(i, len(h))]
        rows.append(g(state, aggregate(state, inbox)))
    return {"h": torch.stack(rows)}
