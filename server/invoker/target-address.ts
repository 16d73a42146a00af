/**
 * Addresses a deployment may not have: link-local ones and those of cloud metadata services, which hand out credentials to
 * whoever can make this process send a request. Loopback and private networks are where services live; they are allowed.
 */
import { BlockList, isIP, isIPv4 } from "node:net";

const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet("169.254.0.0", 16, "ipv4");
FORBIDDEN.addSubnet("fe80::", 10, "ipv6");
// AWS, over IPv6.
FORBIDDEN.addAddress("fd00:ec2::254", "ipv6");
FORBIDDEN.addAddress("fd00:ec2::23", "ipv6");
// Google Cloud, over IPv6.
FORBIDDEN.addAddress("fd20:ce::254", "ipv6");
// Alibaba Cloud.
FORBIDDEN.addAddress("100.100.100.200", "ipv4");
// Azure's platform address.
FORBIDDEN.addAddress("168.63.129.16", "ipv4");
// Oracle Cloud, classic.
FORBIDDEN.addAddress("192.0.0.192", "ipv4");

const FORBIDDEN_NAMES: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
  "instance-data.ec2.internal",
]);

/** IPv4 in IPv6: mapped (RFC 4291), NAT64 (RFC 6052) and compatible (deprecated, still routed by some). */
const EMBEDDING_PREFIXES: readonly string[] = ["::ffff:", "64:ff9b::", "::"];

/** Whether requests may not be sent to this address, an IP literal without brackets. */
export function isForbiddenAddress(address: string): boolean {
  const [literal = ""] = address.split("%");
  if (isIPv4(literal)) return FORBIDDEN.check(literal, "ipv4");
  if (isIP(literal) === 0) return false;
  if (FORBIDDEN.check(literal, "ipv6")) return true;
  const embedded = embeddedIPv4(literal);
  return embedded !== undefined && FORBIDDEN.check(embedded, "ipv4");
}

/** Why a deployment may not have this address; null when it may. */
export function targetProblem(url: URL): string | null {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return `the scheme ${url.protocol.replace(/:$/, "")} is not supported; use http or https`;
  }
  if (url.username !== "" || url.password !== "") {
    return "the address holds credentials; send them as additional headers";
  }
  const host = url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  if (FORBIDDEN_NAMES.has(host) || isForbiddenAddress(host)) {
    return `${host} is a link-local or metadata address, which requests must not be sent to`;
  }
  return null;
}

/** The IPv4 address inside an IPv6 one. */
function embeddedIPv4(address: string): string | undefined {
  // The URL parser writes the shortest form, with the last 32 bits as two groups.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const prefix = EMBEDDING_PREFIXES.find((each) => canonical.startsWith(each));
  if (prefix === undefined) return undefined;
  const groups = canonical.slice(prefix.length).split(":");
  if (groups.length > 2 || groups.some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return undefined;
  const [low = 0, high = 0] = groups.map((group) => Number.parseInt(group, 16)).toReversed();
  return [high >>> 8, high & 0xff, low >>> 8, low & 0xff].join(".");
}
