/** The manifest of a function on AWS Lambda: the same request as over HTTP, as an event (service protocol 4). */
import {
  type DiscoveryRequest,
  DiscoveryRequestError,
  type DiscoveryResponse,
} from "./discovery-request.ts";
import type { LambdaEndpoint } from "./endpoint.ts";
import { describeLambdaError, type LambdaInvoker } from "./lambda-client.ts";

export async function requestLambdaDiscovery(
  { endpoint, headers, timeoutMs, bodyBytesMax }: DiscoveryRequest<LambdaEndpoint>,
  invoker: LambdaInvoker,
): Promise<DiscoveryResponse> {
  const request = { method: "GET", path: "/discover", headers, body: new Uint8Array() } as const;
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await invoker.invoke(endpoint.target, request, late);
    if (answer.body.length > bodyBytesMax) {
      throw new DiscoveryRequestError("too-large", `the answer is above ${bodyBytesMax} bytes`);
    }
    return {
      status: answer.status,
      httpVersion: "HTTP/1.1",
      contentType: answer.headers["content-type"],
      location: answer.headers["location"],
      sdk: answer.headers["x-restate-server"],
      body: Buffer.from(answer.body),
    };
  } catch (error) {
    if (error instanceof DiscoveryRequestError) throw error;
    if (late.aborted) {
      throw new DiscoveryRequestError("timeout", `no answer within ${timeoutMs} ms`);
    }
    throw new DiscoveryRequestError("unreachable", describeLambdaError(error));
  }
}
