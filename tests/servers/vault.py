"""What a bucket holds, seen with boto3: `make`, `plain`, `version`, `versions` or `destroy`, after the endpoint and the bucket."""

import hashlib
import json
import sys

import boto3
from botocore.exceptions import ClientError

endpoint, bucket, verb = sys.argv[1:4]
s3 = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)


def versions():
    """Every version and delete marker, through all pages."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for marker in page.get("DeleteMarkers", []):
            yield {"key": marker["Key"], "version": marker["VersionId"], "marker": True}
        for one in page.get("Versions", []):
            name = {"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
            found = {"key": one["Key"], "version": one["VersionId"], "marker": False}
            kept = s3.get_object(**name)
            found["sha256"] = hashlib.sha256(kept["Body"].read()).hexdigest()
            # moto answers GetObjectRetention with 500 when the date has no fraction of a second.
            found["mode"] = kept.get("ObjectLockMode")
            if found["mode"]:
                found["until"] = int(kept["ObjectLockRetainUntilDate"].timestamp())
            yield found


match verb:
    case "make":
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    case "plain":
        s3.create_bucket(Bucket=bucket)
    case "version":
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    case "versions":
        print(json.dumps(list(versions())))
    case "destroy":
        # Tries to delete every version for good, as somebody with all rights would.
        said = {}
        for one in list(versions()):
            try:
                s3.delete_object(
                    Bucket=bucket, Key=one["key"], VersionId=one["version"], BypassGovernanceRetention=True
                )
                said[one["key"]] = "deleted"
            except ClientError as error:
                said[one["key"]] = error.response["Error"]["Code"]
        print(json.dumps(said))
