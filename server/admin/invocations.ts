/** Routes on single invocations: what they do, what they recorded, and letting them go on. */
import { invocationIdToString, parseInvocationId } from "../../sdk/protocol/ids.ts";
import type { Reader } from "../machine/tx.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError, emptyAnswer, jsonAnswer } from "./admin-error.ts";
import { askDoor } from "./ask-door.ts";
import { entryView } from "./entry-view.ts";
import { invocationView } from "./invocation-view.ts";
import type { Route } from "./routes.ts";
import type { View } from "./service-view.ts";

const PAGE_ENTRIES = 1000;

export function invocationRoutes(door: Door): Route[] {
  return [
    {
      method: "GET",
      path: "/invocations/:id",
      handle: async ({ parameters }) => {
        const id = idOf(parameters);
        const view = await door.readDurable((reader) => {
          const invocation = reader.findInvocation(id);
          return invocation === undefined ? null : invocationView(reader, invocation);
        });
        return jsonAnswer(200, found(view, id));
      },
    },
    {
      method: "GET",
      path: "/invocations/:id/journal",
      handle: async ({ parameters, query }) => {
        const id = idOf(parameters);
        const from = numberOf(query, "from", 0, Number.MAX_SAFE_INTEGER, 0);
        const limit = numberOf(query, "limit", 1, PAGE_ENTRIES, PAGE_ENTRIES);
        const view = await door.readDurable((reader) => journalView(reader, id, from, limit));
        return jsonAnswer(200, found(view, id));
      },
    },
    {
      method: "PATCH",
      path: "/invocations/:id/resume",
      handle: async ({ parameters, query }) => {
        const id = idOf(parameters);
        if (/^[^kK]/.test(query.get("deployment") ?? "")) {
          const message = "an invocation can be resumed on its own deployment only, for now";
          throw new AdminError(400, message);
        }
        return await resume(door, id);
      },
    },
  ];
}

function idOf({ id: text = "" }: Readonly<Record<string, string>>): Uint8Array {
  const id = parseInvocationId(text);
  if (id === undefined) throw new AdminError(400, `'${text}' is no invocation id`);
  return id;
}

function found<T>(view: T | null, id: Uint8Array): T {
  if (view === null) throw unknown(id);
  return view;
}

function unknown(id: Uint8Array): AdminError {
  const message = `the invocation ${invocationIdToString(id)} is not known; its retention may be over`;
  return new AdminError(404, message);
}

function numberOf(
  query: URLSearchParams,
  name: string,
  min: number,
  max: number,
  fallback: number,
): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new AdminError(400, `${name} must be a whole number from ${min} to ${max}`);
}

/** `next` is where the next page begins, null on the last one. */
function journalView(
  reader: Reader,
  id: Uint8Array,
  from: number,
  limit: number,
): { readonly entries: readonly View[]; readonly next: number | null } | null {
  const invocation = reader.findInvocation(id);
  if (invocation === undefined) return null;
  const { seq, journal } = invocation;
  const end = Math.min(journal.length, from + limit);
  const entries: View[] = [];
  for (let index = from; index < end; index += 1) {
    // One at a time: a page of entries could hold any number of bytes.
    entries.push(...reader.entries(seq, index, index + 1).map(entryView));
  }
  return { entries, next: end < journal.length ? end : null };
}

async function resume(door: Door, id: Uint8Array): Promise<Response> {
  const reply = await askDoor(door, (replyTo) => ({ type: "resume", id, replyTo }));
  if (reply.kind === "not-found") throw unknown(id);
  if (reply.kind !== "conflict") return emptyAnswer(200);
  // Too early is not wrong for ever: the reference tells the two apart, so do clients.
  const status = reply.status === "scheduled" ? 425 : 409;
  throw new AdminError(status, `the invocation is ${reply.status} and cannot be resumed`);
}
