/** Comparing secrets without telling, by the time it takes, how much of a guess is right. */
import { hash, timingSafeEqual } from "node:crypto";

/** The digests have one length, whatever the secrets have. */
export function secretMatcher(secret: string): (guess: string) => boolean {
  const expected = hash("sha256", secret, "buffer");
  return (guess) => timingSafeEqual(hash("sha256", guess, "buffer"), expected);
}
