"""Checks requests that a proxy has recorded against AWS's own models of its services: what is required, how long texts
and lists may be, which patterns and which words are allowed. Emulators accept much that is invalid.

Usage: check_requests.py RECORDING

Prints the problems, one line each, and the number of requests that were checked. The models are botocore's; requests
are parsed by moto, whose parsers use the same models.
"""

import base64
import json
import re
import sys
from collections import Counter

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

# Services whose model is not named like their signature.
MODELS = {"monitoring": "cloudwatch", "servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}
# Character classes that Python's patterns lack, reduced to Latin.
LETTERS = r"a-zA-Z\xc0-\xd6\xd8-\xf6\xf8-\xff"
CLASSES = {"L": LETTERS, "IsL": LETTERS, "N": "0-9", "Z": " ", "ASCII": r"\x00-\x7f", "Graph": "!-~", "Print": " -~"}

looked_at = Counter()


def pattern(text):
    known = re.sub(r"\\p\{(\w+)\}", lambda class_: CLASSES[class_.group(1)], text)
    return re.compile(known, re.DOTALL)


def size(shape, number, unit):
    """Returns whether a number is within the limits of its shape."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    looked_at["limits"] += (least is not None) + (most is not None)
    if least is not None and number < least:
        yield f"{number} {unit}, at least {least}"
    if most is not None and number > most:
        yield f"{number} {unit}, at most {most}"


def text(shape, value):
    yield from size(shape, len(value), "characters")
    if getattr(shape, "enum", None):
        looked_at["words"] += 1
        if value not in shape.enum:
            yield f"{value!r} is none of {', '.join(shape.enum)}"
    if "pattern" in shape.metadata:
        looked_at["patterns"] += 1
        if not pattern(shape.metadata["pattern"]).fullmatch(value):
            yield f"{value[:80]!r} does not fit {shape.metadata['pattern']}"


def structure(shape, value):
    for name in shape.required_members:
        looked_at["required"] += 1
        if name not in value:
            yield name, "is missing"
    for name, member in value.items():
        if name not in shape.members:
            yield name, "is unknown"
            continue
        yield from below(name, shape.members[name], member)


def below(name, shape, value):
    for path, problem in problems(shape, value):
        yield f"{name}.{path}".rstrip("."), problem


def problems(shape, value):
    """Yields pairs of a path and the problem at it."""
    kind = shape.type_name
    if kind == "structure":
        yield from structure(shape, value)
    elif kind == "list":
        yield from (("", problem) for problem in size(shape, len(value), "items"))
        for item in value:
            yield from below("[]", shape.member, item)
    elif kind == "map":
        yield from (("", problem) for problem in size(shape, len(value), "entries"))
        for key, item in value.items():
            yield from below("key", shape.key, key)
            yield from below(key, shape.value, item)
    elif kind == "string":
        yield from (("", problem) for problem in text(shape, str(value)))
    elif kind in ("integer", "long", "float", "double"):
        yield from (("", problem) for problem in size(shape, float(value), "is the number"))


def check(recorded):
    """Returns the operation of a request and its problems, or nothing if it is no request to AWS."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", recorded["headers"].get("authorization", ""))
    if not scope:
        return
    service = MODELS.get(scope.group(1), scope.group(1))
    body = base64.b64decode(recorded["body"])
    url = f"http://127.0.0.1{recorded['uri']}"
    request = Request.from_primitives(recorded["method"], url, recorded["headers"], body)
    operation, labels = get_service_router(service).match(request)
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    parsed = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": labels,
        }
    )
    name = f"{service}:{operation.name}"
    looked_at["requests"] += 1
    operations.add(name)
    for path, problem in problems(operation.input_shape, dict(parsed)) if operation.input_shape else ():
        yield f"{name} {path}: {problem}"


operations = set()
found = Counter()
with open(sys.argv[1], encoding="utf-8") as recording:
    for line in recording:
        found.update(check(json.loads(line)))
for problem, times in sorted(found.items()):
    print(f"{problem} ({times} times)")
print(f"{len(operations)} operations:", ", ".join(f"{count} {what}" for what, count in sorted(looked_at.items())))
sys.exit(1 if found else 0)
