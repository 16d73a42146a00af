/** Whether the store honours the conditional writes that the replica is built on. */
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";

/** `id`: of this probe, another each time; lower-case hexadecimal. Throws `BucketError`, of kind "unsupported" when it does not. */
export async function probe(bucket: Bucket, id: string): Promise<void> {
  const key = `probe/${id}`;
  const bytes = new TextEncoder().encode(id);
  await bucket.putNew(key, bytes);
  const second = await bucket.putNew(key, bytes);
  await bucket.delete([key]);
  if (second === "exists") return;
  throw new BucketError(
    "unsupported",
    `${bucket.url} ignores conditional writes (PUT with If-None-Match: *), so two servers could both write the replica: ` +
      "use a store that honours them, such as AWS S3, Cloudflare R2, MinIO or Ceph RGW",
  );
}
