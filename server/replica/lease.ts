/**
 * The lease of a writer: an object that it writes again and again while it lives, for standbys. A hint that says when to take over,
 * never a right: that is the claim's (R2).
 */
import { toHex } from "./names.ts";
import type { WriterIdentity } from "./attachment.ts";

const FORMAT = 1;
/** Longer than any name of a machine that a segment holds. */
const HOST_LENGTH_MAX = 256;
/** What a timer can wait for. */
const LEASE_MS_MAX = 2 ** 31 - 1;

export interface Lease {
  readonly epoch: number;
  /** Of the data directory: 32 hexadecimal digits. */
  readonly writer: string;
  /** The machine, for people. */
  readonly host: string;
  /** After so long without another beat the writer is taken for dead. */
  readonly leaseMs: number;
  /** Another number each time it is written. */
  readonly beat: number;
  /** The newest segment that was accepted. */
  readonly segment: number;
  /** The writer has stopped, and all it had is in the bucket. */
  readonly ended: boolean;
}

export function leaseOf(
  { epoch, writerId, host }: Omit<WriterIdentity, "replicaId">,
  state: Omit<Lease, "epoch" | "writer" | "host">,
): Lease {
  return { epoch, writer: toHex(writerId), host, ...state };
}

export function encodeLease(lease: Lease): Uint8Array {
  const { leaseMs, ...rest } = lease;
  return Buffer.from(`${JSON.stringify({ format: FORMAT, ...rest, lease_ms: leaseMs })}\n`);
}

/** Null where it is none, or that of another writer: then nothing is known. */
export function decodeLease(
  stored: Uint8Array,
  { epoch, writerId }: Pick<WriterIdentity, "epoch" | "writerId">,
): Lease | null {
  const lease = parse(Buffer.from(stored).toString("utf8"));
  return lease?.epoch === epoch && lease.writer === toHex(writerId) ? lease : null;
}

function parse(text: string): Lease | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const { format, writer, host, ended } = fields;
  const [epoch, beat, segment] = [fields["epoch"], fields["beat"], fields["segment"]];
  const leaseMs = fields["lease_ms"];
  if (format !== FORMAT || typeof ended !== "boolean") return null;
  if (typeof writer !== "string" || typeof host !== "string") return null;
  if (host.length > HOST_LENGTH_MAX) return null;
  if (!isCount(epoch) || !isCount(beat) || !isCount(segment) || !isCount(leaseMs)) return null;
  if (leaseMs < 1 || leaseMs > LEASE_MS_MAX) return null;
  return { epoch, writer, host, leaseMs, beat, segment, ended };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
