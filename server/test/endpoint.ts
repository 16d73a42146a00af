/** Endpoints that run inside the test, on either SDK, over each of the ways the server may talk to them. */
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type * as Restate from "@restatedev/restate-sdk";
import { addWithResolvers } from "./with-resolvers.ts";

/** The names that both SDKs have. */
export type Sdk = Pick<
  typeof Restate,
  | "service"
  | "object"
  | "workflow"
  | "handlers"
  | "createEndpointHandler"
  | "TerminalError"
  | "RestatePromise"
  | "serde"
  | "rpc"
  | "InvocationIdParser"
>;

export type SdkName = "holdfast" | "restate";

export async function loadSdk(name: SdkName): Promise<Sdk> {
  if (name === "holdfast") return (await import("@holdfast/sdk")) as unknown as Sdk;
  addWithResolvers();
  return await import("@restatedev/restate-sdk");
}

/**
 * - h2: HTTP/2, both bodies live at once
 * - h2-rr: HTTP/2, the request is closed before the answer
 * - h1: HTTP/1.1, likewise
 */
export type Transport = "h2" | "h2-rr" | "h1";

export interface Variant {
  readonly sdk: SdkName;
  readonly transport: Transport;
  /** Put before the names of its services, so that all variants live on one server. */
  readonly tag: string;
  readonly title: string;
}

function variant(sdk: SdkName, transport: Transport): Variant {
  const tag = `${sdk}_${transport.replace("-", "_")}_`;
  return {
    sdk,
    transport,
    tag: tag.replace("restate", "official"),
    title: `${sdk} SDK, ${transport}`,
  };
}

export const OFFICIAL: readonly Variant[] = [
  variant("restate", "h2"),
  variant("restate", "h2-rr"),
  variant("restate", "h1"),
];

export const VARIANTS: readonly Variant[] = [
  ...OFFICIAL,
  variant("holdfast", "h2"),
  variant("holdfast", "h1"),
];

export interface Endpoint {
  readonly url: string;
  readonly port: number;
  readonly isHttp1: boolean;
  close(): Promise<void>;
}

/** What `service`, `object` or `workflow` of an SDK makes. */
type AnyService = Restate.ServiceDefinition<string, unknown>;

export interface ServeOptions {
  readonly port?: number;
  readonly identityKeys?: string[];
}

/** Serves services; what the SDK logs about failing handlers is meant to happen and is dropped. */
export async function serve(
  sdk: Sdk,
  services: readonly unknown[],
  transport: Transport,
  { port = 0, identityKeys }: ServeOptions = {},
): Promise<Endpoint> {
  const handler = sdk.createEndpointHandler({
    services: services as AnyService[],
    logger: () => {},
    ...(transport === "h2" ? {} : { bidirectional: false }),
    ...(identityKeys === undefined ? {} : { identityKeys }),
  });
  return await listen(
    transport === "h1" ? http.createServer(handler) : http2.createServer(handler),
    port,
  );
}

const open = new Set<Endpoint>();

/** Closes whatever a test left open, so that its process ends. */
export async function closeEndpoints(): Promise<void> {
  for (const endpoint of open) await endpoint.close();
}

/** Listens on loopback; closing cuts what is open. */
export async function listen(server: http.Server | http2.Http2Server, port = 0): Promise<Endpoint> {
  const sessions = new Set<http2.ServerHttp2Session>();
  const track = (session: http2.ServerHttp2Session): void => {
    sessions.add(session);
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  };
  if (!(server instanceof http.Server)) server.on("session", track);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  const endpoint = {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    isHttp1: server instanceof http.Server,
    close: async () => {
      open.delete(endpoint);
      for (const session of sessions) session.destroy();
      if (server instanceof http.Server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  open.add(endpoint);
  return endpoint;
}
