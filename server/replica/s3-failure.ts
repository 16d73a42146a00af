/**
 * What the S3 client throws, as what it means for whoever asked: what kind it is, and what to do. What the store says about itself is
 * quoted, without the credentials, whatever it says.
 */
import { BucketError, type BucketFailure } from "./bucket-error.ts";

/** Codes of S3, of the SDK and of Node that mean something else than their status, or have none. Others go by their status. */
const KINDS: Readonly<Record<string, BucketFailure>> = {
  AccessDenied: "denied",
  CredentialsProviderError: "denied",
  ExpiredToken: "denied",
  ExpiredTokenException: "denied",
  InvalidToken: "denied",
  TokenProviderError: "denied",
  TokenRefreshRequired: "denied",
  NoSuchBucket: "missing",
  RequestLimitExceeded: "throttled",
  SlowDown: "throttled",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  TooManyRequests: "throttled",
  // Another write of this key is under way.
  ConditionalRequestConflict: "unavailable",
  OperationAborted: "unavailable",
  // The bytes were damaged on their way.
  BadDigest: "unavailable",
  IncompleteBody: "unavailable",
  XAmzContentSHA256Mismatch: "unavailable",
  // The SDK has learned the store's time from this answer.
  RequestTimeTooSkewed: "unavailable",
  RequestTimeout: "unavailable",
  RequestTimeoutException: "unavailable",
};

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/;

const RIGHTS =
  "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload";
const CREDENTIALS =
  "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of this machine)";
const REGION = "name the region of the bucket with --bucket-region";

/** What to do, where it is not plain from what the store says. */
const ADVICE: Readonly<Record<string, string>> = {
  AccessDenied: `the credentials need ${RIGHTS}`,
  CredentialsProviderError: `there are none: ${CREDENTIALS}`,
  ExpiredToken: "renew the credentials",
  ExpiredTokenException: "renew the credentials",
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  NoSuchBucket: "create the bucket, or correct its name, region and endpoint",
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  PermanentRedirect: REGION,
  NotImplemented: "use a store that has conditional writes (If-None-Match) and multipart uploads",
  ENOTFOUND:
    "correct --bucket-endpoint; a store that has no host name for each bucket needs --bucket-path-style",
  EPROTO: "https:// or http://, whichever the endpoint speaks",
};

interface Facts {
  /** Undefined where there was no answer. */
  readonly status: number | undefined;
  /** Of S3 or Node; "" where there is none. */
  readonly code: string;
  readonly message: string;
}

/** @param secrets what must not be quoted */
export function s3Failure(error: unknown, what: string, secrets: readonly string[]): BucketError {
  if (error instanceof BucketError) return error;
  const facts = factsOf(error);
  const { status, code, message } = facts;
  const said = [status, code, message].filter((part) => part !== undefined && part !== "");
  const advice = ADVICE[code] ?? (CERTIFICATE.test(code) ? TRUST : "");
  const text = `${what} failed: ${said.join(" ")}${advice === "" ? "" : `: ${advice}`}`;
  // Without the cause: it quotes the store as it is.
  return new BucketError(kindOf(facts), without(text, secrets));
}

const TRUST = "name the authority that signed the store's certificate in NODE_EXTRA_CA_CERTS";

function kindOf({ status, code }: Facts): BucketFailure {
  const known = KINDS[code];
  if (known !== undefined) return known;
  if (status === undefined) {
    return code === "EPROTO" || CERTIFICATE.test(code) ? "refused" : "unavailable";
  }
  if (status === 401 || status === 403) return "denied";
  if (status === 429) return "throttled";
  if (status === 501) return "unsupported";
  // An answer of success that cannot be read was cut, or is somebody else's.
  const isRefusal = status >= 300 && status < 500 && status !== 408;
  return isRefusal ? "refused" : "unavailable";
}

function factsOf(error: unknown): Facts {
  if (!(error instanceof Error)) return { status: undefined, code: "", message: String(error) };
  const status = statusOf(error);
  const name = ["Error", "AggregateError"].includes(error.name) ? "" : error.name;
  const code = "code" in error && status === undefined ? String(error.code) : name;
  const message = ["UnknownError", code].includes(error.message) ? "" : error.message.trim();
  return { status, code, message };
}

/** The status of the store's answer; undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata))
    return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}

function without(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret !== "") clean = clean.replaceAll(secret, "…");
  return clean;
}
