"""What the student's models learn, measured by the judge; and the exact match that the notebook printed."""

import pictures
import probes
import tasks
import torch
import training_probes as trainer
from printed import exact_matches, typed

from grader.suite import honesty, item, partial, require, standard
from grader.suite.metrics import exact_match

TARGET = 0.8


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
    """The student's `train` teaches a small network to tell the noise in pictures that it has not seen."""
    task = training.data(pictures.pictures_task)
    learning = {"denoising_steps": task.steps, "batch": 32, "rate": 4e-3 if training.source.made else 2e-3}

    def doubt(run):
        draw = training.predictor(trainer.draw_pictures, run, denoising_steps=task.steps, width=task.width)
        samples = draw({"cond": torch.arange(6) % 3 + 1, "shape": list(task.inputs.shape[1:])})["samples"]
        return pictures.doubt_about(samples, task.train["images"])

    probes = trainer.train_diffusion, trainer.predict_noise
    more = {"kept": task.kept, "given": True, "doubt": doubt, "learning": learning}
    standard.denoising(training, *probes, task, **more, width=task.width)
