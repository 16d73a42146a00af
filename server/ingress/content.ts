/** What a handler accepts and how its answer is labelled (service protocol 2.5, HTTP API 1.7); pure. */
import type { ManifestInput, ManifestOutput } from "../../sdk/protocol/manifest.ts";
import type { Problem } from "../http/problem.ts";

const JSON_TYPE = "application/json";

/** Why a body of this length under this content type may not go to the handler; null when it may. */
export function contentProblem(
  input: ManifestInput | undefined,
  contentType: string | undefined,
  bodyBytes: number,
): Problem | null {
  const type = contentType === "" ? undefined : contentType;
  const range = acceptedRange(input);
  if (range === null) return bodyBytes === 0 && type === undefined ? null : NO_INPUT;
  if (type === undefined) {
    const mayBeLeftOut = bodyBytes === 0 && input?.required !== true;
    return mayBeLeftOut
      ? null
      : bad("content-type-missing", `a content-type of ${range} is needed`);
  }
  if (!matches(range, type)) {
    return bad("content-type-mismatch", `the handler takes ${range}, not this content-type`);
  }
  if (input?.jsonSchema !== undefined && bodyBytes === 0) {
    return bad("body-required", "the handler declares a JSON schema, so the body may not be empty");
  }
  return null;
}

/** Null when the handler takes no input at all. */
function acceptedRange(input: ManifestInput | undefined): string | null {
  if (input === undefined) return "*/*";
  if (input.contentType !== undefined) return input.contentType;
  if (input.jsonSchema !== undefined) return JSON_TYPE;
  return input.required === true ? "*/*" : null;
}

/** Compares type and subtype; parameters such as `charset` do not count. */
function matches(range: string, contentType: string): boolean {
  if (range === contentType || range === "*/*") return true;
  const [rangeType, rangeSubtype] = mediaType(range);
  const [type, subtype] = mediaType(contentType);
  if (subtype === undefined || rangeType !== type) return false;
  return rangeSubtype === "*" || rangeSubtype === subtype;
}

function mediaType(text: string): readonly [string | undefined, string | undefined] {
  const [essence = ""] = text.split(";", 1);
  const [type, subtype] = essence.trim().toLowerCase().split("/", 2);
  return [type, subtype === "" ? undefined : subtype];
}

/** The content type of an answer of this length; undefined for none. */
export function outputContentType(
  output: ManifestOutput | undefined,
  bodyBytes: number,
): string | undefined {
  if (output === undefined) return bodyBytes > 0 ? JSON_TYPE : undefined;
  return bodyBytes > 0 || output.setContentTypeIfEmpty === true ? output.contentType : undefined;
}

const NO_INPUT = bad(
  "body-not-allowed",
  "the handler takes no input: send no body, no content-type",
);

function bad(reason: string, message: string): Problem {
  return { status: 400, reason, message };
}
