"""Checks a policy for actions that IAM does not know, and for resources that do not match an action.

Usage: check_policy.py < POLICY

Prints its findings, one line each.
"""

import fnmatch
import json
import re
import sys

from parliament import analyze_policy_string

# AWS's public parameters belong to no account, which the linter does not know.
PUBLIC_PARAMETERS = "::parameter/aws/service/"
# Reading everywhere is how stacks are found whose names are not known.
READS = re.compile(r"^[a-z0-9]+:(Describe|Get|List)")

text = sys.stdin.read()
statements = json.loads(text)["Statement"]


def covered(mismatch):
    """The linter looks at one statement; a call is also allowed by several, one for each type of resource."""
    action, form = mismatch["action"], mismatch["required_format"]
    resources = [one for statement in statements if action in statement["Action"] for one in statement["Resource"]]
    return any(fnmatch.fnmatch(resource, form) for resource in resources) or (
        action == "ssm:GetParameter" and PUBLIC_PARAMETERS in text
    )


def left(finding):
    """What is left of a finding; None if nothing is."""
    if finding.issue == "RESOURCE_MISMATCH":
        mismatches = [mismatch for mismatch in finding.detail if not covered(mismatch)]
        return mismatches or None
    if finding.issue == "RESOURCE_STAR":
        return [action for action in finding.detail if not READS.match(action)] or None
    return finding.detail


findings = [(finding.issue, left(finding)) for finding in analyze_policy_string(text).findings]
found = [f"{issue}: {detail}" for issue, detail in findings if detail is not None]
print("\n".join(found))
sys.exit(1 if found else 0)
