import { trust } from "./any.ts";

/** A length of time. The fields add up: `{ minutes: 1, seconds: 30 }` is 90 seconds. */
export type Duration = {
  days?: number;
  hours?: number;
  minutes?: number;
  seconds?: number;
  milliseconds?: number;
};

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Whole milliseconds, rounded up: a duration is a lower bound. A number is milliseconds already. Below 0 it is 0, as for a
 * deadline that has passed. Throws `TypeError` for what is no number, or none that fits.
 */
export function durationToMs(duration: Duration | number): number {
  const ms = typeof duration === "number" ? duration : sum(duration);
  const whole = Math.max(0, Math.ceil(ms));
  if (Number.isSafeInteger(whole)) return whole;
  const given = typeof duration === "number" ? duration : JSON.stringify(duration);
  throw new TypeError(`a duration is a number of milliseconds, not ${given}`);
}

function sum(duration: Duration): number {
  return (
    (duration.days ?? 0) * DAY_MS +
    (duration.hours ?? 0) * HOUR_MS +
    (duration.minutes ?? 0) * MINUTE_MS +
    (duration.seconds ?? 0) * SECOND_MS +
    (duration.milliseconds ?? 0)
  );
}

/** A field in milliseconds; none when there is no duration. */
export function durationField<K extends string>(
  name: K,
  duration: Duration | number | undefined,
): { readonly [P in K]?: number } {
  return duration === undefined ? {} : trust({ [name]: durationToMs(duration) });
}
