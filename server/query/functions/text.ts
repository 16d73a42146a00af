/** Functions over text and lists. A list is the JSON text of an array. */
import { SqlError } from "../sql/tokens.ts";
import { parseJson } from "./parse-json.ts";
import type { SqlArgument } from "./sql-argument.ts";

/** `value ILIKE pattern`; SQLite hands the pattern over first. */
export function ilike(
  pattern: SqlArgument,
  value: SqlArgument,
  escape?: SqlArgument,
): number | null {
  if (pattern === null || value === null) return null;
  const source = likeSource(String(pattern), typeof escape === "string" ? escape : "");
  return Number(regularExpression(`(?i)${source}`).test(String(value)));
}

function likeSource(pattern: string, escape: string): string {
  let source = "^";
  let isEscaped = false;
  for (const char of pattern) {
    if (!isEscaped && char === escape) {
      isEscaped = true;
      continue;
    }
    if (!isEscaped && char === "%") source += "[^]*";
    else if (!isEscaped && char === "_") source += "[^]";
    else source += char.replace(/[\\^$.*+?()[\]{}|]/, "\\$&");
    isEscaped = false;
  }
  return `${source}$`;
}

/** `value REGEXP pattern`, and `regexp_like(value, pattern)` the other way round. */
export function regexp(pattern: SqlArgument, value: SqlArgument): number | null {
  if (pattern === null || value === null) return null;
  return Number(regularExpression(String(pattern)).test(String(value)));
}

/** A query has few patterns, and each of them for every row. */
const compiled = new Map<string, RegExp>();
const COMPILED_MAX = 16;

function regularExpression(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const isInsensitive = pattern.startsWith("(?i)");
  const source = isInsensitive ? pattern.slice(4) : pattern;
  try {
    const expression = new RegExp(source, isInsensitive ? "iu" : "u");
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(pattern, expression);
    return expression;
  } catch {
    throw new SqlError(`${JSON.stringify(pattern)} is not a regular expression`);
  }
}

export function arrayHas(list: SqlArgument, value: SqlArgument): number | null {
  if (typeof list !== "string" || value === null) return null;
  return Number(parseJson<unknown[]>(list).includes(value));
}

export function startsWith(text: SqlArgument, start: SqlArgument): number | null {
  if (text === null || start === null) return null;
  return Number(String(text).startsWith(String(start)));
}

export function endsWith(text: SqlArgument, end: SqlArgument): number | null {
  if (text === null || end === null) return null;
  return Number(String(text).endsWith(String(end)));
}

/** Parts are counted from 1; a part that does not exist is empty. */
export function splitPart(
  text: SqlArgument,
  separator: SqlArgument,
  part: SqlArgument,
): string | null {
  if (text === null || separator === null || part === null) return null;
  return (
    String(text)
      .split(String(separator))
      .at(Number(part) - 1) ?? ""
  );
}

export function left(text: SqlArgument, count: SqlArgument): string | null {
  return text === null || count === null
    ? null
    : Array.from(String(text)).slice(0, Number(count)).join("");
}

export function right(text: SqlArgument, count: SqlArgument): string | null {
  if (text === null || count === null) return null;
  const chars = Array.from(String(text));
  return chars.slice(Math.max(0, chars.length - Number(count))).join("");
}

export function toBoolean(value: SqlArgument): number | null {
  if (value === null) return null;
  if (typeof value === "number") return Number(value !== 0);
  if (/^(?:t|true|yes|1)$/i.test(String(value))) return 1;
  if (/^(?:f|false|no|0)$/i.test(String(value))) return 0;
  throw new SqlError(`${JSON.stringify(value)} is not a boolean`);
}
