"""Creates the same stack by a sequential script: one call after another, each resource is read, and created if missing.

Such a script is what people write without a tool. `bench deploy` runs it beside the deployer, through the same proxy.
Usage: deploy_boto3.py up|down ASSETS ZIP
"""

import json
import mimetypes
import pathlib
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

STACK = "script-dev"
TAGS = {"script:stack": STACK}
FUNCTIONS = ["signup", "login", "friends", "rooms"]
ROUTES = [
    ("POST", "signup", "signup"),
    ("GET", "health", "signup"),
    ("POST", "login", "login"),
    ("POST", "login/verify", "login"),
    ("POST", "logout", "login"),
    ("GET", "me", "login"),
    ("PATCH", "me", "login"),
    ("DELETE", "me", "login"),
    ("GET", "users", "friends"),
    ("POST", "send-friend-request", "friends"),
    ("POST", "look-friend-request", "friends"),
    ("POST", "respond-friend-request", "friends"),
    ("GET", "friends", "friends"),
    ("GET", "friend-requests", "friends"),
    ("DELETE", "friends/{email}", "friends"),
    ("POST", "block", "friends"),
    ("POST", "create-room", "rooms"),
    ("GET", "room/{id}", "rooms"),
    ("POST", "ticket", "rooms"),
]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"arn:aws:dynamodb:*:*:table/{STACK}-*"}],
}
TABLES = {"Users": ["email"], "UserConnections": ["userEmail", "targetEmail"], "Ephemeral": ["key"]}


def client(service):
    return boto3.client(service, config=Config(s3={"addressing_style": "path"}))


def missing(call, *codes, **arguments):
    """Returns whether a read reports that the resource does not exist."""
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in codes:
            return True
        raise
    return False


def tag_list(key="Key", value="Value"):
    return [{key: name, value: text} for name, text in TAGS.items()]


def bucket_up(account, assets):
    s3 = client("s3")
    bucket = f"{STACK}-{account}"
    if missing(s3.head_bucket, "404", "NoSuchBucket", Bucket=bucket):
        region = s3.meta.region_name
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list()})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        block = dict.fromkeys(
            ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True
        )
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    for file in sorted(path for path in pathlib.Path(assets).rglob("*") if path.is_file()):
        key = str(file.relative_to(assets))
        if missing(s3.head_object, "404", "NoSuchKey", Bucket=bucket, Key=key):
            kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
            s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes(), ContentType=kind)
    return bucket


def tables_up():
    dynamodb = client("dynamodb")
    for name, keys in TABLES.items():
        table = f"{STACK}-{name}"
        if missing(dynamodb.describe_table, "ResourceNotFoundException", TableName=table):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ["HASH", "RANGE"], strict=False)
                ],
                Tags=tag_list(),
            )
            dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})


def functions_up(zip_file):
    iam, functions, logs = client("iam"), client("lambda"), client("logs")
    code = pathlib.Path(zip_file).read_bytes()
    arns = {}
    for name in FUNCTIONS:
        function = f"{STACK}-{name}"
        group = f"/aws/lambda/{function}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            logs.create_log_group(logGroupName=group, tags=TAGS)
            logs.put_retention_policy(logGroupName=group, retentionInDays=14)
        if missing(iam.get_role, "NoSuchEntity", RoleName=function):
            iam.create_role(RoleName=function, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=tag_list())
            iam.put_role_policy(RoleName=function, PolicyName="own", PolicyDocument=json.dumps(POLICY))
        role = iam.get_role(RoleName=function)["Role"]["Arn"]
        if missing(functions.get_function, "ResourceNotFoundException", FunctionName=function):
            functions.create_function(
                FunctionName=function,
                Runtime="provided.al2023",
                Handler="bootstrap",
                Role=role,
                Code={"ZipFile": code},
                Tags=TAGS,
            )
        arns[name] = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    return arns


def gateway_up(arns):
    gateway, functions = client("apigateway"), client("lambda")
    found = [api for api in gateway.get_rest_apis(limit=500)["items"] if api["name"] == STACK]
    api = found[0]["id"] if found else gateway.create_rest_api(name=STACK, tags=TAGS)["id"]
    resources = gateway.get_resources(restApiId=api, limit=500, embed=["methods"])["items"]
    ids = {resource["path"]: resource["id"] for resource in resources}
    methods = {(resource["path"], method) for resource in resources for method in resource.get("resourceMethods", {})}
    changed = False
    for method, path, function in ROUTES:
        parent = "/"
        for part in path.split("/"):
            here = f"{parent.rstrip('/')}/{part}"
            if here not in ids:
                ids[here] = gateway.create_resource(restApiId=api, parentId=ids[parent], pathPart=part)["id"]
            parent = here
        if (parent, method) in methods:
            continue
        changed = True
        place = {"restApiId": api, "resourceId": ids[parent], "httpMethod": method}
        gateway.put_method(**place, authorizationType="NONE")
        uri = f"arn:aws:apigateway:{gateway.meta.region_name}:lambda:path/2015-03-31/functions/{arns[function]}/invocations"
        gateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    for name in FUNCTIONS:
        function = f"{STACK}-{name}"
        if missing(functions.get_policy, "ResourceNotFoundException", FunctionName=function):
            functions.add_permission(
                FunctionName=function,
                StatementId="api",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
            )
    if changed:
        gateway.create_deployment(restApiId=api, stageName="api")
    return api


def edge_up(bucket, api):
    cloudfront = client("cloudfront")
    region = cloudfront.meta.region_name
    controls = cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", [])
    control = next((one["Id"] for one in controls if one["Name"] == STACK), None)
    if control is None:
        settings = {
            "Name": STACK,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
        created = cloudfront.create_origin_access_control(OriginAccessControlConfig=settings)
        control = created["OriginAccessControl"]["Id"]
    distributions = cloudfront.list_distributions()["DistributionList"].get("Items", [])
    if any(one["Comment"] == STACK for one in distributions):
        return
    managed = {"CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}
    origins = [
        {
            "Id": "pages",
            "DomainName": f"{bucket}.s3.{region}.amazonaws.com",
            "OriginAccessControlId": control,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        },
        {
            "Id": "api",
            "DomainName": f"{api}.execute-api.{region}.amazonaws.com",
            "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
        },
    ]
    config = {
        "CallerReference": STACK,
        "Comment": STACK,
        "Enabled": True,
        "Origins": {"Quantity": len(origins), "Items": origins},
        "DefaultCacheBehavior": {"TargetOriginId": "pages", "ViewerProtocolPolicy": "redirect-to-https", **managed},
        "CacheBehaviors": {
            "Quantity": 1,
            "Items": [
                {"PathPattern": "/api/*", "TargetOriginId": "api", "ViewerProtocolPolicy": "https-only", **managed}
            ],
        },
    }
    tags = {"Items": tag_list()}
    cloudfront.create_distribution_with_tags(DistributionConfigWithTags={"DistributionConfig": config, "Tags": tags})


def host_up():
    ec2, iam = client("ec2"), client("iam")
    name = f"{STACK}-host"
    if missing(iam.get_role, "NoSuchEntity", RoleName=name):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=tag_list())
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(POLICY))
    if missing(iam.get_instance_profile, "NoSuchEntity", InstanceProfileName=name):
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    named = [{"Name": "group-name", "Values": [name]}]
    groups = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    group = groups[0]["GroupId"] if groups else ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
    if not groups:
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            ],
        )
    tagged = [
        {"Name": "tag:script:stack", "Values": [STACK]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    if not ec2.describe_instances(Filters=tagged)["Reservations"]:
        image = client("ssm").get_parameter(
            Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        )
        tags = {"ResourceType": "instance", "Tags": tag_list()}
        run = ec2.run_instances(
            ImageId=image["Parameter"]["Value"],
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            SecurityGroupIds=[group],
            IamInstanceProfile={"Name": name},
            TagSpecifications=[tags],
        )
        instance = run["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=[{**tags, "ResourceType": "elastic-ip"}])
        ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)


def watching_up():
    cloudwatch, ssm = client("cloudwatch"), client("ssm")
    for name in FUNCTIONS:
        alarm = f"{STACK}-{name}-errors"
        if not cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]:
            cloudwatch.put_metric_alarm(
                AlarmName=alarm,
                Namespace="AWS/Lambda",
                MetricName="Errors",
                Statistic="Sum",
                Period=300,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
                Dimensions=[{"Name": "FunctionName", "Value": f"{STACK}-{name}"}],
                Tags=tag_list(),
            )
    for name in ["ticket-key", "origin-key"]:
        parameter = f"/{STACK}/{name}"
        if missing(ssm.get_parameter, "ParameterNotFound", Name=parameter):
            ssm.put_parameter(Name=parameter, Value="x" * 43, Type="SecureString", Tags=tag_list())


def up(assets, zip_file):
    account = client("sts").get_caller_identity()["Account"]
    bucket = bucket_up(account, assets)
    tables_up()
    api = gateway_up(functions_up(zip_file))
    edge_up(bucket, api)
    host_up()
    watching_up()


def edge_down():
    cloudfront = client("cloudfront")
    for found in cloudfront.list_distributions()["DistributionList"].get("Items", []):
        if found["Comment"] != STACK:
            continue
        answer = cloudfront.get_distribution_config(Id=found["Id"])
        config = {**answer["DistributionConfig"], "Enabled": False}
        cloudfront.update_distribution(Id=found["Id"], IfMatch=answer["ETag"], DistributionConfig=config)
        cloudfront.get_waiter("distribution_deployed").wait(Id=found["Id"], WaiterConfig={"Delay": 1})
        cloudfront.delete_distribution(Id=found["Id"], IfMatch=cloudfront.get_distribution(Id=found["Id"])["ETag"])
    for found in cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", []):
        if found["Name"] == STACK:
            tag = cloudfront.get_origin_access_control(Id=found["Id"])["ETag"]
            cloudfront.delete_origin_access_control(Id=found["Id"], IfMatch=tag)


def host_down():
    ec2, iam = client("ec2"), client("iam")
    name = f"{STACK}-host"
    tagged = [{"Name": "tag:script:stack", "Values": [STACK]}]
    for address in ec2.describe_addresses(Filters=tagged)["Addresses"]:
        if "AssociationId" in address:
            ec2.disassociate_address(AssociationId=address["AssociationId"])
        ec2.release_address(AllocationId=address["AllocationId"])
    for reservation in ec2.describe_instances(Filters=tagged)["Reservations"]:
        ids = [instance["InstanceId"] for instance in reservation["Instances"]]
        ec2.terminate_instances(InstanceIds=ids)
        ec2.get_waiter("instance_terminated").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
    for group in ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]:
        ec2.delete_security_group(GroupId=group["GroupId"])
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    iam.delete_role(RoleName=name)


def down():
    gateway, functions, iam, logs = client("apigateway"), client("lambda"), client("iam"), client("logs")
    edge_down()
    host_down()
    for api in gateway.get_rest_apis(limit=500)["items"]:
        if api["name"] == STACK:
            gateway.delete_rest_api(restApiId=api["id"])
    for name in FUNCTIONS:
        function = f"{STACK}-{name}"
        functions.delete_function(FunctionName=function)
        iam.delete_role_policy(RoleName=function, PolicyName="own")
        iam.delete_role(RoleName=function)
        logs.delete_log_group(logGroupName=f"/aws/lambda/{function}")
    client("cloudwatch").delete_alarms(AlarmNames=[f"{STACK}-{name}-errors" for name in FUNCTIONS])
    client("ssm").delete_parameters(Names=[f"/{STACK}/ticket-key", f"/{STACK}/origin-key"])
    for name in TABLES:
        client("dynamodb").delete_table(TableName=f"{STACK}-{name}")
    s3 = client("s3")
    bucket = f"{STACK}-{client('sts').get_caller_identity()['Account']}"
    versions = s3.list_object_versions(Bucket=bucket)
    doomed = versions.get("Versions", []) + versions.get("DeleteMarkers", [])
    keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in doomed]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    s3.delete_bucket(Bucket=bucket)


if __name__ == "__main__":
    up(*sys.argv[2:4]) if sys.argv[1] == "up" else down()
