/** JSON bodies of admin requests, read within a limit and taken apart with words for what is wrong. */
import { AdminError } from "./admin-error.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** The object in the body. The limit on its size has been applied before. */
export async function readFields(request: Request): Promise<Fields> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new AdminError(415, "send JSON, with the header content-type: application/json");
  }
  let json: unknown;
  try {
    json = JSON.parse(await request.text());
  } catch (error) {
    if (error instanceof SyntaxError) throw new AdminError(400, "the body is not JSON");
    throw error;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid("the body must be a JSON object");
  }
  return { ...json };
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
