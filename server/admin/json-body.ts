/** JSON bodies of admin requests: read within a limit, taken apart with words for what is wrong. */
import { AdminError } from "./admin-error.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Registrations are the largest requests, and they are small. */
const BODY_BYTES_MAX = 1024 * 1024;

/** The object in the body. */
export async function readFields(request: Request): Promise<Fields> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new AdminError(415, "send JSON, with the header content-type: application/json");
  }
  const json = parse(await readText(request));
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid("the body must be a JSON object");
  }
  return { ...json };
}

async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX) throw tooLarge();
  const body: AsyncIterable<Uint8Array> | null = request.body;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AdminError(400, "the body is not JSON");
  }
}

function tooLarge(): AdminError {
  return new AdminError(413, `the body is larger than ${BODY_BYTES_MAX} bytes`);
}

export function invalid(message: string): AdminError {
  return new AdminError(422, message);
}

/** Null stands for a field that is left out: clients send it so. */
export function requireKnown(fields: Fields, known: ReadonlySet<string>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && !known.has(name)) throw invalid(`there is no field '${name}'`);
  }
}

export function booleanField(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw invalid(`${name} must be true or false`);
  return value;
}

export function stringsField(fields: Fields, name: string): Record<string, string> {
  const value = fields[name] ?? {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`${name} must be an object of strings`);
  }
  const strings: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw invalid(`${name}.${key} must be a string`);
    strings[key] = text;
  }
  return strings;
}
