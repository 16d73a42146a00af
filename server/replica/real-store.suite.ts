/** The real store that `npm run test:s3` names; null in `npm test`, which has none. */
import { randomBytes } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { type BucketLocation, parseBucketUrl } from "./open-bucket.ts";

export interface RealStore {
  readonly endpoint: string | null;
  /** `s3://name/prefix/…`, another each time. */
  readonly url: () => string;
}

export function realStore(): RealStore | null {
  const url = process.env["HOLDFAST_TEST_S3"];
  if (url === undefined || url === "") return null;
  const endpoint = process.env["HOLDFAST_TEST_S3_ENDPOINT"] ?? null;
  return { endpoint, url: () => `${url}/${randomBytes(6).toString("hex")}` };
}

/** Where the store is one of tests, its bucket is made; another one is there. */
export async function makeBucket({ endpoint, url }: RealStore): Promise<void> {
  const location: BucketLocation = parseBucketUrl(url());
  if (location.kind !== "s3" || endpoint === null) return;
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
  try {
    await client.send(new CreateBucketCommand({ Bucket: location.bucket }));
  } catch (error) {
    // Whoever may not make buckets has made one.
    const isThere = /^(?:BucketAlready|AccessDenied)/;
    if (!(error instanceof Error) || !isThere.test(error.name)) throw error;
  } finally {
    client.destroy();
  }
}
