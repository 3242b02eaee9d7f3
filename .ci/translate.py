"""Writes what CloudFormation will really get: template.yaml after the SAM transform.

cfn-lint does not look into SAM's own resources, so a mistake in them shows only here.
Usage: translate.py template.yaml translated.json
"""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """Every function brings its own role; asking for one of AWS's is the mistake to find."""

    def load(self):
        return {}


def main(source, target):
    with open(source, encoding="utf-8") as file:
        template = yaml_parse(file)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            if "Role" not in resource["Properties"]:
                sys.exit(f"{name} has no role of its own")
            # A deploy puts the package's address here; the transform wants one.
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": f"{name}.zip"}
    template["Globals"]["Function"].pop("CodeUri", None)
    translated = transform(template, {}, NoManagedPolicies())
    with open(target, "w", encoding="utf-8") as file:
        json.dump(translated, file, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
