/** Whether the store honours the conditional writes that the replica is built on. */
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";

/** A store that fails at nothing but conditional writes, so often, does not have them. */
const ATTEMPTS_MAX = 5;

/** `id`: of this probe, another each time; lower-case hexadecimal. Throws `BucketError`, of kind "unsupported" when it does not. */
export async function probe(bucket: Bucket, id: string): Promise<void> {
  const key = `probe/${id}`;
  const second = await storeTwice(bucket, key, new TextEncoder().encode(id));
  await bucket.delete([key]);
  if (second === "exists") return;
  throw new BucketError(
    "unsupported",
    `${bucket.url} ignores conditional writes (PUT with If-None-Match: *), so two servers could both write the replica: ` +
      "use a store that honours them, such as AWS S3, Cloudflare R2, MinIO or Ceph RGW",
  );
}

/** The first write is one that the bucket may try again, so it is also what waits until the store answers. */
async function storeTwice(
  bucket: Bucket,
  key: string,
  bytes: Uint8Array,
): Promise<"created" | "exists"> {
  for (let attempt = 1; ; attempt += 1) {
    await bucket.put(key, bytes);
    try {
      return await bucket.putNew(key, bytes);
    } catch (error) {
      const passes = error instanceof BucketError && error.isTransient;
      if (!passes || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}
