"""Values: fields by name, calls with their arguments, elements of arrays and maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lbdns.expressions.expression_error import either, meant, quoted
from lbdns.expressions.field_table import DNS_FIELDS, FIELDS
from lbdns.expressions.function_table import FUNCTIONS, FunctionRow, Parameter
from lbdns.expressions.literals import EXPECTED, LiteralError, bytes_of, int_of, is_number, is_quoted, scalar_of
from lbdns.expressions.telling import Broken, Told, Unknown, is_each, shown_value, with_type
from lbdns.expressions.tree import Call, Field, Index, Literal, Type, Value

_ARRAY_OF: Final = {Type.BYTES: Type.ARRAY_OF_BYTES, Type.INT: Type.ARRAY_OF_INT, Type.BOOL: Type.ARRAY_OF_BOOL}
_ELEMENT: Final = {array: element for element, array in _ARRAY_OF.items()}
_LONG_NAMES: Final = {
    "ip.geoip.asnum": "ip.src.asnum",
    "ip.geoip.continent": "ip.src.continent",
    "ip.geoip.country": "ip.src.country",
    "ip.geoip.subdivision_1_iso_code": "ip.src.subdivision",
    "ip.src.subdivision_1_iso_code": "ip.src.subdivision",
}
"""Names that the Rules language has elsewhere for fields that are here, though they are not near."""


def field_of(word: Any) -> Field | Unknown:
    """Return the field of a name."""
    column = word.start_pos + 1
    row = FIELDS.get(word)
    return Unknown(word, column) if row is None else Field(row.name, row.type, column)


def known(value: Any, told: Told) -> Any:
    """Return what stands as a value; a name that is no field's is told, with what may have been meant."""
    if not isinstance(value, Unknown):
        return value
    word, column = value.word, value.column
    if word in FUNCTIONS:
        return told.tell(column, f'{word} is a function; expected "(" behind it: {FUNCTIONS[word].signature}')
    if word.lower() in ("true", "false"):
        return told.tell(
            column, f"{quoted(word)} is no field; expected a comparison, or the empty condition, which always holds"
        )
    near = _LONG_NAMES.get(word) or ("not" if word.lower() == "not" else None)
    hint = f'; did you mean "{near}"?' if near else meant(word, (*FIELDS, *FUNCTIONS))
    return told.tell(column, f"{quoted(word)} is not known; expected a field{hint or f': {either(DNS_FIELDS)}'}")


def element_of(value: Any, key: Any, told: Told) -> Index | Broken:
    """Return an element of an array or a map."""
    value = known(value, told)
    if isinstance(value, Broken):
        return value
    column = key.start_pos + 1
    if value.type is Type.MAP_OF_ARRAYS:
        if not is_quoted(key):
            return told.tell(column, f"{quoted(key)} is no key of {shown_value(value)}; expected a text in quotes")
        return _index(value, key, bytes_of, Type.ARRAY_OF_BYTES, told)
    element = _ELEMENT.get(value.type)
    if element is None or is_each(value):
        return told.tell(column - 1, f"{with_type(value)}, no array and no map; expected a comparison, no [")
    if key.type == "STAR":
        return Index(value, None, element, value.column)
    if is_quoted(key) or key.startswith("-"):
        return told.tell(column, f"{quoted(key)} is no index of an array; expected a number from 0, or *")
    return _index(value, key, int_of, element, told)


def _index(value: Value, key: Any, read: Any, kind: Type, told: Told) -> Index | Broken:
    try:
        return Index(value, read(key), kind, value.column)
    except LiteralError as error:
        return told.tell(key.start_pos + 1 + error.offset, str(error))


def call_of(word: Any, arguments: Sequence[Any], told: Told) -> Call | Broken:
    """Return a call; each argument tells its own mistakes. Literals come as tokens, comparisons as conditions."""
    column = word.start_pos + 1
    row = FUNCTIONS.get(word)
    if row is None:
        if word in FIELDS:
            return told.tell(column, f"{word} is a field; expected no parenthesis behind it")
        hint = meant(word, FUNCTIONS) or f": {either(FUNCTIONS)}"
        return told.tell(column, f"{quoted(word)} is not known; expected a function{hint}")
    if len(arguments) < row.least or (row.most is not None and len(arguments) > row.most):
        return told.tell(column, f"{row.name} has {_count(len(arguments))}; expected {_expected_count(row)}")
    made = [
        _argument(one, row.parameters[min(index, len(row.parameters) - 1)], row, told)
        for index, one in enumerate(arguments)
    ]
    if any(isinstance(one, Broken) for one in made):
        return Broken(column)
    over_each = row.gives in _ARRAY_OF and any(isinstance(one, Index) and is_each(one) for one in made)
    return Call(row.name, tuple(made), _ARRAY_OF[row.gives] if over_each else row.gives, column)


def _count(count: int) -> str:
    return f"{count or 'no'} argument{'' if count == 1 else 's'}"


def _expected_count(row: FunctionRow) -> str:
    if row.repeated:
        return f"at least {row.least}: {row.signature}"
    numbers = either([str(count) for count in range(row.least, len(row.parameters) + 1)])
    return f"{numbers}: {row.signature}"


def _argument(one: Any, parameter: Parameter, row: FunctionRow, told: Told) -> Any:
    """Return one argument as it stands in the tree; its mistakes are told."""
    if isinstance(one, Unknown) and not parameter.value:
        return told.tell(one.column, f"{quoted(one.word)} is no literal; expected {_wanted(parameter, row)}")
    one = known(one, told)
    if isinstance(one, Broken):
        return one
    if isinstance(one, str):
        return _literal_argument(one, parameter, row, told)
    if parameter.types == (Type.ARRAY_OF_BOOL,):
        if one.type is Type.ARRAY_OF_BOOL:
            return one
        return told.tell(
            one.column, f"{shown_value(one)} compares nothing with [*]; expected {_wanted(parameter, row)}"
        )
    if not isinstance(one, (Field, Index, Call)):
        return told.tell(one.column, f"{shown_value(one)} is a condition; expected {_wanted(parameter, row)}")
    if not parameter.value:
        return told.tell(one.column, f"{shown_value(one)} is no literal; expected {_wanted(parameter, row)}")
    if one.type not in parameter.types:
        if _ELEMENT.get(one.type) in parameter.types:
            return told.tell(one.column, f"{with_type(one)}; expected {shown_value(one)}[*], for each of it")
        return told.tell(one.column, f"{with_type(one)}; expected {_wanted(parameter, row)}")
    return one


def _wanted(parameter: Parameter, row: FunctionRow) -> str:
    """Return what an argument has to be, in words, and how its function is called."""
    if parameter.types == (Type.ARRAY_OF_BOOL,):
        return f'a comparison of each of an array: {row.name}(http.request.headers["x"][*] eq "y")'
    if not parameter.value:
        return f"{EXPECTED[parameter.types[0]]} as {parameter.name}: {row.signature}"
    kinds = either(dict.fromkeys(str(kind) for kind in parameter.types))
    return f"a field or function of type {kinds}: {row.signature}"


def _literal_argument(token: Any, parameter: Parameter, row: FunctionRow, told: Told) -> Literal | Broken:
    column = token.start_pos + 1
    if not parameter.literal:
        return told.tell(column, f"{quoted(token)} is a literal; expected {_wanted(parameter, row)}")
    kind = Type.INT if Type.INT in parameter.types and is_number(token) else parameter.types[0]
    try:
        value = scalar_of(token, kind)
    except LiteralError as error:
        return told.tell(column + error.offset, str(error))
    if parameter.within is not None:
        low, high = parameter.within
        if not isinstance(value, int) or not low <= value <= high:
            message = f"{quoted(token)} is out of bounds; expected {parameter.name} from {low} to {high}"
            return told.tell(column, message)
    return Literal(value, kind, column)
