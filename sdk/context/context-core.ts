/** What all operations of a context have in common: the attempt they belong to, and values on their way in and out. */
import { trust } from "../define/any.ts";
import type { Request, RestatePromise } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import type { Serde } from "../define/serde.ts";
import type { Outcome } from "../protocol/messages.ts";
import type { AwaitNode } from "../replay/await-node.ts";
import type { Opening } from "../replay/replay-reader.ts";
import type { AttemptErrors } from "./attempt-errors.ts";
import type { Driver } from "./driver.ts";
import { JournalPromise } from "./journal-promise.ts";
import type { ServedHandler } from "./served-handler.ts";

export class ContextCore {
  readonly driver: Driver;
  readonly opening: Opening;
  readonly served: ServedHandler;
  readonly errors: AttemptErrors;
  readonly request: () => Request;

  constructor(
    driver: Driver,
    opening: Opening,
    served: ServedHandler,
    errors: AttemptErrors,
    request: () => Request,
  ) {
    this.driver = driver;
    this.opening = opening;
    this.served = served;
    this.errors = errors;
    this.request = request;
  }

  /** For an operation. Throws inside a step, where the operation would be missing from the journal on replay. */
  machine(): Driver["machine"] {
    this.driver.requireOutsideStep();
    return this.driver.machine;
  }

  /** Of the service; it takes every type. */
  serde<T>(): Serde<T> {
    return trust(this.served.defaultSerde);
  }

  /** Results without a value, which are `undefined`, occur only where the handler expects it. */
  promise<T>(node: AwaitNode<T | undefined>): RestatePromise<T> {
    return new JournalPromise<T>(trust(node), this.driver);
  }

  success<T>(payload: T | undefined, serde: Serde<T> | undefined): Outcome {
    // JSON has no `undefined`; a payload that is left out is `null`.
    const value =
      serde === undefined
        ? this.served.defaultSerde.serialize(payload ?? null)
        : serde.serialize(trust(payload));
    return { kind: "value", value };
  }

  failure(reason: string | TerminalError): Outcome {
    const error = typeof reason === "string" ? new TerminalError(reason) : reason;
    return { kind: "failure", failure: this.errors.failure(error) };
  }
}
