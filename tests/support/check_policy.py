"""Looks for actions that IAM does not know, and for resources that an action is not about, in a policy.

Usage: check_policy.py < POLICY

Prints what was found, one line each.
"""

import sys

from parliament import analyze_policy_string

# AWS's own parameters are in no account, which the linter's list of resources does not know.
PUBLIC_PARAMETERS = "::parameter/aws/service/"

text = sys.stdin.read()
found = []
for finding in analyze_policy_string(text).findings:
    of_public = finding.issue == "RESOURCE_MISMATCH" and "'ssm:GetParameter'" in str(finding.detail)
    if not (of_public and PUBLIC_PARAMETERS in text):
        found.append(f"{finding.issue}: {finding.detail}")
print("\n".join(found))
sys.exit(1 if found else 0)
