/** What a request to an endpoint asks for, whatever carries it, and the answers that need no handler. */
import type { AttemptHeaders } from "../context/request.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import type { Manifest } from "../protocol/manifest.ts";
import {
  acceptedManifestVersion,
  manifestContentType,
  parseInvocationContentType,
  type ProtocolVersion,
} from "../protocol/version.ts";
import { makeManifest, MAX_SPOKEN_VERSION, versionProblem } from "./discovery.ts";
import type { ServedServices } from "./served-services.ts";

/** Sent with every answer; the server shows it with the deployment. */
export const SERVER_NAME = "holdfast-sdk-typescript/0.1.0";

/** The first version of the manifest that knows `lambdaCompression`. */
const COMPRESSION_VERSION = 4;

export interface EndpointRequest {
  /** With any prefix and query. */
  readonly url: string;
  /** With names in lower case. */
  readonly headers: AttemptHeaders;
  /** False: the request had to be signed and is not, or not by a known key. */
  readonly isAuthorized: boolean;
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What the manifest says of how the endpoint is reached. */
export type ManifestForm = Pick<Manifest, "protocolMode" | "lambdaCompression">;

export type Routed =
  | { readonly kind: "invoke"; readonly handler: ServedHandler; readonly version: ProtocolVersion }
  | Answer;

/** The path of a URL, without its query. */
export function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

/** The last segments of the path decide, so that an endpoint can be mounted anywhere. */
export function route(
  services: ServedServices,
  request: EndpointRequest,
  form: ManifestForm,
): Routed {
  const path = pathOf(request.url);
  if (path.endsWith("/health")) {
    return { kind: "answer", status: 200, contentType: "application/text", body: "OK" };
  }
  if (!request.isAuthorized) return problem(401, "Unauthorized");
  if (path.endsWith("/discover")) return discover(services, request, form);
  const handlerSlash = path.lastIndexOf("/");
  const serviceSlash = path.lastIndexOf("/", handlerSlash - 1);
  if (serviceSlash < 1 || !path.slice(0, serviceSlash).endsWith("/invoke")) {
    return problem(404, `${path} is none of /discover, /invoke/{service}/{handler}, /health`);
  }
  const service = path.slice(serviceSlash + 1, handlerSlash);
  return invoke(services, request, service, path.slice(handlerSlash + 1));
}

function invoke(
  services: ServedServices,
  { headers: { "content-type": contentType } }: EndpointRequest,
  service: string,
  handlerName: string,
): Routed {
  const handler = services.find(service, handlerName);
  if (handler === undefined) return problem(404, `${service}/${handlerName} is not served here`);
  const version = parseInvocationContentType(String(contentType));
  if (version === undefined || version > MAX_SPOKEN_VERSION) {
    const given = String(contentType ?? "none");
    return problem(415, `the content type is no protocol version served here: ${given}`);
  }
  return { kind: "invoke", handler, version };
}

function discover(
  { models }: ServedServices,
  { headers: { accept = "none" } }: EndpointRequest,
  form: ManifestForm,
): Answer {
  const given = String(accept);
  const version = acceptedManifestVersion(given);
  if (version === undefined) {
    return problem(
      415,
      `the accepted content types hold no manifest version served here: ${given}`,
    );
  }
  const manifest = makeManifest(models, version < COMPRESSION_VERSION ? onlyMode(form) : form);
  const trouble = versionProblem(manifest, version);
  if (trouble !== undefined) return problem(500, trouble);
  const contentType = manifestContentType(version);
  return { kind: "answer", status: 200, contentType, body: JSON.stringify(manifest) };
}

/** Without what only saves bytes. */
const onlyMode = ({ protocolMode }: ManifestForm): ManifestForm => ({ protocolMode });

export function problem(status: number, message: string): Answer {
  const body = JSON.stringify({ message });
  return { kind: "answer", status, contentType: "application/json", body };
}
