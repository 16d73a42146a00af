/**
 * Durations as text: in as friendly units (`1h 5m`, `90s`, `2days`) or ISO 8601 (`PT1H5M`), out as friendly units.
 * Units are case-sensitive. Months and years are refused, since their length depends on when they begin, and so is a
 * number without a unit, except zero.
 */

/** Longer texts are no durations; bounds the numbers below. */
const TEXT_LENGTH_MAX = 64;

const NS_PER_MS = 1_000_000n;
const SECOND_NS = 1000n * NS_PER_MS;
const MINUTE_NS = 60n * SECOND_NS;
const HOUR_NS = 60n * MINUTE_NS;
const DAY_NS = 24n * HOUR_NS;
const WEEK_NS = 7n * DAY_NS;

/** Each unit's length and the words for it, the longest unit first: the order in which they may be combined. */
const FRIENDLY_UNITS: readonly (readonly [lengthNs: bigint, words: readonly string[]])[] = [
  [WEEK_NS, ["w", "wk", "wks", "week", "weeks"]],
  [DAY_NS, ["d", "day", "days"]],
  [HOUR_NS, ["h", "hr", "hrs", "hour", "hours"]],
  [MINUTE_NS, ["m", "min", "mins", "minute", "minutes"]],
  [SECOND_NS, ["s", "sec", "secs", "second", "seconds"]],
  [NS_PER_MS, ["ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"]],
  [1000n, ["us", "µs", "μs", "usec", "usecs", "micro", "micros", "microsecond", "microseconds"]],
  [1n, ["ns", "nsec", "nsecs", "nano", "nanos", "nanosecond", "nanoseconds"]],
];

const FRIENDLY_LENGTHS_NS: ReadonlyMap<string, bigint> = new Map(
  FRIENDLY_UNITS.flatMap(([lengthNs, words]) => words.map((word) => [word, lengthNs] as const)),
);

const FRIENDLY_PART = /^(\d+)(?:\.(\d{1,9}))?\s*([a-zµμ]+)(?:\s*,\s*(?=\d)|\s*)/;

const ISO =
  /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)(?:[.,](\d{1,9}))?H)?(?:(\d+)(?:[.,](\d{1,9}))?M)?(?:(\d+)(?:[.,](\d{1,9}))?S)?)?$/;

/** Whole milliseconds, a fraction of one rounded up; undefined when the text is no duration or a longer one than counts. */
export function parseDurationMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.length > TEXT_LENGTH_MAX) return undefined;
  if (trimmed === "0") return 0;
  const ns = trimmed.startsWith("P") ? parseIsoNs(trimmed) : parseFriendlyNs(trimmed);
  if (ns === undefined) return undefined;
  const ms = Number((ns + NS_PER_MS - 1n) / NS_PER_MS);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

function parseFriendlyNs(text: string): bigint | undefined {
  let rest = text;
  let totalNs = 0n;
  let previousLengthNs: bigint | null = null;
  while (rest !== "") {
    const part = FRIENDLY_PART.exec(rest);
    const lengthNs = FRIENDLY_LENGTHS_NS.get(part?.[3] ?? "");
    if (part === null || lengthNs === undefined) return undefined;
    if (previousLengthNs !== null && lengthNs >= previousLengthNs) return undefined;
    rest = rest.slice(part[0].length);
    // Only the last unit may have a fraction: "1.5h 10m" says two things at once.
    if (part[2] !== undefined && rest !== "") return undefined;
    totalNs += amountNs(part[1], part[2], lengthNs);
    previousLengthNs = lengthNs;
  }
  return totalNs;
}

function parseIsoNs(text: string): bigint | undefined {
  const match = ISO.exec(text);
  if (match === null || text === "P") return undefined;
  const [, weeks, days, hours, hoursFraction, minutes, minutesFraction, seconds, fraction] = match;
  if (hoursFraction !== undefined && (minutes ?? seconds) !== undefined) return undefined;
  if (minutesFraction !== undefined && seconds !== undefined) return undefined;
  return (
    amountNs(weeks, undefined, WEEK_NS) +
    amountNs(days, undefined, DAY_NS) +
    amountNs(hours, hoursFraction, HOUR_NS) +
    amountNs(minutes, minutesFraction, MINUTE_NS) +
    amountNs(seconds, fraction, SECOND_NS)
  );
}

function amountNs(
  whole: string | undefined,
  fraction: string | undefined,
  lengthNs: bigint,
): bigint {
  const wholeNs = BigInt(whole ?? "0") * lengthNs;
  if (fraction === undefined) return wholeNs;
  const scale = 10n ** BigInt(fraction.length);
  return wholeNs + (BigInt(fraction) * lengthNs + scale - 1n) / scale;
}

const PRINTED_UNITS: readonly (readonly [lengthMs: number, unit: string])[] = [
  [24 * 60 * 60 * 1000, "d"],
  [60 * 60 * 1000, "h"],
  [60 * 1000, "m"],
  [1000, "s"],
  [1, "ms"],
];

/** `90000` prints as `1m 30s`; zero as `0s`. Takes whole milliseconds, not negative. */
export function formatDurationMs(ms: number): string {
  if (ms === 0) return "0s";
  const parts: string[] = [];
  let restMs = ms;
  for (const [lengthMs, unit] of PRINTED_UNITS) {
    const count = Math.floor(restMs / lengthMs);
    if (count > 0) parts.push(`${count}${unit}`);
    restMs -= count * lengthMs;
  }
  return parts.join(" ");
}
