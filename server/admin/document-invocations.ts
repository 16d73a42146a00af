/** The paths on invocations, for the OpenAPI document; pure. */
import { answer, empty, operation, pathParameter, queryParameter } from "./document-parts.ts";
import { type Operation, OPERATIONS } from "./invocation-operations.ts";
import type { View } from "./view.ts";

const tag = "invocations";
const id = pathParameter("id", "Id of the invocation, `inv_1…`");
const number = { type: "integer", minimum: 0 };
const from = (what: string) => queryParameter("from", what, number);
const PAGE = [
  from("Index of the first entry"),
  queryParameter("limit", "So many at most", { type: "integer", minimum: 1, maximum: 1000 }),
];
const deployment = queryParameter("deployment", "`keep`, `latest` or the id of a deployment", {
  type: "string",
});

const UNKNOWN = { 400: "This is no invocation id", 404: "There is no such invocation" };

interface Told {
  readonly summary: string;
  readonly parameters?: readonly View[];
  readonly success: Readonly<Record<number, View>>;
  readonly failures: Readonly<Record<number, string>>;
}

const COMPLETED = { 409: "It is completed" };
const NOT_COMPLETED = { 409: "It is not completed" };
const EARLY = { 425: "It has not started yet" };

const TOLD: Readonly<Record<Operation, Told>> = {
  cancel: {
    summary: "Ask it, and what it called, to end",
    success: { 200: empty("It had not started and is ended"), 202: empty("It was asked to end") },
    failures: COMPLETED,
  },
  kill: {
    summary: "End it and what it called, at once and without its handler",
    success: { 200: empty("It is ended") },
    failures: COMPLETED,
  },
  pause: {
    summary: "Stop it until it is resumed",
    success: { 200: empty("It was paused already"), 202: empty("It is paused, or will be") },
    failures: { 409: "It has not started yet, or is completed" },
  },
  resume: {
    summary: "Let it go on, or retry now",
    parameters: [deployment],
    success: { 200: empty("It goes on") },
    failures: {
      400: "The deployment does not exist or cannot go on with its journal",
      409: "It is completed; or another deployment is asked for while it runs or before it is pinned",
      ...EARLY,
    },
  },
  purge: {
    summary: "Forget it; of a workflow also state and promises",
    success: { 200: empty("It is forgotten") },
    failures: NOT_COMPLETED,
  },
  "purge-journal": {
    summary: "Keep only its result",
    success: { 200: empty("The journal is forgotten") },
    failures: NOT_COMPLETED,
  },
  "restart-as-new": {
    summary: "Run it once more, as a new invocation",
    parameters: [
      from("The last entry of the journal to begin with; 0: the input alone"),
      deployment,
    ],
    success: { 200: answer("It runs", "RestartedInvocation") },
    failures: {
      400: "The prefix is not complete, or the deployment does not exist or cannot go on with it",
      409: "It is not completed",
      410: "Its journal is gone",
      422: "A workflow runs once per key",
      ...EARLY,
    },
  },
};

const single = (name: Operation): View => {
  const { failures, parameters = [], ...told } = TOLD[name];
  return operation({
    id: `${name.replaceAll("-", "_")}_invocation`,
    tag,
    ...told,
    parameters: [id, ...parameters],
    failures: { ...UNKNOWN, ...failures },
  });
};

const batch = (name: Operation): View =>
  operation({
    id: `batch_${name.replaceAll("-", "_")}_invocations`,
    tag,
    summary: `${TOLD[name].summary}: up to 1000 at once`,
    body: "BatchRequest",
    success: { 200: answer("What became of each", "BatchResult") },
    failures: {
      400: "More than 1000 ids",
      415: "Not declared as JSON",
      422: "JSON of another shape",
    },
  });

export const INVOCATION_PATHS = {
  "/invocations/{id}": {
    get: operation({
      id: "get_invocation",
      tag,
      summary: "Show an invocation: what it does, since when, and why it does not go on",
      parameters: [id],
      success: { 200: answer("The invocation", "Invocation") },
      failures: UNKNOWN,
    }),
    delete: operation({
      id: "terminate_invocation",
      tag,
      summary: "Cancel, kill or purge; use PATCH instead, which tells what came of it",
      deprecated: true,
      parameters: [
        id,
        queryParameter("mode", "How", { type: "string", enum: ["cancel", "kill", "purge"] }),
      ],
      success: { 202: empty("Whatever comes of it") },
      failures: { 400: "This is no invocation id, or no such mode" },
    }),
  },
  "/invocations/{id}/why": {
    get: operation({
      id: "why_invocation",
      tag,
      summary:
        "What it waits for, and what that waits for, down to the end of the chain or to a cycle",
      parameters: [id],
      success: { 200: answer("The causes", "Why") },
      failures: UNKNOWN,
    }),
  },
  "/invocations/{id}/journal": {
    get: operation({
      id: "get_invocation_journal",
      tag,
      summary: "The journal and the events of an invocation, without payloads",
      parameters: [id, ...PAGE],
      success: { 200: answer("A page of it", "Journal") },
      failures: UNKNOWN,
    }),
  },
  "/invocations/{id}/journal/file": {
    get: operation({
      id: "get_invocation_journal_file",
      tag,
      summary: "The journal of an invocation with its payloads, as a file to replay code over",
      parameters: [id, ...PAGE],
      success: { 200: answer("A page of it", "JournalFilePage") },
      failures: { ...UNKNOWN, 410: "Its journal is gone" },
    }),
  },
  ...Object.fromEntries(
    OPERATIONS.map((name) => [`/invocations/{id}/${name}`, { patch: single(name) }]),
  ),
  ...Object.fromEntries(
    OPERATIONS.map((name) => [
      `/internal/invocations_batch_operations/${name}`,
      { post: batch(name) },
    ]),
  ),
};
