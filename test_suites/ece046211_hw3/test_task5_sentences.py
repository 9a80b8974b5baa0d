"""Task 5: three sentences of 20 words."""

from demands import not_attempted, notebook_of, require_run, text_of
from printed import listed

from grader.suite import item, partial, require

COUNT, WORDS = 3, 20


@item("generate.sentences")
def test_sentences(student, submission):
    """Three sentences of 20 words stand in the saved output."""
    saved = notebook_of(submission)
    cells = [cell for cell in saved.calling("generate") if "train" not in cell.calls]
    if not cells:
        not_attempted(student, "a call of generate")
    require_run(saved, cells)
    text = text_of(saved, cells)
    lengths = [len(words) for words in listed(text)] or [_words(line) for line in text.splitlines() if line.split()]
    whole = sum(length in (WORDS, WORDS + 1) for length in lengths)
    if whole >= COUNT or sum(lengths) in (COUNT * WORDS, COUNT * WORDS + COUNT):
        return
    require(whole > 0, f"The saved output shows {len(lengths)} lines or lists, of which none has {WORDS} words.")
    partial(whole / COUNT, f"Sentences of {WORDS} words in the saved output: {whole}, expected {COUNT}.")


def _words(line):
    """Words of a line, without a heading such as "Sentence 2:" (the tokeniser leaves no colon in a text)."""
    head, colon, rest = line.partition(":")
    return len(rest.split()) if colon and rest.split() and len(head.split()) <= 3 else len(line.split())
