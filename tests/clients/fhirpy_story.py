"""A portal's story by fhirpy."""

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, ResourceNotFound
from story import check, described, observation, patient, told, transaction

NODE = described()
CLIENT = SyncFHIRClient(NODE["base"], authorization=f"Bearer {NODE['token']}")


def refused(kind, work):
    """The exception that a request ends with."""
    try:
        work()
    except kind as error:
        return error
    raise SystemExit("it was not refused")


def asked(method, path, data=None, headers=None):
    """A request whose headers the client has no name for."""
    return CLIENT._do_request(method, path, data=data, extra_headers=headers)


statement = CLIENT.execute("metadata", method="get")
check(statement["fhirVersion"] == "4.0.1", "the statement")

unless = {"If-None-Exist": "identifier=urn:fhirpy|1"}
made = asked("post", "Patient", patient("urn:fhirpy", "1"), unless)
again = asked("post", "Patient", patient("urn:fhirpy", "1"), unless)
check(made["id"] == again["id"], "one patient of two creates")

read = CLIENT.reference("Patient", made["id"]).to_resource()
check(read["name"][0]["family"] == "Quill", "what was made is read")

for number in range(7):
    CLIENT.resource("Observation", **observation(f"Patient/{made['id']}", number)).create()
pulses = CLIENT.resources("Observation").search(patient=made["id"])
found = [one["id"] for one in pulses.sort("-date").limit(3).fetch_all()]
check(len(found) == 7 and len(set(found)) == 7, f"all pages: {len(found)}")
first = pulses.first()
check(first is not None and first["subject"].reference == f"Patient/{made['id']}", "one of them")
# `count` asks for a parameter that FHIR does not have; where a client wishes, it is left out.
lenient = SyncFHIRClient(
    NODE["base"],
    authorization=f"Bearer {NODE['token']}",
    extra_headers={"Prefer": "handling=lenient"},
)
check(lenient.resources("Observation").search(patient=made["id"]).count() == 7, "how many")

along = pulses.include("Observation", "subject").limit(1).fetch_raw()
modes = [f"{entry['search']['mode']} {entry['resource']['resourceType']}" for entry in along["entry"]]
check(modes == ["match Observation", "include Patient"], f"what comes along: {modes}")

read["gender"] = "female"
updated = asked("put", f"Patient/{made['id']}", read.serialize(), {"If-Match": 'W/"1"'})
check(updated["meta"]["versionId"] == "2" and updated["gender"] == "female", "an update")
refused(
    MultipleResourcesFound,
    lambda: asked("put", f"Patient/{made['id']}", read.serialize(), {"If-Match": 'W/"1"'}),
)

patch = [{"op": "add", "path": "/active", "value": True}]
media = {"Content-Type": "application/json-patch+json"}
patched = asked("patch", f"Patient/{made['id']}", patch, media)
check(patched["active"] is True and patched["meta"]["versionId"] == "3", "a patch")

answer = CLIENT.execute("", method="post", data=transaction("urn:fhirpy", "2"))
statuses = [entry["response"]["status"] for entry in answer["entry"]]
check(all(status.startswith("201") for status in statuses), f"a transaction: {statuses}")

history = CLIENT.execute(f"Patient/{made['id']}/_history", method="get")
check(history["type"] == "history" and history["total"] == 3, "three versions")
check(CLIENT.resource("Patient", **patient("urn:fhirpy", "3")).is_valid(), "a validation")

for one in found:
    CLIENT.delete("Observation", one)
CLIENT.delete("Patient", made["id"])
gone = refused(ResourceNotFound, lambda: CLIENT.get("Patient", made["id"]))
check("deleted" in str(gone), "it is gone")
told()
