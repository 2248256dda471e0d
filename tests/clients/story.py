"""What the stories in Python have in common."""

import json
import sys


def described():
    """Where the node is and its token."""
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


def check(holds, what):
    """Ends the story where something does not hold."""
    if not holds:
        raise SystemExit(f"it does not hold: {what}")


def told():
    """Says that the story ended well."""
    print("the story ended well")


def patient(system, value):
    """An invented person."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": value}],
        "name": [{"family": "Quill", "given": ["Ada"]}],
    }


def observation(subject, number):
    """A pulse of somebody."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": f"2020-05-1{number}",
        "valueQuantity": {
            "value": 60 + number,
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def transaction(system, value):
    """Somebody and a pulse, in one bundle."""
    full_url = "urn:uuid:8f1f4d0e-6c6b-4e0c-9f0a-1a2b3c4d5e6f"
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": full_url,
                "resource": patient(system, value),
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": observation(full_url, 9),
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }
