"""A portal's story by fhirclient for Python (SMART)."""

from fhirclient import client
from fhirclient.models import bundle, observation as observations, patient as patients
from requests.exceptions import HTTPError
from story import check, described, observation, patient, told, transaction

NODE = described()
SERVER = client.FHIRClient(settings={"app_id": "tidegate", "api_base": NODE["base"]}).server
SERVER.session.headers["Authorization"] = f"Bearer {NODE['token']}"


def refused(work):
    """Status of what is refused."""
    try:
        work()
    except HTTPError as error:
        return error.response.status_code
    raise SystemExit("it was not refused")


def asked(method, path, body, headers):
    """A request whose headers the client has no name for."""
    sent = {"Content-Type": "application/fhir+json", **headers}
    answer = SERVER.session.request(method, SERVER.base_uri + path, json=body, headers=sent)
    SERVER.raise_for_status(answer)
    return answer.json()


statement = SERVER.capabilityStatement
check(statement.fhirVersion == "4.0.1" and statement.rest[0].mode == "server", "the statement")

unless = {"If-None-Exist": "identifier=urn:smart.py|1"}
made = asked("POST", "Patient", patient("urn:smart.py", "1"), unless)
again = asked("POST", "Patient", patient("urn:smart.py", "1"), unless)
check(made["id"] == again["id"], "one patient of two creates")

read = patients.Patient.read(made["id"], SERVER)
check(read.name[0].family == "Quill", "what was made is read")

for number in range(7):
    created = observations.Observation(observation(f"Patient/{made['id']}", number)).create(SERVER)
    check(created["id"], "a create")
search = observations.Observation.where({"patient": made["id"], "_count": "3", "_sort": "-date"})
found = [one.id for one in search.perform_resources_iter(SERVER)]
check(len(found) == 7 and len(set(found)) == 7, f"all pages: {len(found)}")

search = observations.Observation.where({"patient": made["id"], "_count": "1"}).include("subject")
along = next(search.perform_iter(SERVER))
modes = [f"{entry.search.mode} {entry.resource.resource_type}" for entry in along.entry]
check(modes == ["match Observation", "include Patient"], f"what comes along: {modes}")
check(along.entry[0].resource.subject.resolved(patients.Patient).id == made["id"], "a reference")

read.gender = "female"
updated = read.update(SERVER)
check(updated["meta"]["versionId"] == "2" and updated["gender"] == "female", "an update")
stale = {"If-Match": 'W/"1"'}
conflict = refused(lambda: asked("PUT", f"Patient/{made['id']}", read.as_json(), stale))
check(conflict == 412, "a conflict")

patch = [{"op": "add", "path": "/active", "value": True}]
media = {"Content-Type": "application/json-patch+json"}
patched = asked("PATCH", f"Patient/{made['id']}", patch, media)
check(patched["active"] is True and patched["meta"]["versionId"] == "3", "a patch")

answer = bundle.Bundle(transaction("urn:smart.py", "2")).create(SERVER)
statuses = [entry["response"]["status"] for entry in answer["entry"]]
check(all(status.startswith("201") for status in statuses), f"a transaction: {statuses}")

history = bundle.Bundle.read_from(f"Patient/{made['id']}/_history", SERVER)
check(history.type == "history" and history.total == 3, "three versions")

for one in found:
    observations.Observation.read(one, SERVER).delete()
patients.Patient.read(made["id"], SERVER).delete()
check(refused(lambda: patients.Patient.read(made["id"], SERVER)) == 410, "it is gone")
told()
