/**
 * Public ids, as bytes: minted from time and chance, or derived from an identity or a parent. Their text form is in
 * `sdk/protocol/ids.ts`.
 *
 * An invocation id is 24 bytes: a partition key (8) and a uuid (16). Minted and child uuids begin with the time, so that an
 * index over them grows at its end.
 */
import { hash, randomFillSync } from "node:crypto";

const PARTITION_KEY_BYTES = 8;
const UUID_BYTES = 16;
const TIME_BYTES = 6;
export const INVOCATION_ID_BYTES = PARTITION_KEY_BYTES + UUID_BYTES;

/** Gives so many random bytes; they stay as they are. */
export type Random = (bytes: number) => Uint8Array;

/** `key` is that of an object or workflow: all invocations of one key lie in its partition. */
export function mintInvocationId(nowMs: number, random: Random, key: string | null): Uint8Array {
  const id = new Uint8Array(INVOCATION_ID_BYTES);
  const chance = random(INVOCATION_ID_BYTES - TIME_BYTES);
  id.set(key === null ? chance.subarray(0, PARTITION_KEY_BYTES) : partitionKey([key]), 0);
  writeTimeMs(id, PARTITION_KEY_BYTES, nowMs);
  id.set(chance.subarray(PARTITION_KEY_BYTES), PARTITION_KEY_BYTES + TIME_BYTES);
  return id;
}

/** An id moved to the partition of a key. */
export function invocationIdOfKey(id: Uint8Array, key: string): Uint8Array {
  const moved = Uint8Array.from(id);
  moved.set(partitionKey([key]), 0);
  return moved;
}

/** Who a call with an idempotency key is for; the same identity is the same invocation. */
export interface IdempotentIdentity {
  readonly service: string;
  /** The object or workflow key; null for plain services. */
  readonly key: string | null;
  readonly handler: string;
  readonly idempotencyKey: string;
}

/**
 * The uuid follows service protocol 9.3. Its text joins free strings with commas, which the partition key makes up for: it
 * differs wherever key or idempotency key differ in a way that the joined text would hide.
 */
export function idempotentInvocationId(identity: IdempotentIdentity): Uint8Array {
  const { service, key, handler, idempotencyKey } = identity;
  const path = key === null ? handler : `${key},${handler}`;
  const partition = key === null ? [service, idempotencyKey] : [key];
  return hashedId(partition, `ik,${service},${path},${idempotencyKey}`);
}

/** The id of a workflow's run: one per key (service protocol 9.3). */
export function workflowInvocationId(service: string, key: string): Uint8Array {
  return hashedId([key], `wf,${service},${key}`);
}

function hashedId(partition: readonly string[], identity: string): Uint8Array {
  const id = new Uint8Array(INVOCATION_ID_BYTES);
  id.set(partitionKey(partition), 0);
  id.set(sha256(identity).subarray(0, UUID_BYTES), PARTITION_KEY_BYTES);
  return id;
}

/** The id of what an invocation calls with its command number `commandIndex`: same in, same out. */
export function childInvocationId(
  parentId: Uint8Array,
  commandIndex: number,
  nowMs: number,
  key: string | null,
): Uint8Array {
  const seed = new Uint8Array(INVOCATION_ID_BYTES + 4);
  seed.set(parentId.subarray(0, INVOCATION_ID_BYTES), 0);
  new DataView(seed.buffer).setUint32(INVOCATION_ID_BYTES, commandIndex);
  const digest = sha256(seed);
  return mintInvocationId(nowMs, (bytes) => digest.subarray(0, bytes), key);
}

/** 16 bytes, the time first. */
export function mintDeploymentId(nowMs: number, random: Random): Uint8Array {
  const id = new Uint8Array(UUID_BYTES);
  writeTimeMs(id, 0, nowMs);
  id.set(random(UUID_BYTES - TIME_BYTES), TIME_BYTES);
  return id;
}

/** Randomness of the operating system, fetched in larger pieces: a call for each id would cost more than the id. */
export function pooledRandom(poolBytes = 4096): Random {
  let pool = new Uint8Array(0);
  let used = 0;
  return (bytes) => {
    if (used + bytes > pool.length) {
      // A new pool, never a refilled one: callers keep views of the old.
      pool = randomFillSync(new Uint8Array(Math.max(poolBytes, bytes)));
      used = 0;
    }
    used += bytes;
    return pool.subarray(used - bytes, used);
  };
}

function writeTimeMs(bytes: Uint8Array, offset: number, nowMs: number): void {
  let rest = nowMs;
  for (let at = offset + TIME_BYTES - 1; at >= offset; at -= 1) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function partitionKey(parts: readonly string[]): Uint8Array {
  return sha256(lengthPrefixed(parts)).subarray(0, PARTITION_KEY_BYTES);
}

function lengthPrefixed(parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join("");
}

function sha256(data: string | Uint8Array): Uint8Array {
  return hash("sha256", data, "buffer");
}
