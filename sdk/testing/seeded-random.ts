/** Chance that is the same in every run, for the ids of a test. */

/** Gives so many bytes: mulberry32. */
export function seededRandom(): (bytes: number) => Uint8Array {
  let state = 0;
  return (bytes) => {
    const random = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 1) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      random[at] = mixed ^ (mixed >>> 14);
    }
    return random;
  };
}
