/** What the S3 client throws, as what it means for whoever asked. */
import { BucketError, type BucketFailure } from "./bucket-error.ts";

const DENIED = new Set([
  "AccessDenied",
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidToken",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
]);
const THROTTLED = new Set(["SlowDown", "RequestLimitExceeded", "TooManyRequests", "Throttling"]);
const MISSING = new Set(["NoSuchBucket", "PermanentRedirect"]);

const ADVICE: Readonly<Record<BucketFailure, string>> = {
  unavailable: "",
  throttled: "",
  denied: ": check the credentials and what they allow (docs/operations.md lists what is needed)",
  missing: ": create the bucket, or check its name, region and endpoint",
  unsupported: ": use a store that honours conditional writes",
  refused: "",
};

export function s3Failure(error: unknown, url: string): BucketError {
  if (error instanceof BucketError) return error;
  const name = error instanceof Error ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  const status = statusOf(error);
  const kind = kindOf(name, status);
  const said = [
    status === undefined ? "" : `${status} `,
    name === "Error" ? "" : `${name}: `,
    message,
  ];
  return new BucketError(kind, `${url}: ${said.join("")}${ADVICE[kind]}`, { cause: error });
}

function kindOf(name: string, status: number | undefined): BucketFailure {
  if (DENIED.has(name) || status === 401 || status === 403) return "denied";
  if (MISSING.has(name)) return "missing";
  if (THROTTLED.has(name) || status === 429) return "throttled";
  if (status === 501) return "unsupported";
  // 409: another conditional write of this key is under way. 400 covers time-outs of the store's own.
  if (name === "RequestTimeout" || name === "RequestTimeTooSkewed") return "unavailable";
  if (status !== undefined && status >= 400 && status < 500 && status !== 409 && status !== 408)
    return "refused";
  return "unavailable";
}

/** Undefined where there was no answer. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata))
    return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}
