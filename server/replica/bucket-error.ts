/**
 * - unavailable: no answer, a broken connection, 5xx: it passes, or it does not
 * - throttled: 503 SlowDown, 429: it passes when asked less often
 * - denied: credentials are missing, wrong or lack a right; somebody has to act
 * - missing: there is no such bucket or directory; somebody has to act
 * - unsupported: the store lacks what the replica is built on, such as conditional writes
 * - refused: any other answer that says the request is wrong
 */
export type BucketFailure =
  | "unavailable"
  | "throttled"
  | "denied"
  | "missing"
  | "unsupported"
  | "refused";

/** What a bucket could not do. Whether it happened all the same is not known (K3). */
export class BucketError extends Error {
  override readonly name = "BucketError";
  readonly kind: BucketFailure;

  constructor(kind: BucketFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }

  /** Trying again may help without anybody acting. */
  get isTransient(): boolean {
    return this.kind === "unavailable" || this.kind === "throttled";
  }
}
