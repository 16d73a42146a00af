/** The services of an endpoint, ready to be called: options resolved, handlers found by name. */
import { HandlerGuard } from "../context/determinism-guard.ts";
import { outsideHandler } from "../context/handler-scope.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import type { ServiceDefinition } from "../define/definition.ts";
import { consoleLogger, type LoggerTransport } from "../define/logger.ts";
import { serde as serdes } from "../define/serde.ts";
import { type HandlerModel, serviceModel, type ServiceModel } from "../define/model.ts";
import type { DefaultServiceOptions } from "../define/options.ts";
import { inputSerde, outputSerde } from "../define/payload.ts";
import { ValueCodec } from "../context/value-codec.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";

/** As the protocol numbers them. */
const BEHAVIORS = { retry: 0, pause: 1, fail: 2 } as const;

export interface EndpointOptions {
  /** What `service()`, `object()` and `workflow()` returned. */
  services: readonly ServiceDefinition<string, unknown>[];
  /** For all services; what a service or a handler says goes before it. */
  defaultServiceOptions?: DefaultServiceOptions;
  /**
   * Public keys, `publickeyv1_…`, of the servers that may invoke the services; their requests must be signed. Default: any
   * request is served.
   */
  identityKeys?: readonly string[];
  /** Takes every line of the SDK and of `ctx.console`. Default: the console. */
  logger?: LoggerTransport;
  /**
   * Makes the codec of the endpoint, once, when the first invocation comes. Every value of the journal goes through it; see
   * `JournalValueCodec`. Default: values are written as they are.
   */
  journalValueCodecProvider?: () => Promise<JournalValueCodec>;
}

export class ServedServices {
  /** In the order in which they were given, with the options of the endpoint behind their own. */
  readonly models: readonly ServiceModel[];
  readonly #handlers = new Map<string, ServedHandler>();

  /** Throws `TypeError` for what only names a service, and for two of one name. */
  constructor(options: EndpointOptions) {
    const { services, defaultServiceOptions = {}, logger = consoleLogger } = options;
    const { journalValueCodecProvider: provider } = options;
    const shared = { logger, codec: provider && new ValueCodec(provider) };
    this.models = services.map((definition) => modelOf(definition, defaultServiceOptions));
    const names = new Set<string>();
    for (const model of this.models) {
      if (names.has(model.name)) throw new TypeError(`two services are named "${model.name}"`);
      names.add(model.name);
      for (const handler of model.handlers.values()) {
        this.#handlers.set(`${model.name}/${handler.name}`, served(model, handler, shared));
      }
    }
  }

  find(service: string, handler: string): ServedHandler | undefined {
    return this.#handlers.get(`${service}/${handler}`);
  }
}

function modelOf(
  definition: ServiceDefinition<string, unknown>,
  defaults: DefaultServiceOptions,
): ServiceModel {
  const model = serviceModel(definition);
  if (model === undefined) {
    throw new TypeError(
      `"${definition.name}" only names a service; serve what service(), object() or workflow() returned`,
    );
  }
  const retryPolicy = { ...defaults.retryPolicy, ...model.options.retryPolicy };
  return { ...model, options: { ...defaults, ...model.options, retryPolicy } };
}

function served(
  service: ServiceModel,
  handler: HandlerModel,
  shared: Pick<ServedHandler, "logger" | "codec">,
): ServedHandler {
  const options = { ...service.options, ...handler.options };
  const guard = HandlerGuard.of(options.determinismGuard, `${service.name}/${handler.name}`);
  const { logger } = shared;
  const defaultSerde = options.serde ?? serdes.json;
  return {
    service: service.name,
    serviceKind: service.kind,
    handler: handler.name,
    kind: handler.kind,
    call: handler.call,
    inputSerde: inputSerde(options.input ?? defaultSerde),
    outputSerde: outputSerde(options.output ?? defaultSerde),
    defaultSerde,
    asTerminalError: options.asTerminalError,
    onMismatch: BEHAVIORS[options.onJournalMismatchErrors ?? "retry"],
    hooks: [...(service.options.hooks ?? []), ...(handler.options.hooks ?? [])],
    explicitCancellation: options.explicitCancellation ?? false,
    codec: shared.codec,
    logger: guard === undefined ? logger : (...line) => outsideHandler(() => logger(...line)),
    guard,
  };
}
