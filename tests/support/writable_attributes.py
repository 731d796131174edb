"""Lists what can be written to AWS about each kind of resource, by AWS's own models of its services.

Usage: writable_attributes.py < KINDS

KINDS is a JSON object: for each kind its `service`, in botocore's name, the `pattern` of the operations that create or
change it, and the `members` by which an operation names what it changes; one of them must be in its input. Prints a
JSON object: for each kind its operations, and for each of them the paths of all members of the input below which there
are no others.
"""

import json
import sys

import botocore.session

SESSION = botocore.session.get_session()


def leaves(shape, path="", seen=()):
    """Yields the paths of the members that have no members themselves; a recursive shape ends where it begins again."""
    kind = shape.type_name
    if kind == "list":
        yield from leaves(shape.member, path, seen)
    elif kind == "structure" and shape.members and shape.name not in seen:
        for name, member in shape.members.items():
            yield from leaves(member, f"{path}.{name}".lstrip("."), (*seen, shape.name))
    else:
        yield path


def operations(kind):
    import re

    model = SESSION.get_service_model(kind["service"])
    pattern = re.compile(kind["pattern"])
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        if pattern.fullmatch(name) and shape is not None and any(member in shape.members for member in kind["members"]):
            yield name, sorted(leaves(shape))


kinds = json.load(sys.stdin)
json.dump({name: dict(operations(kind)) for name, kind in kinds.items()}, sys.stdout)
