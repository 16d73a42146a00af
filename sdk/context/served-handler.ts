/** A handler with everything an attempt of it needs; its options are resolved. */
import type { Any } from "../define/any.ts";
import type { TerminalError } from "../define/errors.ts";
import type { HooksProvider } from "../define/hooks.ts";
import type { LoggerTransport } from "../define/logger.ts";
import type { HandlerFunction, HandlerKind, ServiceKind } from "../define/model.ts";
import type { Serde } from "../define/serde.ts";
import type { ErrorBehavior } from "../protocol/messages.ts";
import type { HandlerGuard } from "./determinism-guard.ts";
import type { ValueCodec } from "./value-codec.ts";

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
  /** The outermost first. */
  readonly hooks: readonly HooksProvider[];
  readonly explicitCancellation: boolean;
  /** Of the endpoint, for every value of the journal. */
  readonly codec: ValueCodec | undefined;
  readonly logger: LoggerTransport;
  /** Undefined when the handler is not watched. */
  readonly guard: HandlerGuard | undefined;
}
