"""core.secret: nothing shows it but reveal()."""

from __future__ import annotations

import copy
import pickle

import pytest

from qavix_watch.core.secret import MASK, Secret

TEXT = "qvx-5e1f-not-for-eyes"


def test_no_way_of_printing_shows_the_secret() -> None:
    secret = Secret(TEXT)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", f"{secret:>20}", str([secret]), str({"key": secret})]
    assert all(TEXT not in text and MASK in text for text in shown)
    assert secret.reveal() == TEXT


def test_a_secret_cannot_be_pickled_or_changed_or_looked_into() -> None:
    secret = Secret(TEXT)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(secret)
    with pytest.raises(AttributeError, match="changed"):
        secret.text = "other"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        vars(secret)


def test_a_copy_of_a_secret_is_the_secret() -> None:
    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"key": secret})["key"] is secret


def test_secrets_are_equal_where_their_texts_are() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret("other")
    assert Secret("ключ\udcff") == Secret("ключ\udcff")
    assert Secret(TEXT) != TEXT


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret(TEXT)


def test_a_text_is_shown_without_the_secret() -> None:
    assert Secret("qx-0123456").hidden_in("<qx-0123456> and qx-0123456") == "<•••> and •••"


def test_a_secret_of_a_few_letters_stands_in_texts_by_chance() -> None:
    assert Secret("en").hidden_in("dub en to es") == "dub en to es"
    assert Secret("").hidden_in("dub en to es") == "dub en to es"
