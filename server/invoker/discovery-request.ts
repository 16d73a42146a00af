/**
 * Fetches the manifest: one GET over the HTTP version the address calls for (service protocol 2.1). Bounded in time and bytes;
 * does not follow redirects; every connection is its own and is closed afterwards.
 */
import { request as requestHttp1 } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { TLSSocket } from "node:tls";
import { describeError, dial } from "./connect.ts";
import { type Endpoint, type HttpEndpoint, pathOf } from "./endpoint.ts";

export interface DiscoveryRequest<E extends Endpoint = Endpoint> {
  readonly endpoint: E;
  readonly useHttp11: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  readonly ca?: string;
}

export interface DiscoveryResponse {
  readonly status: number;
  readonly httpVersion: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0";
  readonly contentType: string | undefined;
  readonly location: string | undefined;
  /** `x-restate-server`. */
  readonly sdk: string | undefined;
  readonly body: Buffer;
}

/** No response, or not all of one. */
export class DiscoveryRequestError extends Error {
  override readonly name = "DiscoveryRequestError";
  /**
   * - unreachable: no connection, or it broke
   * - not-http2: there is a connection, but what answers does not speak HTTP/2
   * - too-large: the body is above the bound
   * - timeout: no answer in time
   */
  readonly kind: "unreachable" | "not-http2" | "too-large" | "timeout";

  constructor(kind: DiscoveryRequestError["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

type Head = Omit<DiscoveryResponse, "body">;
type Headers = Readonly<Record<string, string | string[] | undefined>>;

export async function requestDiscovery(
  request: DiscoveryRequest<HttpEndpoint>,
): Promise<DiscoveryResponse> {
  const { endpoint, useHttp11, timeoutMs, ca } = request;
  const protocols = useHttp11 ? ["http/1.1"] : ["h2", "http/1.1"];
  const socket = dial(endpoint, protocols, ca === undefined ? {} : { ca });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy(new Error("timeout"));
  }, timeoutMs);
  try {
    await connected(socket);
    const speaksHttp2 = socket instanceof TLSSocket ? socket.alpnProtocol === "h2" : !useHttp11;
    return await (speaksHttp2 ? overHttp2(socket, request) : overHttp1(socket, request));
  } catch (error) {
    if (isLate) throw new DiscoveryRequestError("timeout", `no answer within ${timeoutMs} ms`);
    if (error instanceof DiscoveryRequestError) throw error;
    throw new DiscoveryRequestError("unreachable", describeError(error));
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
    socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", () => resolve());
  });
}

async function overHttp1(
  socket: Socket,
  request: DiscoveryRequest<HttpEndpoint>,
): Promise<DiscoveryResponse> {
  const { endpoint, headers } = request;
  return new Promise((resolve, reject) => {
    const outgoing = requestHttp1({
      createConnection: () => socket,
      method: "GET",
      path: pathOf(endpoint, "/discover"),
      headers: { ...headers, host: endpoint.authority, connection: "close" },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const httpVersion = incoming.httpVersion === "1.0" ? "HTTP/1.0" : "HTTP/1.1";
      const head = headOf(incoming.statusCode ?? 0, httpVersion, incoming.headers);
      collect(incoming, head, request.bodyBytesMax).then(resolve, reject);
    });
    outgoing.end();
  });
}

async function overHttp2(
  socket: Socket,
  request: DiscoveryRequest<HttpEndpoint>,
): Promise<DiscoveryResponse> {
  const { endpoint } = request;
  const session = connectHttp2(endpoint.origin, {
    createConnection: () => socket,
    settings: { enablePush: false },
  });
  let isEstablished = false;
  session.once("remoteSettings", () => {
    isEstablished = true;
  });
  try {
    return await exchangeHttp2(session, request);
  } catch (error) {
    if (isEstablished || error instanceof DiscoveryRequestError) throw error;
    throw new DiscoveryRequestError("not-http2", describeError(error));
  } finally {
    session.destroy();
  }
}

function exchangeHttp2(
  session: ClientHttp2Session,
  { endpoint, headers, bodyBytesMax }: DiscoveryRequest<HttpEndpoint>,
): Promise<DiscoveryResponse> {
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    session.on("close", () => reject(new Error("the connection was closed")));
    const stream = session.request({
      ":method": "GET",
      ":path": pathOf(endpoint, "/discover"),
      ":scheme": endpoint.secure ? "https" : "http",
      ":authority": endpoint.authority,
      ...headers,
    });
    stream.on("error", reject);
    stream.on("response", (incoming) => {
      const head = headOf(incoming[":status"] ?? 0, "HTTP/2.0", incoming);
      collect(stream, head, bodyBytesMax).then(resolve, reject);
    });
    stream.end();
  });
}

function headOf(status: number, httpVersion: Head["httpVersion"], headers: Headers): Head {
  return {
    status,
    httpVersion,
    contentType: single(headers["content-type"]),
    location: single(headers["location"]),
    sdk: single(headers["x-restate-server"]),
  };
}

function collect(body: Readable, head: Head, bytesMax: number): Promise<DiscoveryResponse> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    body.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        reject(new DiscoveryRequestError("too-large", `the answer is above ${bytesMax} bytes`));
        body.destroy();
      } else chunks.push(chunk);
    });
    body.on("end", () => resolve({ ...head, body: Buffer.concat(chunks) }));
    body.on("error", reject);
    body.on("close", () => reject(new Error("the connection was closed within the answer")));
  });
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
