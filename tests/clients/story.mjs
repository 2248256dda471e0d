// What the stories in JavaScript have in common.
import { readFileSync } from "node:fs";

/** Where the node is, its token, and where the packages are. */
export function described() {
  return JSON.parse(readFileSync(process.argv[2], "utf8"));
}

export function check(holds, what) {
  if (!holds) throw new Error(`it does not hold: ${what}`);
}

export function told() {
  console.log("the story ended well");
}

export function patient(system, value) {
  return { resourceType: "Patient", identifier: [{ system, value }], name: [{ family: "Quill", given: ["Ada"] }] };
}

export const patched = [{ op: "add", path: "/active", value: true }];

export const transaction = {
  observation(id, number) {
    return {
      resourceType: "Observation",
      status: "final",
      code: { coding: [{ system: "http://loinc.org", code: "8867-4" }] },
      subject: { reference: id.includes(":") ? id : `Patient/${id}` },
      effectiveDateTime: `2020-05-1${number}`,
      valueQuantity: { value: 60 + number, unit: "/min", system: "http://unitsofmeasure.org", code: "/min" },
    };
  },
  bundle(system, value) {
    const fullUrl = "urn:uuid:8f1f4d0e-6c6b-4e0c-9f0a-1a2b3c4d5e6f";
    const post = (url, resource, more) => ({ ...more, resource, request: { method: "POST", url } });
    return {
      resourceType: "Bundle",
      type: "transaction",
      entry: [
        post("Patient", patient(system, value), { fullUrl }),
        post("Observation", this.observation(fullUrl, 9)),
      ],
    };
  },
};
