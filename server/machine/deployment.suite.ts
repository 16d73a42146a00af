/** A registered deployment for tests. */
import type { ManifestService } from "../../sdk/protocol/manifest.ts";
import type { Deployment } from "./registry.ts";

export function deploymentOf(
  createdAtMs: number,
  services: readonly ManifestService[],
  over: Partial<Deployment> = {},
): Deployment {
  return {
    id: "dp_1",
    uri: "http://127.0.0.1:1/",
    protocolMode: "BIDI_STREAM",
    httpVersion: "HTTP/2.0",
    minProtocolVersion: 5,
    maxProtocolVersion: 6,
    sdkVersion: null,
    additionalHeaders: {},
    metadata: {},
    createdAtMs,
    drainingSinceMs: null,
    services,
    ...over,
  };
}
