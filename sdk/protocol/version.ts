/**
 * The two version numbers of the contract and their media types: the service protocol (announced by the content type of
 * every invocation) and the manifest (negotiated by `accept` on discovery). They move independently of each other.
 */

export type ProtocolVersion = 5 | 6 | 7;

/** Older ones keep another kind of journal. */
export const MIN_PROTOCOL_VERSION = 5;
export const MAX_PROTOCOL_VERSION = 7;

/** What our own SDK calls itself in `x-restate-server`: the server speaks the highest version with it. */
const OWN_SDK_PREFIX = "holdfast-sdk";

const INVOCATION_PREFIX = "application/vnd.restate.invocation.v";

const INVOCATION_TYPES: ReadonlyMap<string, ProtocolVersion> = new Map(
  ([5, 6, 7] as const).map((version) => [INVOCATION_PREFIX + version, version]),
);

/** The media type of both bodies of an invocation. */
export function invocationContentType(version: ProtocolVersion): string {
  return INVOCATION_PREFIX + version;
}

/** The version a content type announces. Exact match: the peers refuse parameters such as `charset`, too. */
export function parseInvocationContentType(value: string | undefined): ProtocolVersion | undefined {
  return value === undefined ? undefined : INVOCATION_TYPES.get(value);
}

/**
 * The version to invoke an endpoint with that speaks `min` to `max`: the highest both sides know.
 * Undefined when the ranges do not meet.
 */
export function negotiateProtocolVersion(
  min: number,
  max: number,
  serverMax: ProtocolVersion,
): ProtocolVersion | undefined {
  if (min > max || min > serverMax || max < MIN_PROTOCOL_VERSION) return undefined;
  const version = Math.min(max, serverMax);
  return version === 5 || version === 6 || version === 7 ? version : undefined;
}

/** What the server may choose for an endpoint: our own SDK speaks all we know, others up to a setting of the operator. */
export function serverMaxFor(
  sdkVersion: string | null,
  othersMax: ProtocolVersion,
): ProtocolVersion {
  return sdkVersion?.startsWith(OWN_SDK_PREFIX) === true ? MAX_PROTOCOL_VERSION : othersMax;
}

/** What an endpoint answers with. */
export type ManifestVersion = 2 | 3 | 4;

export const MANIFEST_VERSIONS = [2, 3, 4] as const satisfies readonly ManifestVersion[];

/** What the server reads; 1 lacks documentation and metadata, and no SDK of today offers it. */
export const READ_MANIFEST_VERSIONS = [1, ...MANIFEST_VERSIONS] as const;

type ReadManifestVersion = (typeof READ_MANIFEST_VERSIONS)[number];

const MANIFEST_TYPES: ReadonlyMap<string, ReadManifestVersion> = new Map(
  READ_MANIFEST_VERSIONS.map((version) => [manifestContentType(version), version]),
);

/** The media type of a manifest. */
export function manifestContentType(version: ReadManifestVersion): string {
  return `application/vnd.restate.endpointmanifest.v${version}+json`;
}

/** What the server sends as `accept` on discovery, lowest version first. */
export const MANIFEST_ACCEPT: string = READ_MANIFEST_VERSIONS.map(manifestContentType).join(", ");

/** The version of a manifest by its content type; exact match, as with invocations. */
export function parseManifestContentType(
  value: string | undefined,
): ReadManifestVersion | undefined {
  return value === undefined ? undefined : MANIFEST_TYPES.get(value);
}

/** What an endpoint answers with: the highest manifest version named in the `accept` header. */
export function acceptedManifestVersion(accept: string | undefined): ManifestVersion | undefined {
  if (accept === undefined) return undefined;
  return MANIFEST_VERSIONS.findLast((version) => accept.includes(manifestContentType(version)));
}
