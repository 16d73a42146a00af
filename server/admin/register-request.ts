/** The bodies of `POST /deployments` and `PATCH /deployments/{id}`, checked and normalised; pure. */
import { parseLambdaArn, parseRoleArn } from "../base/lambda-function.ts";
import { AdminError } from "./admin-error.ts";
import { booleanField, type Fields, invalid, requireKnown, stringsField } from "./json-body.ts";

/** How a function on AWS Lambda may be invoked. */
export interface LambdaAccess {
  /** Null: with the server's own credentials. */
  readonly assumeRoleArn: string | null;
}

export interface RegisterRequest {
  /** Absolute, http or https, its path ending with `/`; or the ARN of a function on AWS Lambda. */
  readonly uri: string;
  /** Given with an ARN. */
  readonly lambda: LambdaAccess | null;
  readonly useHttp11: boolean;
  /** Names in lower case. */
  readonly additionalHeaders: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Discover again and overwrite in place. */
  readonly force: boolean;
  /** Allow the type of a service to change. */
  readonly breaking: boolean;
  readonly dryRun: boolean;
}

/** What is left out stays as it is. */
export interface UpdateRequest {
  readonly uri: string | null;
  /** Null where it stays as it is. */
  readonly lambda: LambdaAccess | null;
  readonly useHttp11: boolean | null;
  readonly additionalHeaders: Readonly<Record<string, string>> | null;
  /** Whatever the endpoint offers now, also where running invocations may break. */
  readonly overwrite: boolean;
  readonly dryRun: boolean;
}

const FIELDS: ReadonlySet<string> = new Set([
  "uri",
  "arn",
  "assume_role_arn",
  "use_http_11",
  "additional_headers",
  "metadata",
  "force",
  "breaking",
  "dry_run",
]);
const UPDATE_FIELDS: ReadonlySet<string> = new Set([
  "uri",
  "arn",
  "assume_role_arn",
  "use_http_11",
  "additional_headers",
  "overwrite",
  "dry_run",
]);

const URI_LENGTH_MAX = 2048;
/** Of additional headers, which go with every request, and of metadata. */
const PAIRS_MAX = 64;
const NAME_LENGTH_MAX = 256;
const VALUE_LENGTH_MAX = 8192;

/** `force` is what version 2 of the API and the later ones differ in where the request does not say. */
export function parseRegisterRequest(fields: Fields, forceByDefault: boolean): RegisterRequest {
  refuseOtherKinds(fields);
  requireKnown(fields, FIELDS);
  return {
    ...addressOf(fields),
    useHttp11: booleanField(fields, "use_http_11"),
    additionalHeaders: headersField(fields),
    metadata: pairsField(fields, "metadata"),
    force: booleanField(fields, "force", forceByDefault),
    breaking: booleanField(fields, "breaking"),
    dryRun: booleanField(fields, "dry_run"),
  };
}

/** Null for a body that asks for nothing. */
export function parseUpdateRequest(fields: Fields): UpdateRequest | null {
  refuseOtherKinds(fields);
  requireKnown(fields, UPDATE_FIELDS);
  const isGiven = (name: string): boolean => (fields[name] ?? null) !== null;
  if (![...UPDATE_FIELDS].some(isGiven)) return null;
  const hasAddress = isGiven("uri") || isGiven("arn");
  if (!hasAddress && isGiven("assume_role_arn")) throw invalid("assume_role_arn goes with an arn");
  return {
    ...(hasAddress ? addressOf(fields) : { uri: null, lambda: null }),
    useHttp11: isGiven("use_http_11") ? booleanField(fields, "use_http_11") : null,
    additionalHeaders: isGiven("additional_headers") ? headersField(fields) : null,
    overwrite: booleanField(fields, "overwrite"),
    dryRun: booleanField(fields, "dry_run"),
  };
}

function refuseOtherKinds(fields: Fields): void {
  if ((fields["auth"] ?? null) !== null) {
    throw new AdminError(400, "endpoints that want Google ID tokens cannot be registered here");
  }
}

interface Address {
  readonly uri: string;
  readonly lambda: LambdaAccess | null;
}

function addressOf(fields: Fields): Address {
  const { uri, arn = null, assume_role_arn: role = null } = fields;
  if (arn === null) {
    if (role !== null) throw invalid("assume_role_arn goes with an arn");
    return { uri: parseUri(uri), lambda: null };
  }
  if ((uri ?? null) !== null) throw invalid("give either a uri or an arn");
  if ((fields["use_http_11"] ?? null) !== null)
    throw invalid("use_http_11 does not go with an arn");
  if (typeof arn !== "string") throw invalid("arn must be a string");
  const parsed = parseLambdaArn(arn);
  if ("problem" in parsed) throw new AdminError(400, `the arn cannot be used: ${parsed.problem}`);
  return { uri: parsed.arn, lambda: { assumeRoleArn: role === null ? null : roleOf(role) } };
}

function roleOf(role: unknown): string {
  const parsed = typeof role === "string" ? parseRoleArn(role) : undefined;
  if (parsed !== undefined) return parsed;
  throw new AdminError(
    400,
    "assume_role_arn must be the ARN of a role, such as arn:aws:iam::123456789012:role/holdfast",
  );
}

function parseUri(uri: unknown): string {
  if (typeof uri !== "string") throw invalid("uri must be a string, such as http://localhost:9080");
  if (uri.length > URI_LENGTH_MAX) throw badUri(`it is longer than ${URI_LENGTH_MAX} characters`);
  const url = URL.canParse(uri) ? new URL(uri) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw badUri("it must be absolute and begin with http:// or https://");
  }
  if (url.username !== "" || url.password !== "") {
    throw badUri("it must not hold credentials; put them into additional_headers");
  }
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}

function badUri(why: string): AdminError {
  return new AdminError(400, `the uri cannot be used: ${why}`);
}

function pairsField(fields: Fields, field: string): Record<string, string> {
  const pairs = stringsField(fields, field);
  const names = Object.keys(pairs);
  if (names.length > PAIRS_MAX)
    throw new AdminError(400, `${field} has more than ${PAIRS_MAX} names`);
  if (names.some((name) => name.length > NAME_LENGTH_MAX)) {
    throw new AdminError(400, `a name in ${field} is longer than ${NAME_LENGTH_MAX} characters`);
  }
  if (Object.values(pairs).some((value) => value.length > VALUE_LENGTH_MAX)) {
    throw new AdminError(400, `a value in ${field} is longer than ${VALUE_LENGTH_MAX} characters`);
  }
  return pairs;
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

/** Set by the server on each request, or not to be set by anybody. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "connection",
  "content-length",
  "content-type",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function headersField(fields: Fields): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(pairsField(fields, "additional_headers"))) {
    const key = name.toLowerCase();
    if (!HEADER_NAME.test(name)) throw new AdminError(400, `'${name}' is no header name`);
    if (OWN_HEADERS.has(key)) throw new AdminError(400, `the header ${key} is set by the server`);
    // Without the value: it may be a secret.
    if (!HEADER_VALUE.test(value)) {
      throw new AdminError(400, `the value of the header ${key} is not visible ASCII`);
    }
    headers[key] = value;
  }
  return headers;
}
