/** Routes that show single invocations: what they do, what they recorded, what they wait for. */
import { invocationIdToString, parseInvocationId } from "../../sdk/protocol/ids.ts";
import type { Clock } from "../base/clock.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { Door } from "../processor/ports.ts";
import { AdminError, jsonAnswer } from "./admin-error.ts";
import { entryView } from "./entry-view.ts";
import { eventView } from "./event-view.ts";
import { invocationView } from "./invocation-view.ts";
import { journalFile } from "./journal-file.ts";
import { type Route, type RouteRequest, wholeNumber } from "./routes.ts";
import type { View } from "./view.ts";
import { type AdminAttempts, whyView } from "./why.ts";

const PAGE_ENTRIES = 1000;
/** A page ends with the entry that makes it larger than this: all of it is read at once. */
const PAGE_BYTES = 64 * 1024 * 1024;

export interface InvocationRoutesOptions {
  readonly door: Door;
  readonly live: AdminAttempts;
  readonly clock: Clock;
}

export function invocationRoutes({ door, live, clock }: InvocationRoutesOptions): Route[] {
  const show = async (
    { parameters }: RouteRequest,
    view: (reader: Reader, invocation: Invocation) => View,
  ): Promise<Response> => {
    const id = idOf(parameters);
    const shown = await door.readDurable((reader) => {
      const invocation = reader.findInvocation(id);
      if (invocation === undefined || isOver(invocation, clock.nowMs())) return null;
      return view(reader, invocation);
    });
    if (shown === null) throw unknownInvocation(id);
    return jsonAnswer(200, shown);
  };
  return [
    {
      method: "GET",
      path: "/invocations/:id",
      handle: (request) =>
        show(request, (reader, invocation) => invocationView(reader, live, invocation)),
    },
    {
      method: "GET",
      path: "/invocations/:id/why",
      handle: (request) =>
        show(request, (reader, invocation) => whyView({ reader, live }, invocation)),
    },
    {
      method: "GET",
      path: "/invocations/:id/journal",
      handle: (request) => {
        const { from, limit } = pageOf(request);
        return show(request, (reader, invocation) => journalView(reader, invocation, from, limit));
      },
    },
    {
      method: "GET",
      path: "/invocations/:id/journal/file",
      handle: (request) => {
        const { from, limit } = pageOf(request);
        return show(request, (reader, invocation) => {
          if (invocation.isJournalPurged) throw purged(invocation);
          return { ...journalFile(reader, invocation, from, limit) };
        });
      },
    },
  ];
}

function pageOf({ query }: RouteRequest): { readonly from: number; readonly limit: number } {
  const from = wholeNumber(query, "from", { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 0 });
  const limits = { min: 1, max: PAGE_ENTRIES, fallback: PAGE_ENTRIES };
  return { from, limit: wholeNumber(query, "limit", limits) };
}

function purged({ id }: Invocation): AdminError {
  const message = `the journal of the invocation ${invocationIdToString(id)} was purged: of it only the result is left`;
  return new AdminError(410, message);
}

export function idOf({ id: text = "" }: RouteRequest["parameters"]): Uint8Array {
  const id = parseInvocationId(text);
  if (id === undefined) throw new AdminError(400, `'${text}' is no invocation id`);
  return id;
}

export function unknownInvocation(id: Uint8Array): AdminError {
  const message = `the invocation ${invocationIdToString(id)} is not known; its retention may be over`;
  return new AdminError(404, message);
}

/** Its retention is over: it is gone, however long its rows wait for the next cleanup. */
function isOver({ state, completionRetentionMs }: Invocation, nowMs: number): boolean {
  return state.status === "completed" && nowMs >= state.completedAtMs + completionRetentionMs;
}

/** `next` is where the next page begins, null on the last one. Events stand with the entry they came after. */
function journalView(
  reader: Reader,
  { id, seq, journal }: Invocation,
  from: number,
  limit: number,
): View {
  const last = Math.min(journal.length, from + limit);
  const entries: View[] = [];
  let bytes = 0;
  let end = from;
  for (; end < last && bytes <= PAGE_BYTES; end += 1) {
    // One at a time: a page of entries could hold any number of bytes.
    for (const entry of reader.entries(seq, end, end + 1)) {
      bytes += entry.body.length;
      entries.push(entryView(entry));
    }
  }
  const events = reader
    .events(seq)
    .filter(({ afterIndex }) => afterIndex < end && (afterIndex >= from || from === 0));
  return {
    entries,
    events: events.map((event) => eventView(id, event)),
    next: end < journal.length ? end : null,
  };
}
