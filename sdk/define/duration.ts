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
 * Whole milliseconds, rounded up: a duration is a lower bound. A number is milliseconds already.
 * Throws `TypeError` for what is negative or no number.
 */
export function durationToMs(duration: Duration | number): number {
  const ms = typeof duration === "number" ? duration : sum(duration);
  if (!Number.isFinite(ms) || ms < 0) {
    const given = typeof duration === "number" ? duration : JSON.stringify(duration);
    throw new TypeError(`a duration is a number of milliseconds of at least 0, not ${given}`);
  }
  return Math.ceil(ms);
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
