"""The resource types of our template, in the services of moto. Imported by moto_server.py alone."""

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

from moto.acm.models import acm_backends  # type: ignore[import-not-found, unused-ignore]
from moto.cloudfront.models import (  # type: ignore[import-not-found, unused-ignore]
    DistributionConfig,
    cloudfront_backends,
)
from moto.route53 import models as route53  # type: ignore[import-not-found, unused-ignore]
from moto.s3.cloud_formation import (  # type: ignore[import-not-found, unused-ignore]
    cfn_to_api_encryption,
)
from moto.s3.models import s3_backends  # type: ignore[import-not-found, unused-ignore]

ACCOUNT = "123456789012"
PARTITION = "aws"
CLOUDFRONT = cloudfront_backends[ACCOUNT][PARTITION]
ROUTE53 = route53.route53_backends[ACCOUNT][PARTITION]
S3 = s3_backends[ACCOUNT][PARTITION]
HEADERS_POLICIES: list[str] = []

Properties = dict[str, Any]


class Resource:
    """One resource of a stack: its resolved properties, and what it is in moto's services."""

    TYPE: ClassVar[str]
    physical_resource_id: str
    logical_resource_id: str

    def __init__(self, name: str, properties: Properties, region: str) -> None:
        self.name, self.properties, self.region = name, properties, region
        self.attributes: dict[str, Any] = {}
        self.status = "CREATE_COMPLETE"

    def create(self) -> None:
        """Make it, and set `physical_resource_id` and `attributes`."""
        raise NotImplementedError

    def update(self, properties: Properties) -> None:
        """Change it in place; types that do not say how would be replaced, or had no need."""
        raise NotImplementedError(f"{self.TYPE}: this change is not imitated: {properties}")

    def delete(self) -> None:
        """Remove it, or raise what says why AWS would not."""
        raise NotImplementedError

    # What moto asks of a resource.

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, definition: Properties, account: str, region: str, **more: Any
    ) -> "Resource":
        resource = cls(name, definition["Properties"], region)
        resource.create()
        return resource

    def get_cfn_attribute(self, name: str) -> Any:
        return self.attributes[name]


class Bucket(Resource):
    """Also in moto's S3, which AWS lets go only when it is empty."""

    TYPE = "AWS::S3::Bucket"

    def create(self) -> None:
        bucket = S3.create_bucket(self.name, self.region)
        encryption = cfn_to_api_encryption(self.properties["BucketEncryption"])
        S3.put_bucket_encryption(bucket_name=self.name, encryption=encryption)
        self.physical_resource_id = self.name
        regional = f"{self.name}.s3.{self.region}.amazonaws.com"
        self.attributes = {"Arn": bucket.arn, "RegionalDomainName": regional}

    def delete(self) -> None:
        if self.name in S3.buckets and S3.delete_bucket(self.name) is None:
            raise ValueError("The bucket you tried to delete is not empty")


class BucketPolicy(Resource):
    """Recorded only: moto takes every condition for a refusal, and would let nobody in any more."""

    TYPE = "AWS::S3::BucketPolicy"

    def create(self) -> None:
        self.physical_resource_id = self.properties["Bucket"]

    def update(self, properties: Properties) -> None:
        self.properties = properties

    def delete(self) -> None:
        pass


class OriginAccessControl(Resource):
    """Also in moto's CloudFront."""

    TYPE = "AWS::CloudFront::OriginAccessControl"

    def create(self) -> None:
        control = CLOUDFRONT.create_origin_access_control(
            self.properties["OriginAccessControlConfig"]
        )
        self.physical_resource_id = control.id

    def delete(self) -> None:
        CLOUDFRONT.delete_origin_access_control(self.physical_resource_id)


class ResponseHeadersPolicy(Resource):
    """Recorded: moto's CloudFront has none."""

    TYPE = "AWS::CloudFront::ResponseHeadersPolicy"

    def create(self) -> None:
        name = self.properties["ResponseHeadersPolicyConfig"]["Name"]
        self.physical_resource_id = _hex(name, 32)
        HEADERS_POLICIES.append(self.physical_resource_id)

    def update(self, properties: Properties) -> None:
        self.properties = properties

    def delete(self) -> None:
        HEADERS_POLICIES.remove(self.physical_resource_id)


class Function(Resource):
    """Also in moto's CloudFront; its code is not run."""

    TYPE = "AWS::CloudFront::Function"

    def create(self) -> None:
        name, code = self.properties["Name"], self.properties["FunctionCode"]
        config = self.properties["FunctionConfig"]
        function = CLOUDFRONT.create_function(name, config, code.encode(), [])
        self.physical_resource_id = function.arn
        self.attributes = {"FunctionARN": function.arn}

    def update(self, properties: Properties) -> None:
        self.properties = properties

    def delete(self) -> None:
        CLOUDFRONT.delete_function(self.properties["Name"], if_match=True)


class Distribution(Resource):
    """Also in moto's CloudFront, so that its caches can be invalidated."""

    TYPE = "AWS::CloudFront::Distribution"

    def create(self) -> None:
        made, _, _ = CLOUDFRONT.create_distribution(self._config(), [])
        self.physical_resource_id = made.id
        self.attributes = {"DomainName": made.domain_name, "Id": made.id}

    def update(self, properties: Properties) -> None:
        self.properties = properties
        made = CLOUDFRONT.distributions[self.physical_resource_id]
        made.distribution_config = DistributionConfig(self._config())

    def delete(self) -> None:
        CLOUDFRONT.delete_distribution(self.physical_resource_id, if_match=True)

    def _config(self) -> Properties:
        """Return what moto keeps of it: CloudFront's API writes its lists in another way."""
        config = self.properties["DistributionConfig"]
        behavior = config["DefaultCacheBehavior"]
        asked = ("TargetOriginId", "ViewerProtocolPolicy", "CachePolicyId")
        return {
            "CallerReference": self.name,
            "Aliases": {"Items": list(config.get("Aliases", []))},
            "Origins": {"Items": [dict(origin) for origin in config["Origins"]]},
            "DefaultCacheBehavior": {key: behavior[key] for key in asked},
            "Comment": config["Comment"],
            "Enabled": config["Enabled"],
        }


class Certificate(Resource):
    """Issued at once: nobody has to wait for a DNS that is not there."""

    TYPE = "AWS::CertificateManager::Certificate"

    def create(self) -> None:
        domain = self.properties["DomainName"]
        self._authority = acm_backends[ACCOUNT][self.region]
        self.physical_resource_id = self._authority.request_certificate(domain, None, [], [])
        # ACM asks for the same record again for every certificate of an account for this name.
        record = {
            "Name": f"_{_hex(domain, 32)}.{domain}.",
            "Type": "CNAME",
            "TTL": 300,
            "ResourceRecords": [
                {"Value": f"_{_hex(domain + ACCOUNT, 32)}.{_hex('zone', 10)}.acm-validations.aws."}
            ],
        }
        for option in self.properties["DomainValidationOptions"]:
            change = {"Action": "UPSERT", "ResourceRecordSet": record}
            ROUTE53.change_resource_record_sets(option["HostedZoneId"], [change])

    def delete(self) -> None:
        self._authority.delete_certificate(self.physical_resource_id)


class HostedZone(Resource):
    """Also in moto's Route 53, which AWS lets go only when nobody's records are left in it."""

    TYPE = "AWS::Route53::HostedZone"

    def create(self) -> None:
        comment = self.properties["HostedZoneConfig"]["Comment"]
        name = self.properties["Name"] + "."
        zone = ROUTE53.create_hosted_zone(name, private_zone=False, comment=comment)
        self.physical_resource_id = zone.resource_id
        self.attributes = {"NameServers": zone.delegation_set.name_servers}

    def delete(self) -> None:
        ROUTE53.delete_hosted_zone(self.physical_resource_id)


class RecordSetGroup(Resource):
    """Also in moto's Route 53."""

    TYPE = "AWS::Route53::RecordSetGroup"

    def create(self) -> None:
        zone = ROUTE53.get_hosted_zone(self.properties["HostedZoneId"])
        for record in self._records():
            if any((had.name, had.type) == (record["Name"], record["Type"]) for had in zone.rrsets):
                name = f"[name='{record['Name']}', type='{record['Type']}']"
                raise ValueError(
                    f"Tried to create resource record set {name} but it already exists"
                )
        self._change("CREATE")
        self.physical_resource_id = self.name

    def update(self, properties: Properties) -> None:
        self._change("DELETE")
        self.properties = properties
        self._change("CREATE")

    def delete(self) -> None:
        self._change("DELETE")

    def _change(self, action: str) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record} for record in self._records()]
        ROUTE53.change_resource_record_sets(self.properties["HostedZoneId"], changes)

    def _records(self) -> Iterator[Properties]:
        for record in self.properties["RecordSets"]:
            target = {"EvaluateTargetHealth": False, **record["AliasTarget"]}
            yield {"Name": record["Name"] + ".", "Type": record["Type"], "AliasTarget": target}


def _hex(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
