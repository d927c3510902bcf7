"""Syntax errors in words: what stands there, and what was expected."""

from __future__ import annotations

from typing import Any, Final

from lbdns.expressions.comparing import OPERATORS
from lbdns.expressions.expression_error import either, meant, quoted
from lbdns.expressions.field_table import FIELDS
from lbdns.expressions.scanning import WORDS
from lbdns.expressions.telling import Told
from lbdns.expressions.tree import Type

_WORDS: Final = (
    ({"NAME"}, ("a field", "a function")),
    ({"EQ"}, ("a comparison",)),
    ({"STRING", "BARE"}, ("a literal",)),
    ({"AND"}, ("and", "xor", "or")),
    ({"NOT"}, ("not",)),
    ({"LPAR"}, ('"("',)),
    ({"LBRACE"}, ('"{" and the items of a set',)),
    ({"LSQB"}, ('"["',)),
    ({"STAR"}, ("*",)),
    ({"LIST"}, ("$ and the name of a list",)),
    ({"COMMA"}, ('","',)),
    ({"RSQB"}, ('"]"',)),
    ({"RBRACE"}, ('"}"',)),
    ({"RPAR"}, ('")"',)),
    ({"$END"}, ("the end",)),
)
"""Terminals that come together -> the words for them."""
_SIGN_MEANT: Final = {"=": "==", "|": "||", "^": "^^", "'": '"', "\u201c": '"', "\u201d": '"', "\u201e": '"'}


def unexpected(error: Any, text: str, opened: list[int], told: Told) -> None:
    """Tell lark's UnexpectedToken."""
    token = error.token
    accepted = error.accepts or error.expected
    column = token.start_pos + 1 if token.type != "$END" else len(text.rstrip(" \r\n")) + 1
    told.tell(column, _message(error, token, accepted, opened))


def _message(error: Any, token: Any, accepted: set[str], opened: list[int]) -> str:
    expected = either(_expected(error, accepted))
    if token.type == "UNENDED":
        return 'the text that begins here does not end; expected a closing "'
    if token.type == "$END":
        closing = f', which closes the "(" at column {opened[-1]}' if "RPAR" in accepted and opened else ""
        return f"the expression ends here; expected {expected}{closing}"
    if token.type == "COMMA" and "RBRACE" in accepted:
        return '"," stands in a set; expected white space alone between its items'
    if token.type == "OTHER":
        sign = _SIGN_MEANT.get(token)
        hint = f"; did you mean {sign}?" if sign else ""
        return f"{quoted(token)} is no sign of the language; expected {expected}{hint}"
    if token.type == "NAME":
        known = [word for word, terminal in WORDS.items() if terminal in accepted]
        return f"{quoted(token)} is not expected here; expected {expected}{meant(token, known)}"
    return f"{quoted(token)} is not expected here; expected {expected}"


def _expected(error: Any, accepted: set[str]) -> list[str]:
    """Return what may stand where an error is; behind a value, what goes with its type."""
    if "EQ" in accepted:
        value = error.interactive_parser.parser_state.value_stack[-1]
        kind = FIELDS[value].type if value in FIELDS else getattr(value, "type", None)
        if kind in OPERATORS:
            return list(OPERATORS[kind])
        accepted = accepted - {"LPAR", "LSQB"} - ({"EQ", "IN", "WILDCARD"} if kind is Type.BOOL else {"AND"})
    return [word for terminals, words in _WORDS if terminals <= accepted for word in words]
