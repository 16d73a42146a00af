/**
 * Functions over time. A time is milliseconds since the Unix epoch, a duration is milliseconds; both are integers. What is not a time
 * is an error, as it is for other engines.
 */
import { SqlError } from "../sql/tokens.ts";
import type { SqlArgument } from "./sql-argument.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Months and years are no fixed time; here they are 30 and 365 days. */
const UNITS_MS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    millisecond: 1,
    ms: 1,
    second: SECOND_MS,
    sec: SECOND_MS,
    s: SECOND_MS,
    minute: MINUTE_MS,
    min: MINUTE_MS,
    m: MINUTE_MS,
    hour: HOUR_MS,
    h: HOUR_MS,
    day: DAY_MS,
    d: DAY_MS,
    week: 7 * DAY_MS,
    w: 7 * DAY_MS,
    month: 30 * DAY_MS,
    mon: 30 * DAY_MS,
    year: 365 * DAY_MS,
    y: 365 * DAY_MS,
  }),
);

const DATE_TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** A date, or a date and a time of day, in ISO 8601 with `T` or a space; without an offset it is UTC. */
export function parseTimeMs(text: string): number | undefined {
  const match = DATE_TIME.exec(text.trim());
  if (match === null) return undefined;
  const [, date = "", minutes = "00:00", seconds = "00", fraction = "", offset = "Z"] = match;
  const zone = /^z$/i.test(offset)
    ? "Z"
    : offset.replace(/^([+-]\d\d):?(\d\d)?$/, "$1:$2").replace(/:$/, ":00");
  const millis = fraction.padEnd(3, "0").slice(0, 3);
  const ms = Date.parse(`${date}T${minutes}:${seconds}.${millis}${zone}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A text as a time; what is a time already stays. */
export function asTimestamp(value: SqlArgument): number | null {
  if (value === null) return null;
  if (typeof value === "number") return Math.round(value);
  const ms = typeof value === "string" ? parseTimeMs(value) : undefined;
  if (ms === undefined) throw new SqlError(`${JSON.stringify(value)} is not a time`);
  return ms;
}

/** `to_timestamp(n)` counts seconds, unlike the times in the views. */
export function toTimestamp(value: SqlArgument): number | null {
  return typeof value === "number" ? Math.round(value * SECOND_MS) : asTimestamp(value);
}

/** `interval('1 day 2 hours')`, `interval('5', 'minutes')`, or an ISO 8601 duration. */
export function interval(amount: SqlArgument, unit?: SqlArgument): number | null {
  if (amount === null) return null;
  if (typeof amount === "number") return amount;
  const text = `${String(amount)}${typeof unit === "string" ? ` ${unit}` : ""}`
    .trim()
    .toLowerCase();
  const ms = isoDurationMs(text) ?? partsMs(text);
  if (ms === undefined)
    throw new SqlError(`INTERVAL '${text}' is not understood: write it like '1 hour 30 minutes'`);
  return ms;
}

function isoDurationMs(text: string): number | undefined {
  const match = /^(-?)p(?:([\d.]+)d)?(?:t(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?)?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, days, hours, minutes, seconds] = match;
  const ms =
    Number(days ?? 0) * DAY_MS +
    Number(hours ?? 0) * HOUR_MS +
    Number(minutes ?? 0) * MINUTE_MS +
    Number(seconds ?? 0) * SECOND_MS;
  return Math.round(sign === "-" ? -ms : ms);
}

function partsMs(text: string): number | undefined {
  const part = /\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]+)\s*/y;
  let ms = 0;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    const [, amount, unit = ""] = match ?? [];
    const unitMs = UNITS_MS.get(unit) ?? UNITS_MS.get(unit.replace(/s$/, ""));
    if (unitMs === undefined) return undefined;
    ms += Number(amount) * unitMs;
  }
  return text === "" ? undefined : Math.round(ms);
}

/** The begin of the stretch of `width` that the time lies in; stretches are counted from `origin`. */
export function dateBin(
  width: SqlArgument,
  time: SqlArgument,
  origin: SqlArgument = 0,
): number | null {
  const ms = asTimestamp(time);
  const widthMs = interval(width);
  const originMs = asTimestamp(origin) ?? 0;
  if (ms === null || widthMs === null) return null;
  if (widthMs <= 0) throw new SqlError("date_bin needs a width of more than nothing");
  return Math.floor((ms - originMs) / widthMs) * widthMs + originMs;
}

/** The begin of the year, month, week (Monday), day, hour, minute or second, in UTC. */
export function dateTrunc(part: SqlArgument, time: SqlArgument): number | null {
  const ms = asTimestamp(time);
  if (ms === null) return null;
  const date = new Date(ms);
  const name = String(part).toLowerCase();
  if (name === "year") return Date.UTC(date.getUTCFullYear(), 0);
  if (name === "month") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  const day = Math.floor(ms / DAY_MS) * DAY_MS;
  if (name === "week") return day - ((date.getUTCDay() + 6) % 7) * DAY_MS;
  const unitMs = UNITS_MS.get(name);
  if (unitMs === undefined || name === "quarter") throw new SqlError(`date_trunc knows no ${name}`);
  return Math.floor(ms / unitMs) * unitMs;
}

const PARTS: ReadonlyMap<string, (date: Date) => number> = new Map(
  Object.entries({
    year: (date: Date) => date.getUTCFullYear(),
    month: (date: Date) => date.getUTCMonth() + 1,
    day: (date: Date) => date.getUTCDate(),
    dow: (date: Date) => date.getUTCDay(),
    hour: (date: Date) => date.getUTCHours(),
    minute: (date: Date) => date.getUTCMinutes(),
    second: (date: Date) => date.getUTCSeconds(),
    millisecond: (date: Date) => date.getUTCMilliseconds(),
    epoch: (date: Date) => date.getTime() / SECOND_MS,
  }),
);

/** Of a time, in UTC; `epoch` also of a duration. */
export function datePart(part: SqlArgument, time: SqlArgument): number | null {
  const ms = asTimestamp(time);
  if (ms === null) return null;
  const read = PARTS.get(String(part).toLowerCase());
  if (read === undefined) throw new SqlError(`date_part knows no ${String(part)}`);
  return read(new Date(ms));
}

/** The largest distance from 1970 that a `Date` holds. */
const TIME_MS_MAX = 8.64e15;

/** `2026-11-23T07:51:27.264Z`; what no calendar holds stays a number. */
export function timestampText(ms: number): string {
  return Math.abs(ms) <= TIME_MS_MAX ? new Date(ms).toISOString() : String(ms);
}

/** `PT86400S`; nothing is `P0D`. */
export function durationText(ms: number): string {
  if (ms === 0) return "P0D";
  const seconds = Math.abs(ms) / SECOND_MS;
  return `${ms < 0 ? "-" : ""}PT${seconds}S`;
}
