"""Checks a policy for actions that IAM does not know, and for resources that do not match an action.

Usage: check_policy.py < POLICY

Prints its findings, one line each.
"""

import sys

from parliament import analyze_policy_string

# AWS's public parameters belong to no account, which the linter does not know.
PUBLIC_PARAMETERS = "::parameter/aws/service/"

text = sys.stdin.read()
found = []
for finding in analyze_policy_string(text).findings:
    of_public = finding.issue == "RESOURCE_MISMATCH" and "'ssm:GetParameter'" in str(finding.detail)
    if not (of_public and PUBLIC_PARAMETERS in text):
        found.append(f"{finding.issue}: {finding.detail}")
print("\n".join(found))
sys.exit(1 if found else 0)
