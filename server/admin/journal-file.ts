/**
 * A journal as a file: what `holdfast journal export` asks for, page by page. It holds the payloads, and not the secrets among the
 * headers of its request. Pure.
 */
import { decodeMessage, encodeBody } from "../../sdk/protocol/codec.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import {
  type FixtureEntry,
  JOURNAL_FIXTURE_FORMAT,
  type JournalFixture,
} from "../../sdk/protocol/journal-fixture.ts";
import { MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import { rfc3339 } from "../base/rfc3339.ts";
import type { Entry } from "../journal/summary.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";

/** A page ends with the entry that makes it larger than this. */
const PAGE_BYTES = 16 * 1024 * 1024;

export interface JournalFilePage {
  readonly journal: JournalFixture;
  /** Where the next page begins; null on the last one. */
  readonly next: number | null;
}

/** All of it. */
export function wholeJournal(reader: Reader, invocation: Invocation): JournalFixture {
  const { seq, journal } = invocation;
  const entries = reader.entries(seq, 0, journal.length);
  return { ...head(reader, invocation), entries: entries.map((entry) => fileEntry(entry)) };
}

/** The entries from `from` on, at most `limit`. */
export function journalFile(
  reader: Reader,
  invocation: Invocation,
  from: number,
  limit: number,
): JournalFilePage {
  const { seq, journal } = invocation;
  const last = Math.min(journal.length, from + limit);
  const entries: FixtureEntry[] = [];
  let bytes = 0;
  let end = from;
  for (; end < last && bytes <= PAGE_BYTES; end += 1) {
    // One at a time: a page of entries could hold any number of bytes.
    for (const entry of reader.entries(seq, end, end + 1)) {
      bytes += entry.body.length;
      entries.push(fileEntry(entry));
    }
  }
  return {
    journal: { ...head(reader, invocation), entries },
    next: end < journal.length ? end : null,
  };
}

function head(
  reader: Reader,
  { id, target, state, pin }: Invocation,
): Omit<JournalFixture, "entries"> {
  const deployment = pin === null ? undefined : reader.registry().deployments.get(pin.deploymentId);
  return {
    format: JOURNAL_FIXTURE_FORMAT,
    invocation: invocationIdToString(id),
    service: target.service,
    handler: target.handler,
    key: target.key,
    status: state.status,
    protocolVersion: pin?.protocolVersion ?? null,
    sdk: deployment?.sdkVersion ?? null,
  };
}

function fileEntry({ type, atMs, body }: Entry): FixtureEntry {
  return {
    type,
    message: messageTypeName(type),
    at: rfc3339(atMs),
    body: Buffer.from(withoutSecrets(type, body)).toString("base64"),
  };
}

/** Headers of the request that a file in a repository must not hold. */
const SECRET_HEADERS: ReadonlySet<string> = new Set(["authorization", "cookie"]);

function withoutSecrets(type: number, body: Uint8Array): Uint8Array {
  const input = type === MessageType.InputCommand ? decodeMessage(type, body) : undefined;
  if (input?.type !== MessageType.InputCommand) return body;
  const headers = input.headers.map(({ key, value }) => ({
    key,
    value: SECRET_HEADERS.has(key) ? "removed" : value,
  }));
  return encodeBody({ ...input, headers });
}
