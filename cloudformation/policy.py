"""The least permissions that deploy, publish and destroy need, to hand to the account's owner.

Derived from the template: each of its resource types has an entry in NEEDS, and a type without one
is a KeyError, not a forgotten right. What CloudFormation does for the caller is granted only when
it is CloudFormation that calls (aws:CalledVia). What the types' handlers could call beyond that,
for features that the template does not use, is UNNEEDED, with the reason; a test holds both lists
against the handlers that AWS publishes.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from awacs import acm, cloudformation, cloudfront, route53, s3
from awacs.aws import (
    Action,
    Allow,
    Condition,
    ForAllValuesStringEquals,
    ForAllValuesStringLike,
    ForAnyValueStringEquals,
    PolicyDocument,
    Statement,
)

from cloudformation.template import build as build_template


@dataclass(frozen=True, slots=True)
class Needs:
    """What CloudFormation does with a type of resource, in the caller's name."""

    why: str
    there: tuple[Action, ...]
    """Actions on a resource, or below it."""
    arns: tuple[str, ...]
    """Of the resources; {account}, {bucket} and {zone} are filled in."""
    anywhere: tuple[Action, ...] = ()
    """Actions that know no resource: what they make has no name before."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement of the policy, and why it is there."""

    why: str
    statement: Statement


NEEDS = {
    "AWS::CertificateManager::Certificate": Needs(
        "Issues the certificate, looks at it until it is validated, and removes it.",
        (
            acm.AddTagsToCertificate,
            acm.DeleteCertificate,
            acm.DescribeCertificate,
            acm.ListTagsForCertificate,
            acm.RemoveTagsFromCertificate,
        ),
        ("arn:aws:acm:us-east-1:{account}:certificate/*",),
        (acm.RequestCertificate,),
    ),
    "AWS::CloudFront::Distribution": Needs(
        "Makes, changes and removes the distribution.",
        (
            cloudfront.DeleteDistribution,
            cloudfront.GetDistribution,
            cloudfront.GetDistributionConfig,
            cloudfront.ListTagsForResource,
            cloudfront.TagResource,
            cloudfront.UntagResource,
            cloudfront.UpdateDistribution,
        ),
        ("arn:aws:cloudfront::{account}:distribution/*",),
        (cloudfront.CreateDistribution,),
    ),
    "AWS::CloudFront::Function": Needs(
        "Makes, changes and removes the function that asks for a password, if one is wanted.",
        (
            cloudfront.DeleteFunction,
            cloudfront.DescribeFunction,
            cloudfront.GetFunction,
            cloudfront.ListTagsForResource,
            cloudfront.PublishFunction,
            cloudfront.TagResource,
            cloudfront.UntagResource,
            cloudfront.UpdateFunction,
        ),
        ("arn:aws:cloudfront::{account}:function/*",),
        (cloudfront.CreateFunction,),
    ),
    "AWS::CloudFront::OriginAccessControl": Needs(
        "Lets the distribution sign its requests to the bucket.",
        (
            cloudfront.DeleteOriginAccessControl,
            cloudfront.GetOriginAccessControl,
            cloudfront.UpdateOriginAccessControl,
        ),
        ("arn:aws:cloudfront::{account}:origin-access-control/*",),
        (cloudfront.CreateOriginAccessControl,),
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": Needs(
        "Sets the headers of every response: noindex, CSP, HSTS.",
        (
            cloudfront.DeleteResponseHeadersPolicy,
            cloudfront.GetResponseHeadersPolicy,
            cloudfront.UpdateResponseHeadersPolicy,
        ),
        ("arn:aws:cloudfront::{account}:response-headers-policy/*",),
        (cloudfront.CreateResponseHeadersPolicy,),
    ),
    "AWS::Route53::HostedZone": Needs(
        "Makes and removes the zone, where the stack makes one.",
        (
            route53.ChangeTagsForResource,
            route53.DeleteHostedZone,
            route53.GetHostedZone,
            route53.ListQueryLoggingConfigs,
            route53.ListTagsForResource,
            route53.UpdateHostedZoneComment,
        ),
        ("arn:aws:route53:::hostedzone/*",),
        (route53.CreateHostedZone,),
    ),
    "AWS::Route53::RecordSetGroup": Needs(
        "Writes the site's A and AAAA records and the certificate's validation record, waits until "
        "they are served, and removes them.",
        (
            route53.ChangeResourceRecordSets,
            route53.GetChange,
            route53.GetHostedZone,
            route53.ListResourceRecordSets,
        ),
        ("arn:aws:route53:::hostedzone/{zone}", "arn:aws:route53:::change/*"),
    ),
    "AWS::S3::Bucket": Needs(
        "Makes, changes and removes the bucket; the handler reads every setting, used or not.",
        (
            s3.CreateBucket,
            s3.DeleteBucket,
            s3.GetAccelerateConfiguration,
            s3.GetAnalyticsConfiguration,
            s3.GetBucketAbac,
            s3.GetBucketAcl,
            s3.GetBucketCORS,
            s3.GetBucketLogging,
            s3.GetBucketMetadataTableConfiguration,
            s3.GetBucketNotification,
            s3.GetBucketObjectLockConfiguration,
            s3.GetBucketOwnershipControls,
            s3.GetBucketPublicAccessBlock,
            s3.GetBucketTagging,
            s3.GetBucketVersioning,
            s3.GetBucketWebsite,
            s3.GetEncryptionConfiguration,
            s3.GetIntelligentTieringConfiguration,
            s3.GetInventoryConfiguration,
            s3.GetLifecycleConfiguration,
            s3.GetMetricsConfiguration,
            s3.GetReplicationConfiguration,
            s3.ListBucket,
            s3.ListTagsForResource,
            s3.PutBucketOwnershipControls,
            s3.PutBucketPublicAccessBlock,
            s3.PutBucketTagging,
            s3.PutEncryptionConfiguration,
            s3.PutLifecycleConfiguration,
            s3.TagResource,
            s3.UntagResource,
        ),
        ("arn:aws:s3:::{bucket}",),
    ),
    "AWS::S3::BucketPolicy": Needs(
        "Lets the distribution, and nobody else, read the bucket.",
        (s3.DeleteBucketPolicy, s3.GetBucketPolicy, s3.PutBucketPolicy),
        ("arn:aws:s3:::{bucket}",),
    ),
}
"""What each type of resource in the template needs."""

UNNEEDED = {
    "no action of IAM: CreateDistribution and TagResource are what is asked for": (
        "cloudfront:CreateDistributionWithTags",
    ),
    "no action of IAM: the Put action of the same setting, which is granted, removes it too": (
        "s3:DeleteBucketEncryption",
        "s3:DeleteBucketLifecycle",
    ),
    "the distribution has no tenants, no origin in a VPC and no staging copy": (
        "cloudfront:CreateConnectionGroup",
        "cloudfront:GetConnectionGroup",
        "cloudfront:GetVpcOrigin",
        "cloudfront:UpdateDistributionWithStagingConfig",
    ),
    "the certificate is public and ACM's own, none of a private CA, and its options stay": (
        "acm-pca:GetCertificate",
        "acm-pca:IssueCertificate",
        "acm:UpdateCertificateOptions",
    ),
    "the zone is public and logs no queries; no accelerated recovery": (
        "ec2:DescribeVpcs",
        "route53:AssociateVPCWithHostedZone",
        "route53:CreateQueryLoggingConfig",
        "route53:DeleteQueryLoggingConfig",
        "route53:DisassociateVPCFromHostedZone",
        "route53:UpdateHostedZoneFeatures",
    ),
    "no role is passed to anything, because the template has none": ("iam:PassRole",),
    "the bucket has no such setting": (
        "s3:CreateBucketMetadataTableConfiguration",
        "s3:DeleteBucketAnalyticsConfiguration",
        "s3:DeleteBucketCors",
        "s3:DeleteBucketMetadataTableConfiguration",
        "s3:DeleteBucketMetricsConfiguration",
        "s3:DeleteBucketReplication",
        "s3:DeleteBucketWebsite",
        "s3:PutAccelerateConfiguration",
        "s3:PutAnalyticsConfiguration",
        "s3:PutBucketAbac",
        "s3:PutBucketAcl",
        "s3:PutBucketCORS",
        "s3:PutBucketLogging",
        "s3:PutBucketNotification",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketReplication",
        "s3:PutBucketVersioning",
        "s3:PutBucketWebsite",
        "s3:PutIntelligentTieringConfiguration",
        "s3:PutInventoryConfiguration",
        "s3:PutMetricsConfiguration",
        "s3:PutObjectAcl",
        "s3:PutObjectLockConfiguration",
        "s3:PutReplicationConfiguration",
        "s3:UpdateBucketMetadataAnnotationTableConfiguration",
        "s3:UpdateBucketMetadataInventoryTableConfiguration",
        "s3:UpdateBucketMetadataJournalTableConfiguration",
        "s3tables:CreateNamespace",
        "s3tables:CreateTable",
        "s3tables:CreateTableBucket",
        "s3tables:GetTable",
        "s3tables:GetTableMetadataLocation",
        "s3tables:PutTableBucketPolicy",
        "s3tables:PutTableEncryption",
        "s3tables:PutTablePolicy",
        "s3tables:UpdateTableMetadataLocation",
    ),
    "only listing all of a kind needs it, which neither deploying nor removing does": (
        "acm:ListCertificates",
        "cloudfront:ListDistributions",
        "cloudfront:ListFunctions",
        "cloudfront:ListOriginAccessControls",
        "cloudfront:ListResponseHeadersPolicies",
        "route53:ListHostedZones",
        "s3:ListAllMyBuckets",
    ),
}
"""What the types' handlers may call and we do not grant, by reason."""

_LONGEST_PREFIX = 24
"""Longer names of stacks may be cut in the names that CloudFormation makes of them."""


def build(account: str, region: str, stack: str, zone: str | None = None) -> list[Grant]:
    """Return the statements for one stack, in an account (12 digits) and a region.

    With the id of a zone that is there already, no other zone may be touched, nor made.
    """
    name = stack.lower()
    bucket = f"{name}-site-*" if len(name) <= _LONGEST_PREFIX else f"{name[:_LONGEST_PREFIX]}*"
    used = {str(resource.resource_type) for resource in build_template().resources.values()}
    if region != "us-east-1":
        used.remove("AWS::CertificateManager::Certificate")  # it is issued there only
    if zone:
        used.remove("AWS::Route53::HostedZone")
    filled = {"account": account, "bucket": bucket, "zone": zone or "*"}
    return [
        *_by_hand(region, stack, filled),
        *([] if zone else _by_hand_in_own_zone()),
        _anywhere(sorted(used)),
        *(_there(kind, filled) for kind in sorted(used)),
    ]


def document(grants: Sequence[Grant]) -> PolicyDocument:
    """Return the policy as IAM takes it."""
    return PolicyDocument(Version="2012-10-17", Statement=[one.statement for one in grants])


def text(grants: Sequence[Grant]) -> str:
    """Return the policy as JSON: an identity-based policy for a user, a group or a role."""
    return str(document(grants).to_json(indent=2)) + "\n"


def explained(grants: Sequence[Grant]) -> str:
    """Return the reasons for people: of each statement, and of what is not granted."""
    lines = ["What is granted, by statement:", ""]
    for grant in grants:
        lines += [f"{grant.statement.Sid}", *_indented(grant.why)]
        lines += [*_indented(", ".join(_names(grant.statement.Action))), ""]
    lines += ["What CloudFormation's handlers may call, and is not granted:", ""]
    for why, actions in UNNEEDED.items():
        lines += [f"{why}:", *_indented(", ".join(actions)), ""]
    return "\n".join(lines)


def _indented(paragraph: str) -> list[str]:
    return textwrap.wrap(paragraph, 96, initial_indent="    ", subsequent_indent="    ")


def _names(actions: Sequence[Action]) -> list[str]:
    return [f"{action.prefix}:{action.action}" for action in actions]


def _by_hand(region: str, stack: str, filled: Mapping[str, str]) -> list[Grant]:
    """Return what the AWS CLI calls itself."""
    account, bucket = filled["account"], filled["bucket"]
    return [
        _grant(
            "Stack",
            "deploy, destroy: make, change, look at and remove this one stack.",
            (
                cloudformation.CreateChangeSet,
                cloudformation.DeleteChangeSet,
                cloudformation.DeleteStack,
                cloudformation.DescribeChangeSet,
                cloudformation.DescribeStackEvents,
                cloudformation.DescribeStackResources,
                cloudformation.DescribeStacks,
                cloudformation.ExecuteChangeSet,
                cloudformation.GetTemplateSummary,
                cloudformation.TagResource,
                cloudformation.UntagResource,
            ),
            [f"arn:aws:cloudformation:{region}:{account}:stack/{stack}/*"],
        ),
        _grant(
            "ListSite",
            "publish, destroy: see what is in the bucket.",
            (s3.ListBucket,),
            [f"arn:aws:s3:::{bucket}"],
        ),
        _grant(
            "FillSite",
            "publish, destroy: upload and remove the site's files; not read them, visitors do.",
            (s3.AbortMultipartUpload, s3.DeleteObject, s3.PutObject),
            [f"arn:aws:s3:::{bucket}/*"],
        ),
        _grant(
            "Invalidate",
            "publish: invalidate the caches when the pages have changed.",
            (cloudfront.CreateInvalidation,),
            [f"arn:aws:cloudfront::{account}:distribution/*"],
        ),
    ]


def _by_hand_in_own_zone() -> list[Grant]:
    """Return what destroy does in a zone that the stack made, whose id nobody knows before."""
    one_record = Condition(
        [
            ForAllValuesStringEquals(
                {
                    "route53:ChangeResourceRecordSetsActions": ["DELETE"],
                    "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
                }
            ),
            ForAllValuesStringLike(
                {"route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_*"]}
            ),
        ]
    )
    return [
        _grant(
            "SeeRecords",
            "destroy: find the record that ACM left in a zone that the stack made.",
            (route53.ListResourceRecordSets,),
            ["arn:aws:route53:::hostedzone/*"],
        ),
        _grant(
            "ForgetValidation",
            "destroy: remove that one record, for which the zone could not be deleted.",
            (route53.ChangeResourceRecordSets,),
            ["arn:aws:route53:::hostedzone/*"],
            one_record,
        ),
    ]


def _anywhere(kinds: Sequence[str]) -> Grant:
    actions = [action for kind in kinds for action in NEEDS[kind].anywhere]
    return _grant(
        "CreateByCloudFormation",
        "Makes what has no name before it is there, so that IAM knows no resource for it.",
        actions,
        ["*"],
        _via_cloudformation(),
    )


def _there(kind: str, filled: Mapping[str, str]) -> Grant:
    needs = NEEDS[kind]
    service, name = kind.split("::")[1:]
    arns = [arn.format_map(filled) for arn in needs.arns]
    return _grant(f"{service}{name}", needs.why, needs.there, arns, _via_cloudformation())


def _via_cloudformation() -> Condition:
    return Condition(ForAnyValueStringEquals({"aws:CalledVia": ["cloudformation.amazonaws.com"]}))


def _grant(
    sid: str,
    why: str,
    actions: Sequence[Action],
    arns: Sequence[str],
    condition: Condition | None = None,
) -> Grant:
    only = {"Condition": condition} if condition else {}
    return Grant(
        why,
        Statement(Sid=sid, Effect=Allow, Action=list(actions), Resource=list(arns), **only),
    )
