/** What the step by step forms of all kinds of endpoints have in common. */
import type { ServiceDefinition } from "../define/definition.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import type { LoggerTransport } from "../define/logger.ts";
import type { DefaultServiceOptions } from "../define/options.ts";
import type { EndpointOptions } from "./served-services.ts";

/** An endpoint `E` step by step; each method returns the endpoint itself. */
export interface RestateEndpointBase<E> {
  bind<P extends string, M>(service: ServiceDefinition<P, M>): E;
  /** Serve only requests signed with one of these keys, `publickeyv1_…`. */
  withIdentityV1(...keys: string[]): E;
  /** For all services; what a service or a handler says goes before it. */
  defaultServiceOptions(options: DefaultServiceOptions): E;
  setLogger(logger: LoggerTransport): E;
  /** As the option of this name of `EndpointOptions`. */
  journalValueCodecProvider(provider: () => Promise<JournalValueCodec>): E;
}

export abstract class EndpointBuilder {
  readonly #services: ServiceDefinition<string, unknown>[] = [];
  readonly #identityKeys: string[] = [];
  #given: Omit<EndpointOptions, "services" | "identityKeys"> = {};

  bind<P extends string, M>(service: ServiceDefinition<P, M>): this {
    this.#services.push(service);
    return this;
  }

  withIdentityV1(...keys: string[]): this {
    this.#identityKeys.push(...keys);
    return this;
  }

  defaultServiceOptions(defaultServiceOptions: DefaultServiceOptions): this {
    this.#given = { ...this.#given, defaultServiceOptions };
    return this;
  }

  setLogger(logger: LoggerTransport): this {
    this.#given = { ...this.#given, logger };
    return this;
  }

  journalValueCodecProvider(journalValueCodecProvider: () => Promise<JournalValueCodec>): this {
    this.#given = { ...this.#given, journalValueCodecProvider };
    return this;
  }

  /** What was given so far. */
  protected get options(): EndpointOptions {
    return { ...this.#given, services: [...this.#services], identityKeys: [...this.#identityKeys] };
  }
}
