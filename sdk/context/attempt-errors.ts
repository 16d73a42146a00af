/** What becomes of an error that a handler or a step throws: a final failure, or an attempt that is tried again. */
import type { Any } from "../define/any.ts";
import { errorToFailure, TerminalError, toError } from "../define/errors.ts";
import { makeFailure, withoutMetadata } from "../protocol/failure.ts";
import type { Failure } from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";

/** The first version whose failures carry metadata. */
const METADATA_VERSION = 6;

export class AttemptErrors {
  readonly version: ProtocolVersion;
  readonly #asTerminalError: ((error: Any) => TerminalError | undefined) | undefined;
  readonly #report: (error: Error) => void;

  /** @param report is told of every error that fails the attempt */
  constructor(
    version: ProtocolVersion,
    asTerminalError: ((error: Any) => TerminalError | undefined) | undefined,
    report: (error: Error) => void,
  ) {
    this.version = version;
    this.#asTerminalError = asTerminalError;
    this.#report = report;
  }

  /** What was thrown; final errors, also by the service's own account, are `TerminalError`s. */
  classify(thrown: unknown): Error {
    if (thrown instanceof TerminalError || this.#asTerminalError === undefined) {
      return toError(thrown);
    }
    try {
      return this.#asTerminalError(thrown) ?? toError(thrown);
    } catch (error) {
      return toError(error);
    }
  }

  /** A final error as it travels with this version of the protocol. */
  failure(error: TerminalError): Failure {
    const { code, message, metadata } = errorToFailure(error);
    const failure = makeFailure(code, message, metadata);
    return this.version < METADATA_VERSION ? withoutMetadata(failure) : failure;
  }

  report(error: Error): void {
    this.#report(error);
  }
}
