"""What processes tell each other; two of them do in tests of fits to cells on disk and of ranks."""

from __future__ import annotations

import threading

import pytest

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.training.distributed import _portable, agreed, in_turn, same_everywhere, same_tensors


class Picky(Exception):
    """An error that takes other arguments than it keeps, as some of libraries do."""

    def __init__(self, path, line):
        super().__init__(f"{path}, line {line}")


def test_one_process_agrees_with_itself():
    assert same_everywhere(7) == 7 and list(in_turn(iter("abc"))) == ["a", "b", "c"]
    assert same_tensors(lambda: None) is None
    with pytest.raises(KeyError) as caught, agreed():
        raise KeyError("gene")
    assert not hasattr(caught.value, "__notes__")


def test_errors_are_sent_as_they_are_or_as_text():
    sent = _portable(ArgumentError("X", Argument("X", 1), " is one."))
    assert isinstance(sent, ArgumentError) and sent.argument == "X" and str(sent) == "X=1 is one."
    assert _portable(None) is None
    assert repr(_portable(Picky("a.tsv", 3))) == "RuntimeError('Picky: a.tsv, line 3')"
    assert "lock" in str(_portable(ValueError(threading.Lock())))
