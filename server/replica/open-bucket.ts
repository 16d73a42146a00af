/** Where a replica lies, as an address, and the bucket behind it. */
import { fileURLToPath } from "node:url";
import type { Bucket } from "./bucket.ts";
import { FileBucket } from "./file-bucket.ts";

export type BucketLocation =
  | { readonly kind: "s3"; readonly bucket: string; /** "" or `…/` */ readonly prefix: string }
  | { readonly kind: "directory"; readonly directory: string };

/** What S3 needs beside the address. Null: as the AWS SDK finds it. */
export interface BucketAccess {
  readonly endpoint: string | null;
  readonly region: string | null;
  readonly pathStyle: boolean;
}

/** `s3://name/prefix` or `file:///directory`. Throws with what is expected. */
export function parseBucketUrl(text: string): BucketLocation {
  const s3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text);
  if (s3 !== null) {
    const prefix = (s3[2] ?? "").replace(/\/+$/, "");
    if (!/^[\w!.*'()/-]*$/.test(prefix))
      throw new Error("the prefix may hold letters, digits and -_./ only");
    return { kind: "s3", bucket: s3[1] ?? "", prefix: prefix === "" ? "" : `${prefix}/` };
  }
  if (text.startsWith("file:///")) return { kind: "directory", directory: fileURLToPath(text) };
  throw new Error("expected s3://name/prefix or file:///directory");
}

/** Nothing is asked of it yet. */
export async function openBucket(location: BucketLocation, access: BucketAccess): Promise<Bucket> {
  if (location.kind === "directory") return new FileBucket(location.directory);
  const { openS3Bucket } = await import("./s3-bucket.ts");
  return await openS3Bucket({ ...location, ...access });
}
