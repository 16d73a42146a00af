/** Helpers around `Failure`, the terminal error as it travels. */
import { FAILURE_CODE_MAX } from "./limits.ts";
import type { Failure, Header } from "./messages.ts";

/** What a failure without a usable code counts as. */
export const FAILURE_CODE_DEFAULT = 500;

/** The code as peers read it: anything that does not fit 16 bits is an internal error. */
export function failureCode(code: number): number {
  return Number.isInteger(code) && code >= 0 && code <= FAILURE_CODE_MAX
    ? code
    : FAILURE_CODE_DEFAULT;
}

/** A failure whose code is in range and whose metadata is absent rather than empty, as decoding would give it. */
export function makeFailure(code: number, message: string, metadata?: readonly Header[]): Failure {
  const checked = failureCode(code);
  return metadata === undefined || metadata.length === 0
    ? { code: checked, message }
    : { code: checked, message, metadata };
}

/** The failure for an endpoint that speaks V5, whose peers do not know metadata. */
export function withoutMetadata(failure: Failure): Failure {
  return failure.metadata === undefined
    ? failure
    : { code: failure.code, message: failure.message };
}
