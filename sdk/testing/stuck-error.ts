/** A request of a test waits, and nothing will ever happen. The message says what the invocations wait for. */
export class StuckError extends Error {
  override readonly name = "StuckError";

  constructor(reasons: readonly string[], isTimeManual: boolean) {
    const what = reasons.length === 0 ? ["no invocation is under way"] : reasons;
    const remedy = isTimeManual
      ? "time moves with env.clock.advance(…)"
      : "complete from the test what they wait for, or do not wait for their result";
    super(
      `nothing happens any more, and a request waits for its answer: ${what.join("; ")}. Remedy: ${remedy}.`,
    );
  }
}
