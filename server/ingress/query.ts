/** Parameters in the query of a request; pure. */
import { decode } from "./path.ts";

/** Null when it is not there, "repeated" when it is there more than once. Its name may be written in any case. */
export type Parameter = { readonly value: string } | "repeated" | null;

export function parameter(query: string, name: string): Parameter {
  if (query === "") return null;
  let found: string | null = null;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const field = equals < 0 ? pair : pair.slice(0, equals);
    if (decodeForm(field)?.toLowerCase() !== name) continue;
    if (found !== null) return "repeated";
    found = equals < 0 ? "" : pair.slice(equals + 1);
  }
  return found === null ? null : { value: decodeForm(found) ?? "" };
}

function decodeForm(text: string): string | undefined {
  return decode(text.includes("+") ? text.replaceAll("+", " ") : text);
}
