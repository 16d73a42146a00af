/** JSON bodies of admin requests: read within a limit, taken apart with words for what is wrong. */
import { parseDurationMs } from "../base/duration.ts";
import { AdminError } from "./admin-error.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Enough for everything but the state of an object. */
const BODY_BYTES_MAX = 1024 * 1024;

/** The object in the body. */
export async function readFields(request: Request, bytesMax = BODY_BYTES_MAX): Promise<Fields> {
  return objectOf(await readJson(request, bytesMax), "the body");
}

async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new AdminError(415, "send JSON, with the header content-type: application/json");
  }
  return parse(await readText(request, bytesMax));
}

export function objectOf(json: unknown, name: string): Fields {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid(`${name} must be a JSON object`);
  }
  return { ...json };
}

async function readText(request: Request, bytesMax: number): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const body: AsyncIterable<Uint8Array> | null = request.body;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
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

function tooLarge(bytesMax: number): AdminError {
  return new AdminError(413, `the body is larger than ${bytesMax} bytes`);
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

export function booleanField(fields: Fields, name: string, fallback = false): boolean {
  const value = fields[name] ?? fallback;
  if (typeof value !== "boolean") throw invalid(`${name} must be true or false`);
  return value;
}

export function stringField(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw invalid(`${name} must be a string`);
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

/** A duration as text, in whole milliseconds. */
export function durationMs(value: unknown, name: string): number {
  const ms = typeof value === "string" ? parseDurationMs(value) : undefined;
  if (ms === undefined) throw invalid(`${name} must be a duration, such as "1m 30s" or "PT90S"`);
  return ms;
}
