const DELAY_MS_MIN = 100;

/** How long to wait after so many retries (0: the first attempt has failed): twice as long each time, spread by `chance` from 0 to 1. */
export function retryDelayMs(retries: number, delayMsMax: number, chance: number): number {
  const longestMs = Math.min(delayMsMax, DELAY_MS_MIN * 2 ** Math.min(retries, 10));
  return longestMs * (0.5 + chance / 2);
}
