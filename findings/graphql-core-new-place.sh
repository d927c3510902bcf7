#!/usr/bin/env bash
# graphql-core 3.3.2 (PyPI) as a server, and clients with graphql-core 3.2.6, such as gql 3.5.3 brings along.
# Guess: the schema of a server says what it has; a client that fetches it by introspection can use all that it knows.
# Observed: any schema of 3.3, however small, lists @deprecated with the place DIRECTIVE_DEFINITION. A client of 3.2
# knows no such place and raises TypeError on the whole schema: it can ask nothing at all. Without @deprecated in the
# schema's directives it reads the same schema.
# Why it matters: introspection is how GraphQL's clients begin, and the place is in no edition of the specification that
# they were written for. A server that takes a new release of its library is unreadable for them.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi graphql-core==3.3.2
pypi --target "$folder/old" graphql-core==3.2.6

cat >"$folder/server.py" <<'PY'
import json, sys
from graphql import GraphQLField, GraphQLIncludeDirective, GraphQLObjectType, GraphQLSchema, GraphQLString
from graphql import introspection_from_schema

query = GraphQLObjectType("Query", {"a": GraphQLField(GraphQLString)})
given = {"directives": [GraphQLIncludeDirective]} if "few" in sys.argv else {}
json.dump(introspection_from_schema(GraphQLSchema(query, **given)), sys.stdout)
PY
cat >"$folder/client.py" <<'PY'
import json, sys
from graphql import build_client_schema

try:
    print("read:", *build_client_schema(json.load(sys.stdin)).query_type.fields)
except TypeError as error:
    print("TypeError:", error)
PY

places() {
    python "$folder/server.py" "$@" | python -c 'import json, sys
print(*[place for one in json.load(sys.stdin)["__schema"]["directives"] if one["name"] == "deprecated"
        for place in one["locations"] if "DIRECTIVE" in place])'
}
echo "graphql-core 3.3.2, read by 3.2.6:"
seen "places of @deprecated that are new" "DIRECTIVE_DEFINITION" "$(places)"
seen "its schema" "TypeError: deprecated locations must be specified as a collection of DirectiveLocation enum values." \
    "$(python "$folder/server.py" | PYTHONPATH=$folder/old python "$folder/client.py")"
seen "the same without @deprecated" "read: a" "$(python "$folder/server.py" few | PYTHONPATH=$folder/old python "$folder/client.py")"
finish
