/** `endpoint()`: an endpoint on Node step by step. */
import { EndpointBuilder, type RestateEndpointBase } from "./endpoint-builder.ts";
import { createEndpointHandler, type NodeHandler, serve } from "./node-endpoint.ts";

export interface RestateEndpoint extends RestateEndpointBase<RestateEndpoint> {
  /** For HTTP/2 and HTTP/1.1 servers of your own, as `createEndpointHandler`. */
  handler(options?: { bidirectional?: boolean }): NodeHandler;
  /** As `handler`. */
  http2Handler(options?: { bidirectional?: boolean }): NodeHandler;
  /** As `handler`. */
  http1Handler(options?: { bidirectional?: boolean }): NodeHandler;
  /** As `serve`: HTTP/2 on all addresses; resolves to the port. */
  listen(port?: number): Promise<number>;
}

/** The step by step form of `createEndpointHandler` and `serve`. */
export function endpoint(): RestateEndpoint {
  return new NodeEndpointBuilder();
}

class NodeEndpointBuilder extends EndpointBuilder implements RestateEndpoint {
  handler(options?: { bidirectional?: boolean }): NodeHandler {
    return createEndpointHandler({ ...this.options, ...options });
  }

  http2Handler(options?: { bidirectional?: boolean }): NodeHandler {
    return this.handler(options);
  }

  http1Handler(options?: { bidirectional?: boolean }): NodeHandler {
    return this.handler(options);
  }

  listen(port?: number): Promise<number> {
    return serve({ ...this.options, ...(port !== undefined && { port }) });
  }
}
