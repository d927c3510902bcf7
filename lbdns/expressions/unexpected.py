"""Syntax errors in words: what stands there, and what was expected."""

from __future__ import annotations

from typing import Any, Final

from lbdns.expressions.calling import known
from lbdns.expressions.comparing import OPERATORS, stands_alone
from lbdns.expressions.expression_error import either, meant, quoted
from lbdns.expressions.field_table import FIELDS
from lbdns.expressions.function_table import FUNCTIONS
from lbdns.expressions.literals import EXPECTED
from lbdns.expressions.scanning import WHITE_SPACE, WORDS
from lbdns.expressions.telling import Told, Unknown, shown_value
from lbdns.expressions.tree import Call, Field, Index, Type

_WORDS: Final = (
    ({"NAME", "NOT"}, ("a field", "a function", '"not"', '"("')),
    ({"BARE", "NOT"}, ("a literal",)),
    ({"EQ"}, ("a comparison",)),
    ({"LBRACE", "LIST"}, ('"{" and the items of a set', "$ and the name of a list")),
    ({"STAR"}, ("a key in quotes", "a number", '"*"')),
    ({"LSQB"}, ('"["',)),
    ({"COMMA"}, ('","',)),
    ({"RSQB"}, ('"]"',)),
    ({"AND"}, ('"and"', '"xor"', '"or"')),
    ({"RPAR"}, ('")"',)),
    ({"$END"}, ("the end",)),
)
"""Terminals that are accepted together -> the words for them."""

_SIGN_MEANT: Final = {
    "=": ("==", "EQ"),
    "===": ("==", "EQ"),
    "=~": ("~", "MATCHES"),
    "~=": ("~", "MATCHES"),
    "<>": ("!=", "NE"),
    "=!": ("!=", "NE"),
    "=>": (">=", "GE"),
    "=<": ("<=", "LE"),
    "|": ("||", "OR"),
    "^": ("^^", "XOR"),
}
"""What others write -> the sign here, and the terminal that has to be accepted for it to be meant."""
_QUOTES: Final = "'`\u2018\u2019\u201c\u201d\u201e"
_WORD_MEANT: Final = {"equals": "eq", "is": "eq", "like": "wildcard", "regex": "matches", "has": "contains"}
"""What others call an operator, and is not near it."""


def unexpected(error: Any, text: str, opened: list[int], told: Told) -> None:
    """Tell lark's UnexpectedToken; `opened` has the columns of the parentheses that are open there."""
    place = _Place(error, text, opened)
    before = place.before
    if "EQ" in place.accepted and getattr(before, "type", None) == "NAME" and before not in (*FIELDS, *FUNCTIONS):
        known(Unknown(before, before.start_pos + 1), told)
    else:
        told.tell(place.column, place.message())


class _Place:
    """Where a text stops making sense."""

    def __init__(self, error: Any, text: str, opened: list[int]) -> None:
        self.token = error.token
        self.kind: str = error.token.type
        self.accepted: set[str] = error.accepts
        if self.accepted <= {"$END", "RPAR", "COMMA"} and "EQ" not in self.accepted:
            # The parser has closed the condition already, as one of these may follow elsewhere; it could have gone on.
            self.accepted |= {"AND", "XOR", "OR"}
        self.text = text
        self.opened = opened
        self.stack: list[Any] = error.interactive_parser.parser_state.value_stack
        self.before: Any = self.stack[-1] if self.stack else None
        at = len(text.rstrip(WHITE_SPACE)) if self.kind == "$END" else self.token.start_pos
        self.column = at + 1

    def message(self) -> str:
        """Return the sentence."""
        special = self._special()
        if special:
            return special
        if self.kind == "$END":
            closes = f', which closes the "(" at column {self.opened[-1]}' if self._closes() else ""
            return f"the expression ends here; expected {either(self._expected())}{closes}"
        what = self._what()
        return f"{quoted(self.token)} {what}; expected {either(self._expected())}{self._hint()}"

    def _special(self) -> str:
        """Return the sentence where more is known than what the grammar says, else ""."""
        if self.kind == "UNENDED":
            closing = '"' + "#" * self.token.count("#")
            return f"the text that begins here does not end; expected {closing} behind it"
        if self.kind == "COMMA" and "RBRACE" in self.accepted:
            return '"," stands in a set; expected white space alone between its items'
        if self.kind == "RBRACE" and self._in_literals():
            return f"the set is empty; expected {either(self._literal())}"
        if self.kind == "RPAR" and not self.opened and "AND" in self.accepted:
            return '")" closes nothing; expected "(" before it, or the end'
        left = self._left()
        if self._in_literals() and left is not None and left.type is Type.BOOL:
            return stands_alone(left)
        if "EQ" not in self.accepted:
            return ""
        if self.kind == "NOT" and self.text[self.token.start_pos :].lstrip("not! ").startswith("in"):
            value = shown_value(self.before) if isinstance(self.before, (Field, Index, Call)) else self.before
            return f'{quoted(self.token)} is not expected here; expected "not" in front: not {value} in {{...}}'
        if self.before in FUNCTIONS:
            return f'{quoted(self.token)} is not expected here; expected "(": {FUNCTIONS[self.before].signature}'
        if self.token in FUNCTIONS:
            return f"{self.token} is a function; expected it in front: {FUNCTIONS[self.token].signature}"
        return ""

    def _what(self) -> str:
        if self.token.isspace():
            return "is no white space of the language"
        if "NOT" in self.accepted and "BARE" not in self.accepted:
            if self.kind == "LIST":
                return "is a list, which stands behind in"
            if self.kind in ("STRING", "RAW") or (self.kind == "BARE" and not self._like_a_name()):
                return "is a literal, which stands on the right of a comparison"
        return "is not expected here"

    def _like_a_name(self) -> bool:
        return any(char.isalpha() for char in self.token) and ":" not in self.token

    def _expected(self) -> list[str]:
        """Return what may stand there; behind a value, what goes with its type."""
        if self._in_literals():
            return [*self._literal(), *(['"}"'] if "RBRACE" in self.accepted else [])]
        if self.accepted == {"WILDCARD"}:
            return ["wildcard"]
        accepted = self.accepted
        if "EQ" not in accepted:
            return _words(accepted)
        kind = self._kind()
        if kind is Type.BOOL:
            return _words(accepted - {"EQ", "LSQB"})
        behind = [*(['","', '")"'] if "COMMA" in accepted else [])]
        if kind in OPERATORS:
            return [*behind, *OPERATORS[kind]]
        return [*behind, *_words(accepted & {"EQ", "LSQB"})]

    def _hint(self) -> str:
        """Return what may have been meant, as the end of the sentence."""
        if self.token.startswith(("#", "//", "--", "/*")):
            return "; there are no comments"
        if self.token in _QUOTES:
            return '; did you mean "?'
        sign, terminal = _SIGN_MEANT.get(self.token, ("", ""))
        if terminal in self.accepted and (terminal not in ("OR", "XOR") or self._kind() not in OPERATORS):
            return f"; did you mean {sign}?"
        if "EQ" in self.accepted and self.token in _WORD_MEANT:
            return f'; did you mean "{_WORD_MEANT[self.token]}"?'
        if "NOT" in self.accepted and self.kind == "BARE" and self._like_a_name():
            return meant(self.token, (*FIELDS, *FUNCTIONS))
        if self.kind == "NAME":
            return meant(self.token, [word for word, terminal in WORDS.items() if terminal in self.accepted])
        return ""

    def _closes(self) -> bool:
        return "RPAR" in self.accepted and bool(self.opened)

    def _in_literals(self) -> bool:
        """Tell whether a literal is expected on the right of a comparison; names are taken there to be told later."""
        return "BARE" in self.accepted and "LIST" in self.accepted

    def _kind(self) -> Any:
        """Return the type of the value right before; something else, or None, where no value stands there."""
        return FIELDS[self.before].type if self.before in FIELDS else getattr(self.before, "type", None)

    def _left(self) -> Field | Index | Call | None:
        """Return the value that the literal here is compared with."""
        return next((one for one in reversed(self.stack) if isinstance(one, (Field, Index, Call))), None)

    def _literal(self) -> list[str]:
        """Return what literals may stand here."""
        kinds = [getattr(one, "type", None) for one in self.stack]
        if kinds[-1] in ("MATCHES", "WILDCARD"):
            return ["a regular expression in quotes" if kinds[-1] == "MATCHES" else "a wildcard in quotes"]
        left = self._left()
        if left is None or left.type not in EXPECTED:
            return ["a literal"]
        in_set = "LBRACE" in kinds
        return [EXPECTED[left.type], *(_ALSO_IN_SETS.get(left.type, ()) if in_set else ())]


_ALSO_IN_SETS: Final = {Type.INT: ("a range",), Type.FLOAT: ("a range",), Type.IP: ("a range", "a network")}
"""What else may stand in a set of a type."""


def _words(accepted: set[str]) -> list[str]:
    return [word for terminals, words in _WORDS if terminals <= accepted for word in words]
