/** A handler with everything an attempt of it needs; its options are resolved. */
import type { Any } from "../define/any.ts";
import type { TerminalError } from "../define/errors.ts";
import type { LoggerTransport } from "../define/logger.ts";
import type { Serde } from "../define/serde.ts";
import type { HandlerFunction } from "../define/service.ts";

export interface ServedHandler {
  readonly service: string;
  readonly handler: string;
  readonly call: HandlerFunction;
  readonly inputSerde: Serde<Any>;
  readonly outputSerde: Serde<Any>;
  /** For everything else that does not say. */
  readonly defaultSerde: Serde<Any>;
  readonly asTerminalError: ((error: Any) => TerminalError | undefined) | undefined;
  readonly logger: LoggerTransport;
}
