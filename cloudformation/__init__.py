"""The hand-over site on AWS: one generated template, and the commands that fill and remove it.

template.py  build() -> the CloudFormation template, which template.json holds as a file
policy.py    build() -> the least permissions that deploying it needs, derived from the template
archive.py   the reproducible zip of this repository
site.py      the pages around it (pages/), written into a directory
commands.py  the AWS CLI commands of deploy, publish and destroy; __main__.py runs them
"""
