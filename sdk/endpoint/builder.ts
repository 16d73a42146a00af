/** `endpoint()`: an endpoint step by step. */
import type { ServiceDefinition } from "../define/definition.ts";
import type { LoggerTransport } from "../define/logger.ts";
import type { ServiceOptions } from "../define/options.ts";
import {
  createEndpointHandler,
  type NodeEndpointOptions,
  type NodeHandler,
  serve,
} from "./node-endpoint.ts";

export interface RestateEndpoint {
  bind<P extends string, M>(service: ServiceDefinition<P, M>): RestateEndpoint;
  /** Serve only requests signed with one of these keys, `publickeyv1_…`. */
  withIdentityV1(...keys: string[]): RestateEndpoint;
  /** For all services; what a service or a handler says goes before it. */
  defaultServiceOptions(options: ServiceOptions): RestateEndpoint;
  setLogger(logger: LoggerTransport): RestateEndpoint;
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
  const services: ServiceDefinition<string, unknown>[] = [];
  const identityKeys: string[] = [];
  const options: NodeEndpointOptions = { services, identityKeys };
  const handler = (given?: { bidirectional?: boolean }): NodeHandler =>
    createEndpointHandler({ ...options, ...given });
  const made: RestateEndpoint = {
    bind: (definition) => {
      services.push(definition);
      return made;
    },
    withIdentityV1: (...keys) => {
      identityKeys.push(...keys);
      return made;
    },
    defaultServiceOptions: (defaults) => {
      options.defaultServiceOptions = defaults;
      return made;
    },
    setLogger: (logger) => {
      options.logger = logger;
      return made;
    },
    handler,
    http2Handler: handler,
    http1Handler: handler,
    listen: (port) => serve({ ...options, ...(port !== undefined && { port }) }),
  };
  return made;
}
