// A portal's story by fhir-kit-client.
import { pathToFileURL } from "node:url";
import { check, described, patient, patched, told, transaction } from "./story.mjs";

const { base, token, packages } = described();
const { Client } = await import(pathToFileURL(`${packages}/node_modules/fhir-kit-client/dist/index.js`).href);
const client = new Client({ baseUrl: base, bearerToken: token });

/** Status and body of what is refused. */
async function refused(work) {
  try {
    await work;
  } catch (error) {
    const { status, data } = error.response ?? {};
    if (status === undefined) throw error;
    return { status, outcome: data };
  }
  throw new Error("it was not refused");
}

const statement = await client.capabilityStatement();
check(statement.resourceType === "CapabilityStatement" && statement.fhirVersion === "4.0.1", "the statement");

const unless = { headers: { "If-None-Exist": "identifier=urn:kit|1" } };
const made = await client.create({ resourceType: "Patient", body: patient("urn:kit", "1"), options: unless });
const again = await client.create({ resourceType: "Patient", body: patient("urn:kit", "1"), options: unless });
check(made.id && again.id === made.id, "one patient of two creates");

const read = await client.read({ resourceType: "Patient", id: made.id });
check(read.meta.versionId === "1" && read.name[0].family === "Quill", "what was made is read");

for (let number = 0; number < 7; number += 1) {
  await client.create({ resourceType: "Observation", body: transaction.observation(made.id, number) });
}
let page = await client.search({ resourceType: "Observation", searchParams: { patient: made.id, _count: 3, _sort: "-date" } });
const found = [];
while (page) {
  found.push(...page.entry.map((entry) => entry.resource.id));
  page = await client.nextPage({ bundle: page });
}
check(found.length === 7 && new Set(found).size === 7, `all pages: ${found.length}`);

const along = await client.search({
  resourceType: "Observation",
  searchParams: { patient: made.id, _include: "Observation:subject", _count: 1 },
});
const modes = along.entry.map((entry) => `${entry.search.mode} ${entry.resource.resourceType}`);
check(modes.join() === "match Observation,include Patient", `what comes along: ${modes}`);

const changed = { ...read, gender: "female" };
const version = (number) => ({ headers: { "If-Match": `W/"${number}"` } });
const updated = await client.update({ resourceType: "Patient", id: made.id, body: changed, options: version(1) });
check(updated.meta.versionId === "2" && updated.gender === "female", "an update");
const conflict = await refused(client.update({ resourceType: "Patient", id: made.id, body: changed, options: version(1) }));
check(conflict.status === 412 && conflict.outcome.resourceType === "OperationOutcome", "a conflict");

const patchedNow = await client.patch({ resourceType: "Patient", id: made.id, jsonPatch: patched });
check(patchedNow.active === true && patchedNow.meta.versionId === "3", "a patch");

const answer = await client.transaction({ body: transaction.bundle("urn:kit", "2") });
const statuses = answer.entry.map((entry) => entry.response.status);
check(answer.type === "transaction-response" && statuses.every((status) => status.startsWith("201")), `${statuses}`);
check(answer.entry[1].resource.subject.reference.startsWith("Patient/"), "a reference between entries");

const history = await client.history({ resourceType: "Patient", id: made.id });
check(history.type === "history" && history.total === 3, "three versions");
const first = await client.vread({ resourceType: "Patient", id: made.id, version: "1" });
check(first.gender === undefined, "the first version as it was");

for (const id of found) await client.delete({ resourceType: "Observation", id });
await client.delete({ resourceType: "Patient", id: made.id });
const gone = await refused(client.read({ resourceType: "Patient", id: made.id }));
check(gone.status === 410 && gone.outcome.issue[0].code === "deleted", "it is gone");
told();
