/** A handler with everything an attempt of it needs; its options are resolved. */
import type { Any } from "../define/any.ts";
import type { TerminalError } from "../define/errors.ts";
import type { LoggerTransport } from "../define/logger.ts";
import type { HandlerFunction, HandlerKind, ServiceKind } from "../define/model.ts";
import type { Serde } from "../define/serde.ts";
import type { ErrorBehavior } from "../protocol/messages.ts";

export interface ServedHandler {
  readonly service: string;
  readonly serviceKind: ServiceKind;
  readonly handler: string;
  readonly kind: HandlerKind;
  readonly call: HandlerFunction;
  readonly inputSerde: Serde<Any>;
  readonly outputSerde: Serde<Any>;
  /** For everything else that does not say. */
  readonly defaultSerde: Serde<Any>;
  readonly asTerminalError: ((error: Any) => TerminalError | undefined) | undefined;
  /** What the server is to do when the handler does not follow its journal. */
  readonly onMismatch: ErrorBehavior;
  readonly logger: LoggerTransport;
}
