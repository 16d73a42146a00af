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

const EXPECTED = "expected s3://name/prefix or file:///directory";
const PREFIX = /^(?:(?!\.{1,2}(?:\/|$))[\w.-]+(?:\/|$))*$/;

/** `s3://name/prefix` or `file:///directory`. Throws with what is expected. */
export function parseBucketUrl(text: string): BucketLocation {
  const s3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text);
  if (s3 !== null) {
    const [, bucket = "", path = ""] = s3;
    if (bucket.endsWith("--x-s3"))
      throw new Error("directory buckets list in no order: name a general purpose bucket");
    const prefix = path.replace(/\/+$/, "");
    if (!PREFIX.test(prefix))
      throw new Error("the prefix may hold letters, digits and -_. between single slashes");
    return { kind: "s3", bucket, prefix: prefix === "" ? "" : `${prefix}/` };
  }
  if (!text.startsWith("file:///")) throw new Error(EXPECTED);
  const directory = fileURLToPath(text);
  if (directory === "/") throw new Error(EXPECTED);
  return { kind: "directory", directory };
}

/** Nothing is asked of it yet. */
export async function openBucket(location: BucketLocation, access: BucketAccess): Promise<Bucket> {
  if (location.kind === "directory") return new FileBucket(location.directory);
  const { openS3Bucket } = await import("./s3-bucket.ts");
  return await openS3Bucket({ ...location, ...access });
}
