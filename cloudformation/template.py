"""The stack: a private bucket behind CloudFront, its certificate and its names. No IAM resource.

One template serves every commercial region. CloudFront and Route 53 are global services, made by
and removed with the stack of the region that was given; CloudFront takes certificates of us-east-1
only. So the stack issues its certificate where it is deployed there, takes the ARN of one
elsewhere, and is reached by its cloudfront.net name until there is one.
Reasons: D-30 in docs/decisions.
"""

from typing import Any

from awacs import s3 as s3_actions
from awacs.aws import (
    Action,
    Allow,
    Bool,
    Deny,
    NumericLessThan,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
)
from awacs.aws import (
    Condition as When,
)
from troposphere import (
    And,
    AWSObject,
    Condition,
    Equals,
    GetAtt,
    If,
    Join,
    Not,
    NoValue,
    Or,
    Output,
    Parameter,
    Ref,
    Region,
    Select,
    Split,
    StackId,
    Sub,
    Template,
    certificatemanager,
    cloudfront,
    route53,
    s3,
)
from troposphere.validators.route53 import AliasTarget

LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN_PATTERN = rf"^({LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])$"
SIX = "[A-Za-z0-9+/]"
"""What base64 says six bits with."""
CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
"""The hosted zone of every CloudFront distribution's name (Route 53, AliasTarget)."""
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
"""CloudFront's managed cache policy of that name: caches by path alone, up to what we say."""
ROBOTS = "noindex, nofollow, noarchive"
TWO_YEARS_S = 2 * 365 * 24 * 3600
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=()"

LEFT_OUT = {
    "Versioning": "git has the history, and a bucket that holds versions cannot be deleted",
    "AccessLogs": "they would keep visitors' addresses, in a bucket that blocks removal",
    "Firewall": "a WAF for CloudFront must be made in us-east-1; static files need none",
    "CustomerKey": "nothing here is secret, and SSE-S3 encrypts; a key of KMS costs money",
    "Replication": "the site is rebuilt from the repository by one command",
}
"""What a reviewer may miss, and why it is not there; becomes the template's metadata."""

_UNSEEN = "the checker does not see through Fn::If: TLSv1.2_2021 is set wherever there is a choice"
_SKIPPED = {
    "Site": {
        "CKV_AWS_18": LEFT_OUT["AccessLogs"],
        "CKV_AWS_21": LEFT_OUT["Versioning"],
    },
    "Distribution": {
        "CKV_AWS_68": LEFT_OUT["Firewall"],
        "CKV_AWS_86": LEFT_OUT["AccessLogs"],
        "CKV_AWS_174": _UNSEEN,
    },
}
"""Findings of checkov that are decisions, by resource."""

_ASK = f"""\
function handler(event) {{
    var given = event.request.headers.authorization;
    if (given && given.value === 'Basic ${{BasicAuthToken}}') {{
        return event.request;
    }}
    return {{
        statusCode: 401,
        statusDescription: 'Unauthorized',
        headers: {{
            'cache-control': {{ value: 'no-store' }},
            'www-authenticate': {{ value: 'Basic realm="time-drift", charset="UTF-8"' }},
            'x-robots-tag': {{ value: '{ROBOTS}' }}
        }}
    }};
}}
"""
"""What CloudFront runs before it answers, where a password is asked for."""


def build() -> Template:
    """Return the template; the same bytes every time."""
    template = Template(
        Description="The hand-over site of time-drift: a private bucket behind CloudFront, "
        "under a domain name, not indexed by search engines."
    )
    template.set_version("2010-09-09")
    template.set_metadata({"LeftOut": LEFT_OUT})
    _add_parameters(template)
    _add_conditions(template)
    for resource in (
        _bucket(),
        _bucket_policy(),
        _origin_access(),
        _headers(),
        _password(),
        _distribution(),
        _zone(),
        _certificate(),
        _records(),
    ):
        template.add_resource(resource)
    _add_outputs(template)
    return template


def _add_parameters(template: Template) -> None:
    for parameter in (
        Parameter(
            "DomainName",
            Type="String",
            AllowedPattern=DOMAIN_PATTERN,
            MaxLength=64,
            ConstraintDescription="a full domain name in lower case, at most 64 characters",
            Description="Where visitors find the site, as in review.example.org. At most 64 "
            "characters: a certificate's first name may have no more.",
        ),
        Parameter(
            "HostedZoneId",
            Type="String",
            Default="",
            AllowedPattern="^(Z[A-Z0-9]{1,31})?$",
            ConstraintDescription="the id of a public hosted zone, as in Z0123456789ABCDEFGHIJ",
            Description="The public Route 53 zone that DomainName lies in. Empty: this stack makes "
            "a zone named DomainName.",
        ),
        Parameter(
            "Delegated",
            Type="String",
            Default="no",
            AllowedValues=["no", "yes"],
            Description="Only for a zone made by this stack: yes once the registrar, or the parent "
            "zone, names the name servers of output NameServers. Until then no certificate can be "
            "validated.",
        ),
        Parameter(
            "CertificateArn",
            Type="String",
            Default="",
            AllowedPattern="^(arn:aws:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]{36})?$",
            ConstraintDescription="the ARN of a certificate in us-east-1, the only ones CloudFront "
            "takes",
            Description="An issued certificate for DomainName, in us-east-1. Empty: in us-east-1 "
            "this stack issues one; elsewhere the site keeps its cloudfront.net name.",
        ),
        Parameter(
            "BasicAuthToken",
            Type="String",
            Default="",
            NoEcho=True,
            AllowedPattern=rf"^({SIX}{{4}})*({SIX}{{2}}==|{SIX}{{3}}=)?$",
            MaxLength=256,
            ConstraintDescription="base64 of user:password, at most 256 characters",
            Description="Base64 of user:password that visitors must give. Empty: the site is open "
            "to everybody who knows its name.",
        ),
    ):
        template.add_parameter(parameter)


def _add_conditions(template: Template) -> None:
    conditions: dict[str, Any] = {
        "CreateZone": Equals(Ref("HostedZoneId"), ""),
        "Resolvable": Or(Not(Condition("CreateZone")), Equals(Ref("Delegated"), "yes")),
        "HasCertificate": Not(Equals(Ref("CertificateArn"), "")),
        "IssueCertificate": And(
            Condition("Resolvable"),
            Not(Condition("HasCertificate")),
            Equals(Region, "us-east-1"),
        ),
        "BindDomain": And(
            Condition("Resolvable"),
            Or(Condition("HasCertificate"), Condition("IssueCertificate")),
        ),
        "AskPassword": Not(Equals(Ref("BasicAuthToken"), "")),
    }
    for name, condition in conditions.items():
        template.add_condition(name, condition)


def _skipping(title: str) -> dict[str, Any]:
    """Return the metadata by which checkov knows what was decided about a resource."""
    skip = [{"id": check, "comment": why} for check, why in sorted(_SKIPPED[title].items())]
    return {"checkov": {"skip": skip}}


def _unique(suffix: str) -> Join:
    """Return a name that no other stack of the account has: at most 36 + 1 + 27 characters."""
    return Join("-", [Select(2, Split("/", StackId)), suffix])


def _bucket() -> AWSObject:
    # No BucketName: two stacks must not collide, and a fixed name could be taken by anybody.
    return s3.Bucket(
        "Site",
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        Metadata=_skipping("Site"),
        BucketEncryption=s3.BucketEncryption(
            ServerSideEncryptionConfiguration=[
                s3.ServerSideEncryptionRule(
                    ServerSideEncryptionByDefault=s3.ServerSideEncryptionByDefault(
                        SSEAlgorithm="AES256"
                    )
                )
            ]
        ),
        LifecycleConfiguration=s3.LifecycleConfiguration(
            Rules=[
                s3.LifecycleRule(
                    Id="abandoned-uploads",
                    Status="Enabled",
                    AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(
                        DaysAfterInitiation=1
                    ),
                )
            ]
        ),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True,
            BlockPublicPolicy=True,
            IgnorePublicAcls=True,
            RestrictPublicBuckets=True,
        ),
    )


def _bucket_policy() -> AWSObject:
    everything = [GetAtt("Site", "Arn"), Sub("${Site.Arn}/*")]
    ours = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Distribution}"
    document = PolicyDocument(
        Version="2012-10-17",
        Statement=[
            Statement(
                Sid="OnlyThisDistributionReads",
                Effect=Allow,
                Principal=Principal("Service", "cloudfront.amazonaws.com"),
                Action=[s3_actions.GetObject],
                Resource=[Sub("${Site.Arn}/*")],
                Condition=When(StringEquals({"AWS:SourceArn": Sub(ours)})),
            ),
            Statement(
                Sid="NobodyWithoutTls",
                Effect=Deny,
                Principal=Principal("*"),
                Action=[Action("s3", "*")],
                Resource=everything,
                Condition=When(Bool({"aws:SecureTransport": False})),
            ),
            Statement(
                Sid="NobodyWithOldTls",
                Effect=Deny,
                Principal=Principal("*"),
                Action=[Action("s3", "*")],
                Resource=everything,
                Condition=When(NumericLessThan({"s3:TlsVersion": "1.2"})),
            ),
        ],
    )
    return s3.BucketPolicy("SitePolicy", Bucket=Ref("Site"), PolicyDocument=document)


def _origin_access() -> AWSObject:
    return cloudfront.OriginAccessControl(
        "OriginAccess",
        OriginAccessControlConfig=cloudfront.OriginAccessControlConfig(
            Name=_unique("site"),
            Description=Sub("Lets the distribution of stack ${AWS::StackName} read its bucket"),
            OriginAccessControlOriginType="s3",
            SigningBehavior="always",
            SigningProtocol="sigv4",
        ),
    )


def _headers() -> AWSObject:
    """Every response carries these, the archive's included: a zip has no robots meta tag."""
    extra = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS_POLICY,
        "X-Robots-Tag": ROBOTS,
    }
    return cloudfront.ResponseHeadersPolicy(
        "Headers",
        ResponseHeadersPolicyConfig=cloudfront.ResponseHeadersPolicyConfig(
            Name=_unique("headers"),
            CustomHeadersConfig=cloudfront.CustomHeadersConfig(
                Items=[
                    cloudfront.CustomHeader(Header=name, Value=value, Override=True)
                    for name, value in sorted(extra.items())
                ]
            ),
            SecurityHeadersConfig=cloudfront.SecurityHeadersConfig(
                ContentSecurityPolicy=cloudfront.ContentSecurityPolicy(
                    ContentSecurityPolicy=CONTENT_SECURITY_POLICY, Override=True
                ),
                ContentTypeOptions=cloudfront.ContentTypeOptions(Override=True),
                FrameOptions=cloudfront.FrameOptions(FrameOption="DENY", Override=True),
                ReferrerPolicy=cloudfront.ReferrerPolicy(
                    ReferrerPolicy="no-referrer", Override=True
                ),
                StrictTransportSecurity=cloudfront.StrictTransportSecurity(
                    AccessControlMaxAgeSec=TWO_YEARS_S,
                    IncludeSubdomains=False,
                    Preload=False,
                    Override=True,
                ),
            ),
        ),
    )


def _password() -> AWSObject:
    return cloudfront.Function(
        "Password",
        Condition="AskPassword",
        AutoPublish=True,
        Name=_unique("password"),
        FunctionCode=Sub(_ASK),
        FunctionConfig=cloudfront.FunctionConfig(
            Comment="Asks visitors for the user name and password of parameter BasicAuthToken",
            Runtime="cloudfront-js-2.0",
        ),
    )


def _distribution() -> AWSObject:
    asking = cloudfront.FunctionAssociation(
        EventType="viewer-request", FunctionARN=GetAtt("Password", "FunctionARN")
    )
    bound = cloudfront.ViewerCertificate(
        AcmCertificateArn=If("HasCertificate", Ref("CertificateArn"), Ref("Certificate")),
        MinimumProtocolVersion="TLSv1.2_2021",
        SslSupportMethod="sni-only",
    )
    return cloudfront.Distribution(
        "Distribution",
        Metadata=_skipping("Distribution"),
        DistributionConfig=cloudfront.DistributionConfig(
            Aliases=If("BindDomain", [Ref("DomainName")], NoValue),
            Comment=Ref("DomainName"),  # of at most 128 characters
            CustomErrorResponses=[
                # S3 says 403 where there is nothing, since nobody may list the bucket.
                cloudfront.CustomErrorResponse(
                    ErrorCode=code,
                    ResponseCode=404,
                    ResponsePagePath="/404.html",
                    ErrorCachingMinTTL=60,
                )
                for code in (403, 404)
            ],
            DefaultCacheBehavior=cloudfront.DefaultCacheBehavior(
                AllowedMethods=["GET", "HEAD"],
                CachePolicyId=CACHING_OPTIMIZED,
                Compress=True,
                FunctionAssociations=If("AskPassword", [asking], NoValue),
                ResponseHeadersPolicyId=Ref("Headers"),
                TargetOriginId="site",
                ViewerProtocolPolicy="redirect-to-https",
            ),
            DefaultRootObject="index.html",
            Enabled=True,
            HttpVersion="http2and3",
            IPV6Enabled=True,
            Origins=[
                cloudfront.Origin(
                    Id="site",
                    DomainName=GetAtt("Site", "RegionalDomainName"),
                    OriginAccessControlId=Ref("OriginAccess"),
                    # Empty, but there: it says that the origin is a bucket and not a web server.
                    S3OriginConfig=cloudfront.S3OriginConfig(OriginAccessIdentity=""),
                )
            ],
            PriceClass="PriceClass_100",
            ViewerCertificate=If(
                "BindDomain",
                bound,
                cloudfront.ViewerCertificate(CloudFrontDefaultCertificate=True),
            ),
        ),
    )


def _zone() -> AWSObject:
    return route53.HostedZone(
        "Zone",
        Condition="CreateZone",
        Name=Ref("DomainName"),
        HostedZoneConfig=route53.HostedZoneConfiguration(
            Comment=Sub("Made by stack ${AWS::StackName}, and removed with it")
        ),
    )


def _certificate() -> AWSObject:
    return certificatemanager.Certificate(
        "Certificate",
        Condition="IssueCertificate",
        DomainName=Ref("DomainName"),
        DomainValidationOptions=[
            certificatemanager.DomainValidationOption(
                DomainName=Ref("DomainName"), HostedZoneId=_zone_id()
            )
        ],
        KeyAlgorithm="EC_prime256v1",
        ValidationMethod="DNS",
    )


def _records() -> AWSObject:
    distribution = AliasTarget(  # type: ignore[no-untyped-call] # its constructor alone is not
        HostedZoneId=CLOUDFRONT_ZONE, DNSName=GetAtt("Distribution", "DomainName")
    )
    return route53.RecordSetGroup(
        "Records",
        Condition="BindDomain",
        HostedZoneId=_zone_id(),
        RecordSets=[
            route53.RecordSet(Name=Ref("DomainName"), Type=kind, AliasTarget=distribution)
            for kind in ("A", "AAAA")
        ],
    )


def _zone_id() -> If:
    return If("CreateZone", Ref("Zone"), Ref("HostedZoneId"))


def _add_outputs(template: Template) -> None:
    served = If("BindDomain", Ref("DomainName"), GetAtt("Distribution", "DomainName"))
    for output in (
        Output("BucketName", Description="Where publish puts the site", Value=Ref("Site")),
        Output(
            "DistributionId",
            Description="Whose caches publish invalidates",
            Value=Ref("Distribution"),
        ),
        Output(
            "WebsiteUrl",
            Description="Where the site is. A cloudfront.net name means that DomainName is not "
            "bound yet: a new zone wants Delegated=yes, other regions than us-east-1 want a "
            "CertificateArn.",
            Value=Join("", ["https://", served, "/"]),
        ),
        Output(
            "NameServers",
            Condition="CreateZone",
            Description="What the registrar, or the parent zone, must name as DomainName's NS",
            Value=Join(" ", GetAtt("Zone", "NameServers")),
        ),
    ):
        template.add_output(output)


def text() -> str:
    """Return the template as template.json holds it."""
    return build().to_json(indent=2) + "\n"
