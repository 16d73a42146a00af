/** `@holdfast/sdk/testing`: services under test without a server, and recorded journals as tests. */
export type { JournalFixture } from "./protocol/journal-fixture.ts";
export type { TestEnvironmentOptions } from "./testing/environment-options.ts";
export type { FailOptions, FaultScope } from "./testing/faults.ts";
export type { InvocationInfo, JournalEntry } from "./testing/inspection.ts";
export type { StateOf } from "./testing/state-of.ts";
export { StuckError } from "./testing/stuck-error.ts";
export { type InvocationRef, type TestClock, TestEnvironment } from "./testing/test-environment.ts";
export type { JournalSource } from "./testing/fixture-file.ts";
export { replay, type ReplayOptions, type ReplayReport } from "./testing/replay.ts";
export { type JournalDifference, ReplayError } from "./testing/replay-error.ts";
