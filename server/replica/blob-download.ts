/** Brings large payloads out of the bucket into a data directory, each proved by its hash. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Bucket } from "./bucket.ts";
import { DamageError } from "./damage-error.ts";
import type { Meter } from "./meter.ts";
import { blobKey, toHex } from "./names.ts";
import type { BlobRef } from "./segment.ts";

/** Payloads in memory at a time: one has up to 32 MiB. */
const UNDER_WAY_MAX = 4;

/** Into `folder`, named as the store names them; what is there already is left. Durable but for the folders. */
export async function downloadBlobs(
  bucket: Bucket,
  refs: readonly BlobRef[],
  folder: string,
  meter: Meter,
): Promise<void> {
  const left = refs.filter(({ hash }) => !fs.existsSync(fileOf(folder, hash)));
  for (const { size } of left) meter.expect(size);
  await inLanes(left, async (ref) => {
    const bytes = await readBlob(bucket, ref);
    meter.read(bytes.length, "payloads");
    const file = fileOf(folder, ref.hash);
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const fd = fs.openSync(file, "w", 0o600);
    try {
      fs.writeFileSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** Throws `DamageError` where it is missing or another one. */
export async function readBlob(bucket: Bucket, ref: BlobRef): Promise<Uint8Array> {
  const key = blobKey(ref);
  const bytes = await bucket.get(key);
  if (bytes === null) throw new DamageError(`${key}: the payload is missing`);
  if (createHash("sha256").update(bytes).digest("hex") !== toHex(ref.hash))
    throw new DamageError(`${key}: the payload is not the one that was stored`);
  return bytes;
}

/** A few at a time. */
export async function inLanes<T>(
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.toReversed();
  const lane = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await run(item);
  };
  await Promise.all(Array.from({ length: UNDER_WAY_MAX }, lane));
}

function fileOf(folder: string, hash: Uint8Array): string {
  const name = toHex(hash);
  return path.join(folder, name.slice(0, 2), name);
}
