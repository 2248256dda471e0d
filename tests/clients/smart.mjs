// A portal's story by fhirclient for JavaScript (SMART).
import { createRequire } from "node:module";
import { check, described, patient, patched, told, transaction } from "./story.mjs";

const { base, token, packages } = described();
const { FhirClient } = createRequire(`${packages}/package.json`)("fhirclient");

/** Every request with the token. */
class Portal extends FhirClient {
  async getRequestDefaults() {
    return { headers: { authorization: `Bearer ${token}` } };
  }
}
const client = new Portal(base);
const authorization = `Bearer ${token}`;
const withToken = (more) => ({ headers: { authorization, ...more } });

/** Status of what is refused. */
async function refused(work) {
  try {
    await work;
  } catch (error) {
    if (error.status === undefined) throw error;
    return error.status;
  }
  throw new Error("it was not refused");
}

check((await client.getFhirVersion()) === "4.0.1" && (await client.getFhirRelease()) === 4, "the statement");

const unless = withToken({ "if-none-exist": "identifier=urn:smart|1" });
const made = await client.create(patient("urn:smart", "1"), unless);
const again = await client.create(patient("urn:smart", "1"), unless);
check(made.id && again.id === made.id, "one patient of two creates");

const read = await client.fhirRequest(`Patient/${made.id}`, withToken());
check(read.meta.versionId === "1" && read.name[0].family === "Quill", "what was made is read");

for (let number = 0; number < 7; number += 1) {
  await client.create(transaction.observation(made.id, number), withToken());
}
const found = [];
let url = `Observation?patient=${made.id}&_count=3&_sort=-date`;
while (url) {
  const page = await client.fhirRequest(url, withToken());
  found.push(...page.entry.map((entry) => entry.resource.id));
  url = page.link.find((link) => link.relation === "next")?.url;
}
check(found.length === 7 && new Set(found).size === 7, `all pages: ${found.length}`);

const along = await client.fhirRequest(
  `Observation?patient=${made.id}&_include=Observation:subject&_count=1`,
  withToken(),
);
const modes = along.entry.map((entry) => `${entry.search.mode} ${entry.resource.resourceType}`);
check(modes.join() === "match Observation,include Patient", `what comes along: ${modes}`);
const observation = await client.fhirRequest(`Observation/${found[0]}`, withToken());
const referred = await client.getReferences(observation, ["subject"], withToken());
check(referred[`Patient/${made.id}`]?.id === made.id, "a reference that the client resolves");

const changed = { ...read, gender: "female" };
const updated = await client.update(changed, withToken({ "if-match": 'W/"1"' }));
check(updated.meta.versionId === "2" && updated.gender === "female", "an update");
check((await refused(client.update(changed, withToken({ "if-match": 'W/"1"' })))) === 412, "a conflict");

const patchedNow = await client.patch(`Patient/${made.id}`, patched, withToken());
check(patchedNow.active === true && patchedNow.meta.versionId === "3", "a patch");

const answer = await client.fhirRequest("/", {
  method: "POST",
  body: JSON.stringify(transaction.bundle("urn:smart", "2")),
  ...withToken({ "content-type": "application/json" }),
});
const statuses = answer.entry.map((entry) => entry.response.status);
check(answer.type === "transaction-response" && statuses.every((status) => status.startsWith("201")), `${statuses}`);

const history = await client.fhirRequest(`Patient/${made.id}/_history`, withToken());
check(history.type === "history" && history.total === 3, "three versions");

for (const id of found) await client.delete(`Observation/${id}`, withToken());
await client.delete(`Patient/${made.id}`, withToken());
check((await refused(client.fhirRequest(`Patient/${made.id}`, withToken()))) === 410, "it is gone");
told();
