"""What the student's models learn, measured by the judge; and the exact match that the notebook printed."""

import digits
import probes
import tasks
import torch
import training_probes as trainer
from printed import exact_matches, typed

from grader.suite import honesty, item, partial, require
from grader.suite.metrics import exact_match, mean_loss

TARGET = 0.8
WIDTH = 16
SAMPLES = 128
JUDGED = 64  # samples of the judge's own loop, which asks for the noise a hundred times
CHANCE = 0.2  # of the samples may look like others by chance


def require_honest(training, run):
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)


@item("training.sorting")
def test_sorting(training):
    """The encoder-decoder learns to put six symbols into an order that only its training data tell."""
    task = training.data(tasks.sorting_task)
    sizes = {"symbols": tasks.SYMBOLS, "length": tasks.LENGTH}
    run = training.train(trainer.train_sorting, given=task.train, steps=training.steps, **sizes)
    require_honest(training, run)
    sort = training.predictor(trainer.sort_greedily, run, **sizes)
    answered, sample = honesty.answers(sort, [{"prefix": rows} for rows in task.prefixes.split(100)])
    predict = training.predictor(trainer.predict_order, run, **sizes)
    batch = {"prefix": task.prefixes[:16], "targets": task.in_order[:16]}
    honesty.batch_independent(sort, sample, output="tokens")
    honesty.same_function(sample, [training.counterpart(trainer.sort_greedily, run, **sizes)], output="tokens")
    honesty.causal(predict, batch, field="targets", sees=0, vocabulary=tasks.SYMBOLS)
    training.measured(exact_match(torch.cat([one["tokens"] for one in answered]).tolist(), task.in_order.tolist()))


def pig_latin_sizes(made, longest):
    layers, channels, dropped = (1, 64, 0.1) if made else (2, 96, 0.0)  # 2,000 made rows are few, 27,000 are not
    sizes = {"n_layer": layers, "n_head": 4, "n_embd": channels, "attn_pdrop": dropped, "hidden_pdrop": dropped}
    return {**sizes, "vocab_size": tasks.PIG_VOCABULARY, "block_size": longest}


@item("training.pig_latin")
def test_pig_latin(training, submission):
    """The decoder learns to write pig Latin: whole answers are right, each byte the most probable one."""
    task = training.data(tasks.pig_latin_task)
    made = training.source.made
    sizes = pig_latin_sizes(made, task.longest)
    settings = {"batch": 32 if made else 16, "rate": 5e-3 if made else 4e-3}
    run = training.train(trainer.train_pig_latin, given=task.train, steps=training.steps, sizes=sizes, **settings)
    require_honest(training, run)
    predict = training.predictor(trainer.predict_bytes, run, sizes=sizes)
    write = training.predictor(trainer.write_greedily, run, sizes=sizes, end=tasks.END)
    batches = tasks.batches_of_equal_length(task.tests)
    answered, sample = honesty.answers(write, [{"prompt": prompts} for prompts, _ in batches])
    answers = [tasks.until_end(row) for one in answered for row in one["tokens"].tolist()]
    expected = [answer for _, answers_of_batch in batches for answer in answers_of_batch]
    length = int(task.train["lengths"].median())
    rows = task.train["rows"][task.train["lengths"] == length][:16, :length].long()
    honesty.batch_independent(write, sample, output="tokens")
    readings = [{"every_block": each, "sizes": sizes, "end": tasks.END} for each in (False, True)]
    same = [training.counterpart(trainer.write_greedily, run, **reading) for reading in readings]
    honesty.causal(predict, {"idx": rows}, field="idx", sees=1, vocabulary=tasks.PIG_VOCABULARY)
    # Points hang on this item: a mistake that another item has judged costs nothing here, and a person looks.
    doubt = honesty.doubt(sample, same, output="tokens")
    training.measured(exact_match(answers, expected), beside=printed_beside(submission), doubt=doubt)


def printed_beside(submission):
    """The best exact match that the notebook printed, when one was handed in: shown beside the measured one."""
    if "llm_notebook" not in submission:
        return {}
    found = [printed.share for printed in exact_matches(submission.notebook("llm_notebook")) if printed.possible]
    return {"printed in the notebook": max(found)} if found else {}


@item("saved.exact_match")
def test_saved_exact_match(student, submission):
    """The notebook's saved output shows an exact match above 80 % (it is read; nothing is trained again)."""
    notebook = submission.notebook("llm_notebook")
    found = exact_matches(notebook)
    if not found:
        student.run(probes.exact_match_is_printed, {})
    wrong = next((printed for printed in found if not printed.possible), None)
    require(wrong is None, f"The saved output says {wrong}: these numbers do not fit together.")
    best = max(found, key=lambda printed: printed.share)
    require(best.share > TARGET, f"The best saved exact match is {best}; more than 80 % are asked for.")
    if typed(notebook, best):
        partial(1.0, f"Believed from the saved output: {best}. Look at it: the line stands in the code of that cell.")


@item("training.noise")
def test_noise(training):
    """The U-Net learns to tell the noise in images that it has not seen."""
    run, task = trained_denoiser(training)
    predict = training.predictor(trainer.predict_noise, run, width=WIDTH)
    noisy = digits.noisy(task.held_out[:256], training.draw)
    parts = zip(noisy.x_t.split(64), noisy.t.split(64), strict=True)
    answered, sample = honesty.answers(predict, [{"x_t": x_t, "t": t} for x_t, t in parts])
    noise = torch.cat([one["noise"] for one in answered])
    honesty.batch_independent(predict, sample, output="noise")
    measure = mean_loss(errors(noise, noisy.noise))
    start = training.predictor(trainer.predict_noise, run.untrained(), width=WIDTH)
    first = start({"x_t": noisy.x_t[:64], "t": noisy.t[:64]})["noise"]
    honesty.learned(mean_loss(errors(first, noisy.noise[:64])), measure)
    training.measured(measure)


def errors(noise, true):
    """The mean squared error of each image."""
    require(noise.shape == true.shape, "The U-Net gives an output of the images' shape.")
    return (noise - true).pow(2).flatten(1).mean(dim=1)


@item("training.samples")
def test_samples(training):
    """From noise the trained model draws digits that a classifier recognises, and more than one kind of them."""
    run, task = trained_denoiser(training)
    options = {"betas": digits.BETAS.tolist(), "width": WIDTH}
    draw = training.predictor(trainer.sample_images, run, **options)
    noise = torch.randn(SAMPLES, *task.train.shape[1:], generator=training.draw)
    images = torch.cat([draw({"x_T": x_T})["images"] for x_T in noise.split(64)])
    require(images.shape == noise.shape, "Samples have the shape of the noise that they begin with.")
    require(bool(images.isfinite().all()), "The samples hold NaN or infinite values.")
    require_new(images, task)
    predict = training.predictor(trainer.predict_noise, run, width=WIDTH)
    noisy = digits.noisy(task.held_out[:16], training.draw)
    honesty.batch_independent(predict, {"x_t": noisy.x_t, "t": noisy.t}, output="noise")
    model = digits.recogniser(training.source)
    recognised = digits.recognised(digits.turned_back(images, task.turn), model)
    by_judge = digits.drawn_by(predict, torch.randn(JUDGED, *images.shape[1:], generator=training.draw), training.draw)
    ours = digits.recognised(digits.turned_back(by_judge, task.turn), model)
    real = digits.recognised(digits.upright(training.source).test[:SAMPLES], model)
    drawn_by_the_model(recognised, ours)
    beside = {"of real images": real.value, "when the judge samples from your U-Net": ours.value}
    training.measured(recognised, beside=beside)


def require_new(images, task):
    """Neither training images nor one image again and again; as much as held-out ones look like that is allowed."""
    allowed = CHANCE + digits.copies(task.held_out[:SAMPLES], task.train)
    copied, repeated = digits.copies(images, task.train), digits.repeats(images)
    require(copied <= allowed, f"{copied:.0%} of the samples are training images, moved or changed a little.")
    require(repeated <= CHANCE, f"{repeated:.0%} of the samples are nearly the same as another one.")


def drawn_by_the_model(theirs, ours):
    """Samples come from the U-Net: with the judge's own loop it draws as well, or nearly."""
    seen = f"{theirs.value:.0%} of your samples are digits, {ours.value:.0%} when the judge samples from your U-Net"
    enough = ours.value + 2 * ours.standard_error >= theirs.value / 2
    require(enough, f"{seen}: what `sample` gives does not come from the model.")


def trained_denoiser(training):
    task = training.data(digits.digits_task)
    options = {"betas": digits.BETAS.tolist(), "width": WIDTH, "batch": 32}
    run = training.train(trainer.train_diffusion, given={"images": task.train}, steps=training.steps, **options)
    require_honest(training, run)
    return run, task
