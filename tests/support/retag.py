"""Changes the tags of every resource of a stack, so that a test finds it as an earlier version left it.

retag.py ENDPOINT ACCOUNT REGION STACK '{"set": {"key": "value"}, "remove": ["key"]}'
"""

import json
import sys

import boto3

TAG = "peersync:stack"


def pairs(tags: dict, key: str = "Key", value: str = "Value") -> list:
    return [{key: name, value: text} for name, text in tags.items()]


def plain(tags: list) -> dict:
    return {tag["Key"]: tag["Value"] for tag in tags}


class Account:
    def __init__(self, endpoint: str, account: str, region: str) -> None:
        session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="secret", region_name=region)
        self.client = lambda service: session.client(service, endpoint_url=endpoint)

    def resources(self):
        """Yields for each resource with tags: the tags, how to set some, how to remove some."""
        logs = self.client("logs")
        for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[]"):
            arn = group["arn"].removesuffix(":*")
            yield (
                logs.list_tags_for_resource(resourceArn=arn)["tags"],
                lambda tags, arn=arn: logs.tag_resource(resourceArn=arn, tags=tags),
                lambda keys, arn=arn: logs.untag_resource(resourceArn=arn, tagKeys=keys),
            )
        dynamodb = self.client("dynamodb")
        for name in dynamodb.list_tables()["TableNames"]:
            arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
            yield (
                plain(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]),
                lambda tags, arn=arn: dynamodb.tag_resource(ResourceArn=arn, Tags=pairs(tags)),
                lambda keys, arn=arn: dynamodb.untag_resource(ResourceArn=arn, TagKeys=keys),
            )
        functions = self.client("lambda")
        for function in functions.list_functions()["Functions"]:
            arn = function["FunctionArn"]
            yield (
                functions.list_tags(Resource=arn)["Tags"],
                lambda tags, arn=arn: functions.tag_resource(Resource=arn, Tags=tags),
                lambda keys, arn=arn: functions.untag_resource(Resource=arn, TagKeys=keys),
            )
        s3 = self.client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            name = bucket["Name"]
            tags = plain(s3.get_bucket_tagging(Bucket=name)["TagSet"])

            def put(change, name=name, tags=tags):
                change(tags)
                s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(tags)})

            yield (
                dict(tags),
                lambda new, put=put: put(lambda tags: tags.update(new)),
                lambda keys, put=put: put(lambda tags: [tags.pop(key, None) for key in keys]),
            )
        yield from self.gateways()
        yield from self.identities()
        ssm = self.client("ssm")
        for parameter in ssm.describe_parameters()["Parameters"]:
            of = {"ResourceType": "Parameter", "ResourceId": parameter["Name"]}
            yield (
                plain(ssm.list_tags_for_resource(**of)["TagList"]),
                lambda tags, of=of: ssm.add_tags_to_resource(**of, Tags=pairs(tags)),
                lambda keys, of=of: ssm.remove_tags_from_resource(**of, TagKeys=keys),
            )
        cloudwatch = self.client("cloudwatch")
        for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
            arn = alarm["AlarmArn"]
            yield (
                plain(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]),
                lambda tags, arn=arn: cloudwatch.tag_resource(ResourceARN=arn, Tags=pairs(tags)),
                lambda keys, arn=arn: cloudwatch.untag_resource(ResourceARN=arn, TagKeys=keys),
            )
        cloudfront = self.client("cloudfront")
        for distribution in cloudfront.list_distributions()["DistributionList"].get("Items", []):
            arn = distribution["ARN"]
            yield (
                plain(cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"]),
                lambda tags, arn=arn: cloudfront.tag_resource(Resource=arn, Tags={"Items": pairs(tags)}),
                lambda keys, arn=arn: cloudfront.untag_resource(Resource=arn, TagKeys={"Items": keys}),
            )
        yield from self.hosts()

    def gateways(self):
        gateway = self.client("apigateway")
        region = gateway.meta.region_name
        for api in gateway.get_rest_apis()["items"]:
            paths = [(api, f"/restapis/{api['id']}")]
            stages = gateway.get_stages(restApiId=api["id"])["item"]
            paths += [(stage, f"/restapis/{api['id']}/stages/{stage['stageName']}") for stage in stages]
            for found, path in paths:
                arn = f"arn:aws:apigateway:{region}::{path}"
                yield (
                    found.get("tags", {}),
                    lambda tags, arn=arn: gateway.tag_resource(resourceArn=arn, tags=tags),
                    lambda keys, arn=arn: gateway.untag_resource(resourceArn=arn, tagKeys=keys),
                )

    def identities(self):
        iam = self.client("iam")
        for role in iam.list_roles()["Roles"]:
            name = role["RoleName"]
            yield (
                plain(iam.list_role_tags(RoleName=name)["Tags"]),
                lambda tags, name=name: iam.tag_role(RoleName=name, Tags=pairs(tags)),
                lambda keys, name=name: iam.untag_role(RoleName=name, TagKeys=keys),
            )
        for profile in iam.list_instance_profiles()["InstanceProfiles"]:
            name = profile["InstanceProfileName"]
            yield (
                plain(iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"].get("Tags", [])),
                lambda tags, name=name: iam.tag_instance_profile(InstanceProfileName=name, Tags=pairs(tags)),
                lambda keys, name=name: iam.untag_instance_profile(InstanceProfileName=name, TagKeys=keys),
            )

    def hosts(self):
        ec2 = self.client("ec2")
        reservations = ec2.describe_instances()["Reservations"]
        found = [(host["InstanceId"], host) for one in reservations for host in one["Instances"]]
        found += [(address["AllocationId"], address) for address in ec2.describe_addresses()["Addresses"]]
        found += [(group["GroupId"], group) for group in ec2.describe_security_groups()["SecurityGroups"]]
        for identifier, resource in found:
            yield (
                plain(resource.get("Tags", [])),
                lambda tags, of=identifier: ec2.create_tags(Resources=[of], Tags=pairs(tags)),
                lambda keys, of=identifier: ec2.delete_tags(Resources=[of], Tags=[{"Key": key} for key in keys]),
            )


def main() -> None:
    endpoint, account, region, stack, change = sys.argv[1:]
    change = json.loads(change)
    ours = [found for found in Account(endpoint, account, region).resources() if found[0].get(TAG) == stack]
    assert ours, f"{stack} has resources with tags"
    for _, put, remove in ours:
        if change["set"]:
            put(change["set"])
        if change["remove"]:
            remove(change["remove"])
    print(len(ours))


if __name__ == "__main__":
    main()
