/** The bytes with which an attempt begins: `Start`, then the journal so far, exactly as it is stored. */
import { encodeMessage } from "../../sdk/protocol/codec.ts";
import { FRAME_HEADER_BYTES } from "../../sdk/protocol/frame.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { randomSeed } from "../../sdk/protocol/random-seed.ts";
import type { Entry } from "../journal/summary.ts";

export interface OpeningFacts {
  /** 24 bytes. */
  readonly id: Uint8Array;
  /** The same as text. */
  readonly debugId: string;
  readonly retryCountSinceLastStoredEntry: number;
  readonly durationSinceLastStoredEntryMs: number;
}

/** One buffer, so that it costs one write whatever the length of the journal. */
export function openingBytes(facts: OpeningFacts, entries: readonly Entry[]): Uint8Array {
  const start = encodeMessage({
    type: MessageType.Start,
    ...facts,
    knownEntries: entries.length,
    state: [],
    // Services have no state; an SDK asks for what it is told it does not have.
    partialState: true,
    key: "",
    randomSeed: randomSeed(facts.id),
  });
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
