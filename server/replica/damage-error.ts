/** What was read is not what was written. One sentence says what is wrong with it. */
export class DamageError extends Error {
  override readonly name = "DamageError";
}
