/** What the commands on a replica say, as text. */
import { rfc3339 } from "./base/rfc3339.ts";
import type { HeldReport } from "./replica/held-file.ts";
import type { Objects, ReplicaList, RestoreRange } from "./replica/list.ts";
import type { Restored } from "./replica/restore.ts";
import type { Verified } from "./replica/verify.ts";
import { countText, sizeText } from "./sizes.ts";

type SegmentsBehind = NonNullable<RestoreRange["behind"]>;

/** So many invocations are named; `held.json` and the admin API name more. */
const NAMED_MAX = 20;

export function restoredText(
  directory: string,
  restored: Extract<Restored, { readonly kind: "restored" }>,
  tookMs: number,
): string {
  const { seq, timeMs, snapshotSeq, segments, blobs, bytes, damages, held } = restored;
  const lines = [
    ...damages.map((damage) => `damaged  ${damage} (an older snapshot was taken instead)`),
    `${directory} is the state after segment ${seq} of ${rfc3339(timeMs)}: the snapshot of segment ${snapshotSeq}, ` +
      `${countText(segments, "segment")} and ${countText(blobs, "large payload")}, ` +
      `${sizeText(bytes)} in ${(tookMs / 1000).toFixed(1)} s`,
    ...(held === null ? [] : heldLines(held)),
  ];
  return `${lines.join("\n")}\n`;
}

function heldLines(held: HeldReport): string[] {
  return [
    "",
    "Work is held: a server on this directory starts no attempt until `holdfast release` says so.",
    ...ranSinceLines(held),
  ];
}

/** Of `held.json`, or of the admin API's answer. */
export function ranSinceLines({
  restoredTo,
  latest,
  problem,
  invocations,
  total,
  unknownCount,
}: HeldReport): string[] {
  const lines: string[] = [];
  if (problem !== null) lines.push(`The latest state is not all there was: ${problem}`);
  if (latest === null) return [...lines, "What ran after this moment is therefore not known."];
  const span = `between segment ${restoredTo.seq} (${restoredTo.atIso}) and segment ${latest.seq} (${latest.atIso})`;
  if (total === 0) lines.push(`No open invocation went on ${span}.`);
  else lines.push(`${countText(total, "open invocation")} went on ${span}; steps will run again:`);
  const named = invocations.slice(0, NAMED_MAX);
  for (const each of named) {
    lines.push(
      `  ${each.id}  ${each.target}  ${each.statusThen} -> ${each.statusLatest}, ` +
        `entries ${each.entriesThen} -> ${each.entriesLatest}`,
    );
  }
  if (total > named.length) lines.push(`  and ${total - named.length} more`);
  if (unknownCount > 0) {
    const are = unknownCount === 1 ? "is" : "are";
    lines.push(`${countText(unknownCount, "invocation")} of that time ${are} not known here.`);
  }
  return lines;
}

export function verifiedText({
  damages,
  segments,
  snapshots,
  blobs,
  bytes,
  newest,
  notes,
}: Verified): string {
  const what =
    `${countText(segments, "segment")}, ${countText(snapshots, "snapshot")} and ` +
    `${countText(blobs, "large payload")} were read, ${sizeText(bytes)}`;
  const verdict = damages === 0 ? "sound" : `damaged in ${countText(damages, "place")}`;
  const end =
    newest === null
      ? "there is no state to restore"
      : `the newest state is that after segment ${newest.head.seq} of ${rfc3339(newest.head.timeMs)}`;
  const lines = [...notes.map((note) => `note     ${note}`), `${verdict}: ${what}; ${end}`];
  return `${lines.join("\n")}\n`;
}

export function listText(list: ReplicaList): string {
  const { url, newest, restorePoints, epochs, bytes } = list;
  const parts = [
    sumText(list.snapshots, "snapshot"),
    sumText(list.segments, "segment"),
    sumText(list.payloads, "payload"),
  ];
  const end =
    newest === null ? "nothing that can be read" : `${newest.seq} of ${rfc3339(newest.timeMs)}`;
  return [
    `replica         ${url}`,
    `newest segment  ${end}`,
    `size            ${sizeText(bytes)}: ${parts.join(", ")}`,
    "",
    ...table(
      ["RESTORE POINT", "OF", "EPOCH", "SIZE", "SEGMENTS BEHIND IT", "UP TO", "SIZE"],
      restorePoints.map(rangeRow),
    ),
    "",
    ...table(
      ["EPOCH", "CLAIMED", "SEGMENT", "HOST"],
      epochs.map(({ epoch, timeMs, seq, host }) => [
        String(epoch),
        rfc3339(timeMs),
        String(seq),
        host,
      ]),
    ),
    "",
  ].join("\n");
}

/** For programs; named as the admin API names things. */
export function listDocument(list: ReplicaList): Readonly<Record<string, unknown>> {
  const { url, newest, restorePoints, epochs, segments, snapshots, payloads, bytes } = list;
  return {
    replica: url,
    newest: newest === null ? null : { segment: newest.seq, at: rfc3339(newest.timeMs) },
    bytes,
    segments,
    snapshots,
    payloads,
    restore_points: restorePoints.map(({ seq, timeMs, epoch, bytes: size, behind }) => ({
      segment: seq,
      at: rfc3339(timeMs),
      epoch,
      bytes: size,
      behind: behind === null ? null : behindDocument(behind),
    })),
    epochs: epochs.map(({ epoch, seq, timeMs, host }) => {
      return { epoch, segment: seq, at: rfc3339(timeMs), host };
    }),
  };
}

function behindDocument({ firstSeq, lastSeq, count, bytes, timeMs }: SegmentsBehind) {
  const at = timeMs === null ? null : rfc3339(timeMs);
  return { first_segment: firstSeq, last_segment: lastSeq, count, bytes, at };
}

function sumText({ count, bytes }: Objects, what: string): string {
  return `${countText(count, what)} ${sizeText(bytes)}`;
}

function rangeRow({ seq, timeMs, epoch, bytes, behind }: RestoreRange): string[] {
  const head = [`segment ${seq}`, rfc3339(timeMs), String(epoch), sizeText(bytes)];
  if (behind === null) return [...head, "none", "", ""];
  const { firstSeq, lastSeq, count, timeMs: untilMs, bytes: size } = behind;
  const until = untilMs === null ? "damaged" : rfc3339(untilMs);
  return [...head, `${count}: ${firstSeq} to ${lastSeq}`, until, sizeText(size)];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
