/** The services of an endpoint, ready to be called: options resolved, handlers found by name. */
import { consoleLogger, type LoggerTransport } from "../define/logger.ts";
import type { ServiceDefinition } from "../define/definition.ts";
import { serde as serdes } from "../define/serde.ts";
import {
  type HandlerModel,
  serviceModel,
  type ServiceModel,
  type ServiceOptions,
} from "../define/service.ts";
import type { ServedHandler } from "../context/served-handler.ts";

export interface EndpointOptions {
  services: readonly ServiceDefinition<string, unknown>[];
  /** For all services; what a service or a handler says goes before it. */
  defaultServiceOptions?: ServiceOptions;
  /** Takes every line of the SDK and of `ctx.console`. Default: the console. */
  logger?: LoggerTransport;
}

export class ServedServices {
  /** In the order in which they were given. */
  readonly models: readonly ServiceModel[];
  readonly defaults: ServiceOptions;
  readonly #handlers = new Map<string, ServedHandler>();

  /** Throws `TypeError` for what is no service of `service()`, and for two of one name. */
  constructor({ services, defaultServiceOptions = {}, logger = consoleLogger }: EndpointOptions) {
    this.defaults = defaultServiceOptions;
    this.models = services.map((definition) => modelOf(definition));
    const names = new Set<string>();
    for (const model of this.models) {
      if (names.has(model.name)) throw new TypeError(`two services are named "${model.name}"`);
      names.add(model.name);
      for (const handler of model.handlers.values()) {
        const served = serve(model, handler, defaultServiceOptions, logger);
        this.#handlers.set(`${model.name}/${handler.name}`, served);
      }
    }
  }

  find(service: string, handler: string): ServedHandler | undefined {
    return this.#handlers.get(`${service}/${handler}`);
  }
}

function modelOf(definition: ServiceDefinition<string, unknown>): ServiceModel {
  const model = serviceModel(definition);
  if (model !== undefined) return model;
  throw new TypeError(`"${definition.name}" only names a service; serve what service() returned`);
}

function serve(
  service: ServiceModel,
  handler: HandlerModel,
  defaults: ServiceOptions,
  logger: LoggerTransport,
): ServedHandler {
  const options = { ...defaults, ...service.options, ...handler.options };
  const defaultSerde = options.serde ?? serdes.json;
  return {
    service: service.name,
    handler: handler.name,
    call: handler.call,
    inputSerde: options.input ?? defaultSerde,
    outputSerde: options.output ?? defaultSerde,
    defaultSerde,
    asTerminalError: options.asTerminalError,
    logger,
  };
}
