/** Requests to an endpoint, whatever carries them: what is asked for, and the answer that needs no handler. */
import {
  acceptedManifestVersion,
  manifestContentType,
  parseInvocationContentType,
  type ProtocolVersion,
} from "../protocol/version.ts";
import type { ProtocolMode } from "../protocol/manifest.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import { manifestOf, versionProblem } from "./discovery.ts";
import type { ServedServices } from "./served-services.ts";

/** Announced on every answer; the server shows it with the deployment. */
export const SERVER_HEADER = "holdfast-sdk-typescript/0.1.0";

export interface EndpointRequest {
  readonly method: string;
  /** With prefix; the query is ignored. */
  readonly url: string;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
}

export type Routed =
  | { readonly kind: "invoke"; readonly handler: ServedHandler; readonly version: ProtocolVersion }
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
    };

/** The last segments decide, so that an endpoint can be mounted anywhere. */
export function route(
  services: ServedServices,
  request: EndpointRequest,
  mode: ProtocolMode,
): Routed {
  const [path = ""] = request.url.split("?", 1);
  const segments = path.split("/").filter((segment) => segment !== "");
  const last = segments.at(-1);
  const [verb, service = "", handler = ""] = segments.slice(-3);
  if (verb === "invoke" && segments.length >= 3) {
    return invoke(services, request, service, handler);
  }
  if (last === "discover") return discover(services, request, mode);
  if (last === "health")
    return { kind: "answer", status: 200, contentType: "application/text", body: "OK" };
  return problem(
    404,
    `nothing is served under ${path}: only /discover, /invoke/{service}/{handler}, /health`,
  );
}

function invoke(
  services: ServedServices,
  request: EndpointRequest,
  service: string,
  handler: string,
): Routed {
  if (request.method !== "POST") return problem(405, "an invocation is a POST");
  const served = services.find(service, handler);
  if (served === undefined) return problem(404, `${service}/${handler} is not served here`);
  const version = parseInvocationContentType(request.contentType);
  if (version === undefined || version > 6) {
    return problem(
      415,
      `the content type ${request.contentType ?? "(none)"} is no protocol version served here`,
    );
  }
  return { kind: "invoke", handler: served, version };
}

function discover(services: ServedServices, request: EndpointRequest, mode: ProtocolMode): Routed {
  const version = acceptedManifestVersion(request.accept);
  if (version === undefined) {
    return problem(
      415,
      `no manifest version served here is accepted: ${request.accept ?? "(none)"}`,
    );
  }
  const manifest = manifestOf(services, mode);
  const trouble = versionProblem(manifest, version);
  if (trouble !== undefined) return problem(500, trouble);
  const contentType = manifestContentType(version);
  return { kind: "answer", status: 200, contentType, body: JSON.stringify(manifest) };
}

function problem(status: number, message: string): Routed {
  const body = JSON.stringify({ message });
  return { kind: "answer", status, contentType: "application/json", body };
}
