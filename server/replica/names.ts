/** The keys of a replica's objects: `docs/spec/replica.md` section 1. Keys sort as their numbers do. */
import { assert } from "../base/assert.ts";
import type { BlobRef } from "./segment.ts";

export const SEGMENTS = "segments/";
export const SNAPSHOTS = "snapshots/";
export const BLOBS = "blobs/";
const LEASES = "leases/";

const SEQ_DIGITS = 16;
const EPOCH_DIGITS = 8;

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
export const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

export function segmentKey(seq: number): string {
  return SEGMENTS + digits(seq, SEQ_DIGITS);
}

/** Null when it is not the key of a segment. */
export function seqOfKey(key: string): number | null {
  const match = /^segments\/([0-9a-f]{16})$/.exec(key);
  return match === null ? null : numberOf(match[1]);
}

export function snapshotKey(seq: number, epoch: number): string {
  return `${SNAPSHOTS}${digits(seq, SEQ_DIGITS)}-${digits(epoch, EPOCH_DIGITS)}`;
}

/** Null when it is not the key of a snapshot. */
export function parseSnapshotKey(
  key: string,
): { readonly seq: number; readonly epoch: number } | null {
  const match = /^snapshots\/([0-9a-f]{16})-([0-9a-f]{8})$/.exec(key);
  const seq = numberOf(match?.[1]);
  const epoch = numberOf(match?.[2]);
  return seq === null || epoch === null ? null : { seq, epoch };
}

export function leaseKey(epoch: number): string {
  return LEASES + digits(epoch, EPOCH_DIGITS);
}

export function blobKey({ hash, id }: Pick<BlobRef, "hash" | "id">): string {
  return `${BLOBS}${toHex(hash)}-${toHex(id)}`;
}

/** Null when it is not the key of a blob. */
export function parseBlobKey(key: string): Pick<BlobRef, "hash" | "id"> | null {
  const match = /^blobs\/([0-9a-f]{64})-([0-9a-f]{16})$/.exec(key);
  if (match === null) return null;
  return { hash: fromHex(match[1] ?? ""), id: fromHex(match[2] ?? "") };
}

function digits(value: number, count: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, "keys are made of counting numbers");
  const text = value.toString(16).padStart(count, "0");
  assert(text.length === count, "a number fits into its key");
  return text;
}

/** Null for a number that cannot be counted with, or from which nothing counts. */
function numberOf(hex: string | undefined): number | null {
  const value = hex === undefined ? Number.NaN : Number.parseInt(hex, 16);
  return Number.isSafeInteger(value) && value >= 1 ? value : null;
}
