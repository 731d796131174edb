"""The sign-in function as a manual setup has it: a Python handler with boto3, mail by EmailJS's REST endpoint.

The reference of `bench api`. It counts no limits, hashes no token and answers differently for unknown addresses. The
loop at the end emulates Lambda's Python runtime.
"""

import http.client
import json
import os
import secrets
import time
import urllib.request

import boto3

stack = os.environ["PEERSYNC_STACK"]
dynamodb = boto3.resource("dynamodb")
users = dynamodb.Table(f"{stack}-Users")
tokens = dynamodb.Table(f"{stack}-Ephemeral")


def respond(status: int, body: dict) -> dict:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def mail(address: str, token: str) -> None:
    body = {
        "service_id": os.environ["EMAILJS_SERVICE_ID"],
        "template_id": os.environ["EMAILJS_TEMPLATE_ID"],
        "user_id": os.environ["EMAILJS_PUBLIC_KEY"],
        "template_params": {"to_email": address, "link": f"{os.environ['SITE_URL']}/login.html#token={token}"},
    }
    request = urllib.request.Request(
        os.environ["EMAILJS_URL"], json.dumps(body).encode(), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=4).close()


def handler(event: dict) -> dict:
    if event["path"] == "/health":
        return respond(200, {"status": "ok"})
    address = json.loads(event["body"])["email"].strip().lower()
    if "Item" not in users.get_item(Key={"email": address}):
        return respond(404, {"error": "unknown"})
    token = secrets.token_urlsafe(32)
    tokens.put_item(Item={"key": token, "email": address, "expiresAt": int(time.time()) + 900})
    mail(address, token)
    return respond(202, {"mailSent": True})


def main() -> None:
    lambda_ = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        lambda_.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = lambda_.getresponse()
        name, event = answer.headers["lambda-runtime-aws-request-id"], json.loads(answer.read())
        lambda_.request("POST", f"/2018-06-01/runtime/invocation/{name}/response", json.dumps(handler(event)))
        lambda_.getresponse().read()


main()
