/** The bytes with which an attempt begins: `Start`, then the journal so far, exactly as it is stored. */
import { encodeMessage } from "../../sdk/protocol/codec.ts";
import { FRAME_HEADER_BYTES } from "../../sdk/protocol/frame.ts";
import { MESSAGE_BYTES_MAX_DEFAULT } from "../../sdk/protocol/limits.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { randomSeed } from "../../sdk/protocol/random-seed.ts";
import type { StateEntry } from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import { instanceOf, type Invocation, isExclusive } from "../machine/invocation.ts";
import type { ResolvedHandler } from "../machine/registry.ts";
import type { Reader, StateSnapshot } from "../machine/tx.ts";

/** What `Start` tells of an entry of state besides its bytes, at most: three tags and lengths. */
const STATE_ENTRY_OVERHEAD_BYTES = 18;
/** `Start` has to stay a message that every peer takes, with room for its other fields. */
const STATE_BYTES_MAX = MESSAGE_BYTES_MAX_DEFAULT - 1024 * 1024;

/** From here on `Start` names the idempotency key. */
const IDEMPOTENCY_KEY_VERSION = 7;

export interface OpeningFacts {
  /** The id as text. */
  readonly debugId: string;
  readonly version: number;
  readonly nowMs: number;
  readonly state: StateSnapshot;
}

export interface EagerStateLimits {
  /** Of names and values together. */
  readonly bytesMax: number;
  /** Everything that was committed is durable now. */
  readonly isDurable: boolean;
}

/** No state, and there may be some: whoever needs it asks. */
const UNKNOWN_STATE: StateSnapshot = { entries: [], isComplete: false };

/**
 * The state that a handler is told without asking. Plain services have none; an SDK asks for what it is not told.
 *
 * An exclusive handler's state was durable when its start was. A shared one may be about to see what another handler wrote a moment
 * ago: while that could still be lost it has to ask, since answers wait for their barrier.
 */
export function eagerState(
  reader: Reader,
  invocation: Invocation,
  { service, handler }: ResolvedHandler,
  { bytesMax, isDurable }: EagerStateLimits,
): StateSnapshot {
  const { kind } = invocation;
  const instance = instanceOf(invocation);
  const isLazy = handler.enableLazyState ?? service.enableLazyState ?? false;
  if (kind === "plain" || instance === null || isLazy) return UNKNOWN_STATE;
  if (!isExclusive(kind) && !isDurable) return UNKNOWN_STATE;
  const { entries, isComplete } = reader.state(instance, bytesMax);
  const fitting = countFitting(entries);
  return fitting === entries.length
    ? { entries, isComplete }
    : { entries: entries.slice(0, fitting), isComplete: false };
}

function countFitting(entries: readonly StateEntry[]): number {
  let bytes = 0;
  let count = 0;
  for (const { key, value } of entries) {
    bytes += key.length + value.length + STATE_ENTRY_OVERHEAD_BYTES;
    if (bytes > STATE_BYTES_MAX) break;
    count += 1;
  }
  return count;
}

/** One buffer, so that it costs one write whatever the length of the journal. */
export function openingBytes(
  invocation: Invocation,
  facts: OpeningFacts,
  entries: readonly Entry[],
): Uint8Array {
  const start = startBytes(invocation, facts, entries.length);
  let bytesTotal = start.length;
  for (const entry of entries) bytesTotal += FRAME_HEADER_BYTES + entry.body.length;
  // From the pool: a small buffer of its own costs more than all the rest.
  const bytes = Buffer.allocUnsafe(bytesTotal);
  bytes.set(start);
  let at = start.length;
  for (const { type, body } of entries) {
    bytes.writeUInt16BE(type, at);
    bytes.writeUInt16BE(0, at + 2);
    bytes.writeUInt32BE(body.length, at + 4);
    bytes.set(body, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + body.length;
  }
  return bytes;
}

function startBytes(
  { id, target, idempotencyKey, modifiedAtMs, retryCountSinceLastStoredEntry }: Invocation,
  { debugId, version, nowMs, state }: OpeningFacts,
  knownEntries: number,
): Uint8Array {
  const namesIdempotencyKey = version >= IDEMPOTENCY_KEY_VERSION && idempotencyKey !== null;
  return encodeMessage({
    type: MessageType.Start,
    id,
    debugId,
    knownEntries,
    state: state.entries,
    partialState: !state.isComplete,
    key: target.key ?? "",
    retryCountSinceLastStoredEntry,
    durationSinceLastStoredEntryMs: Math.max(0, nowMs - modifiedAtMs),
    randomSeed: randomSeed(id),
    ...(namesIdempotencyKey ? { idempotencyKey } : {}),
  });
}
