"""Changed texts differ in one place, which is drawn."""

import pytest
import torch

from grader.suite.changes import with_another_token, without_a_token

TEXTS = torch.tensor([[1, 2, 3, 4, 5, 9], [1, 2, 9, 0, 0, 0], [1, 2, 3, 9, 0, 0]])
LENGTHS = torch.tensor([6, 3, 4])


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(8))
def test_one_token_is_missing_between_those_that_stay(seed):
    texts, lengths = without_a_token(TEXTS, LENGTHS, drawn(seed), first=1, last=1)
    assert lengths.tolist() == [5, 3, 3]  # the second would have no word left
    for before, after, count in zip(TEXTS.tolist(), texts.tolist(), lengths.tolist(), strict=True):
        assert (after[0], after[count - 1]) == (1, 9)
        assert not any(after[count:])
        kept = [token for token in before if token in after]
        assert after[:count] == kept[:count]


def test_which_token_is_missing_is_drawn():
    found = {tuple(without_a_token(TEXTS, LENGTHS, drawn(seed))[0][0].tolist()) for seed in range(40)}
    assert len(found) == 6


def test_one_token_of_the_first_half_is_another():
    texts = torch.full((30, 10), 3)
    changed, places = with_another_token(texts, 1000, drawn())
    assert (changed != texts).sum(dim=1).max() == 1
    assert set(places.tolist()) == set(range(5))
    assert torch.equal((changed != texts).nonzero()[:, 1], places[(changed != texts).any(dim=1)])
