/**
 * A recorded command against what the code does now (protocol section 8.12). Equal means: of the same type, and equal in
 * every field but those that may differ from attempt to attempt.
 *
 * Payloads are named by length and first difference only: they end up in logs and may hold what must not.
 */
import { MessageType } from "../protocol/message-type.ts";
import type { Command } from "../protocol/messages.ts";

type FreeFields = Partial<Record<MessageType, ReadonlySet<string>>>;

/** Times are computed from the clock. A sleep is found again by its name alone. */
const FREE_FIELDS: FreeFields = {
  [MessageType.SleepCommand]: new Set(["wakeUpTimeMs", "resultCompletionId"]),
  [MessageType.OneWayCallCommand]: new Set(["invokeTimeMs"]),
};

/** What differs, in words; undefined when nothing does. */
export function findDifference(recorded: Command, attempted: Command): string | undefined {
  if (recorded.type !== attempted.type) return "the operation";
  const free = FREE_FIELDS[attempted.type];
  const now = fields(attempted);
  const then = fields(recorded);
  const differing: string[] = [];
  for (const name of new Set([...now.keys(), ...then.keys()])) {
    if (free?.has(name) === true) continue;
    const [before, after] = [then.get(name), now.get(name)];
    if (!equal(before, after)) differing.push(`${name}${inWords(before, after)}`);
  }
  return differing.length === 0 ? undefined : differing.join(", ");
}

const fields = (data: object): ReadonlyMap<string, unknown> => {
  const entries: readonly (readonly [string, unknown])[] = Object.entries(data);
  return new Map(entries);
};

/** Deep equality of plain data: what messages are made of. An absent field equals one that is undefined. */
function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && firstDifference(a, b) < 0;
  }
  const [left, right] = [fields(a), fields(b)];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (!equal(left.get(name), right.get(name))) return false;
  }
  return true;
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** The first byte that differs; -1 when none does. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) if (a[at] !== b[at]) return at;
  return a.length === b.length ? -1 : shorter;
}

function inWords(before: unknown, after: unknown): string {
  const [recorded, attempted] = [bytesOf(before), bytesOf(after)];
  if (recorded !== undefined && attempted !== undefined) {
    const at = firstDifference(recorded, attempted);
    return ` (${recorded.length} bytes recorded, ${attempted.length} now, different from byte ${at})`;
  }
  return isPlain(before) && isPlain(after) ? ` (${text(before)} recorded, ${text(after)} now)` : "";
}

/** The payload of a field that is or holds one. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return isObject(value) && "value" in value && value.value instanceof Uint8Array
    ? value.value
    : undefined;
}

const isPlain = (value: unknown): value is string | number | undefined =>
  value === undefined || typeof value === "string" || typeof value === "number";

const text = (value: string | number | undefined): string =>
  value === undefined ? "nothing" : JSON.stringify(value);
