/** Changing the import is the whole migration: what the official SDK exports, ours exports as well. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as ours from "./index.ts";
import * as official from "@restatedev/restate-sdk";

/** Every name of the official SDK. The compiler refuses those that ours has not. */
export type {
  CancelledError,
  Client,
  ClientCallOptions,
  ClientFromDescriptors,
  ClientSendOptions,
  CombineablePromise,
  Context,
  ContextDate,
  DefaultServiceOptions,
  Descriptor,
  DescriptorOpts,
  DurablePromise,
  Duration,
  EndpointOptions,
  FnOf,
  GenericCall,
  GenericSend,
  HandlerDescriptor,
  Hooks,
  HooksProvider,
  ImplementedDefinition,
  ImplementedObjectDefinition,
  ImplementedServiceDefinition,
  ImplementedWorkflowDefinition,
  InferArg,
  InferInput,
  InferOutput,
  Interceptor,
  InvocationHandle,
  InvocationId,
  InvocationIdParser,
  InvocationPromise,
  InvocationReference,
  JournalValueCodec,
  KeyValueStore,
  LogMetadata,
  LogSource,
  LoggerContext,
  LoggerTransport,
  NodeEndpointOptions,
  ObjectContext,
  ObjectDescriptor,
  ObjectHandler,
  ObjectHandlerOpts,
  ObjectImplHandlers,
  ObjectOptions,
  ObjectOpts,
  ObjectPerHandlerOpts,
  ObjectSharedContext,
  Opts,
  PauseError,
  Rand,
  RemoveVoidArgument,
  Request,
  RestateContext,
  RestateEndpoint,
  RestateEndpointBase,
  RestateError,
  RestateLogLevel,
  RestateObjectContext,
  RestateObjectSharedContext,
  RestatePromise,
  RestateWorkflowContext,
  RestateWorkflowSharedContext,
  RetryPolicy,
  RetryableError,
  RetryableErrorOptions,
  RunAction,
  RunOptions,
  ScopedContext,
  SendClient,
  SendClientFromDescriptors,
  SendOpts,
  Serde,
  ServeOptions,
  Service,
  ServiceDefinition,
  ServiceDefinitionFrom,
  ServiceDescriptor,
  ServiceHandler,
  ServiceHandlerOpts,
  ServiceImplHandlers,
  ServiceInterface,
  ServiceOptions,
  ServiceOpts,
  ServicePerHandlerOpts,
  SignalReference,
  Target,
  TerminalError,
  TimeoutError,
  TypedState,
  UntypedState,
  VirtualObject,
  VirtualObjectDefinition,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowContext,
  WorkflowDefinition,
  WorkflowDefinitionFrom,
  WorkflowDescriptor,
  WorkflowHandler,
  WorkflowHandlerOpts,
  WorkflowImplHandlers,
  WorkflowOptions,
  WorkflowOpts,
  WorkflowPerHandlerOpts,
  WorkflowSharedContext,
  WorkflowSharedHandler,
  createEndpointHandler,
  createObjectHandler,
  createObjectSharedHandler,
  createServiceHandler,
  createWorkflowHandler,
  createWorkflowSharedHandler,
  endpoint,
  handlers,
  iface,
  implement,
  internal,
  isRestatePromise,
  object,
  rpc,
  serde,
  serve,
  service,
  workflow,
} from "./index.ts";

/** The members and options of theirs that ours does not have. */
type Lacks<Theirs, Ours> = Exclude<keyof Theirs, keyof Ours>;

type Lacking = {
  Context: Lacks<official.Context, ours.Context>;
  ObjectContext: Lacks<official.ObjectContext, ours.ObjectContext>;
  ObjectSharedContext: Lacks<official.ObjectSharedContext, ours.ObjectSharedContext>;
  WorkflowContext: Lacks<official.WorkflowContext, ours.WorkflowContext>;
  WorkflowSharedContext: Lacks<official.WorkflowSharedContext, ours.WorkflowSharedContext>;
  ScopedContext: Lacks<official.ScopedContext, ours.ScopedContext>;
  ContextDate: Lacks<official.ContextDate, ours.ContextDate>;
  Rand: Lacks<official.Rand, ours.Rand>;
  Request: Lacks<official.Request, ours.Request>;
  Target: Lacks<official.Target, ours.Target>;
  InvocationReference: Lacks<official.InvocationReference, ours.InvocationReference>;
  SignalReference: Lacks<official.SignalReference<1>, ours.SignalReference<1>>;
  KeyValueStore: Lacks<official.KeyValueStore<{ a: 1 }>, ours.KeyValueStore<{ a: 1 }>>;
  DurablePromise: Lacks<official.DurablePromise<1>, ours.DurablePromise<1>>;
  RestatePromise: Lacks<official.RestatePromise<1>, ours.RestatePromise<1>>;
  InvocationPromise: Lacks<official.InvocationPromise<1>, ours.InvocationPromise<1>>;
  GenericCall: Lacks<official.GenericCall<1, 1>, ours.GenericCall<1, 1>>;
  GenericSend: Lacks<official.GenericSend<1>, ours.GenericSend<1>>;
  RunOptions: Lacks<official.RunOptions<1>, ours.RunOptions<1>>;
  ClientCallOptions: Lacks<official.ClientCallOptions<1, 1>, ours.ClientCallOptions<1, 1>>;
  ClientSendOptions: Lacks<official.ClientSendOptions<1>, ours.ClientSendOptions<1>>;
  Opts: Lacks<official.Opts<1, 1>, ours.Opts<1, 1>>;
  SendOpts: Lacks<official.SendOpts<1>, ours.SendOpts<1>>;
  Serde: Lacks<official.Serde<1>, ours.Serde<1>>;
  ServiceOptions: Lacks<official.ServiceOptions, ours.ServiceOptions>;
  ObjectOptions: Lacks<official.ObjectOptions, ours.ObjectOptions>;
  WorkflowOptions: Lacks<official.WorkflowOptions, ours.WorkflowOptions>;
  DefaultServiceOptions: Lacks<official.DefaultServiceOptions, ours.DefaultServiceOptions>;
  ServiceHandlerOpts: Lacks<official.ServiceHandlerOpts<1, 1>, ours.ServiceHandlerOpts<1, 1>>;
  ObjectHandlerOpts: Lacks<official.ObjectHandlerOpts<1, 1>, ours.ObjectHandlerOpts<1, 1>>;
  WorkflowHandlerOpts: Lacks<official.WorkflowHandlerOpts<1, 1>, ours.WorkflowHandlerOpts<1, 1>>;
  RetryPolicy: Lacks<official.RetryPolicy, ours.RetryPolicy>;
  RetryableErrorOptions: Lacks<official.RetryableErrorOptions, ours.RetryableErrorOptions>;
  Hooks: Lacks<official.Hooks, ours.Hooks>;
  Interceptor: Lacks<official.Interceptor, ours.Interceptor>;
  JournalValueCodec: Lacks<official.JournalValueCodec, ours.JournalValueCodec>;
  Descriptor: Lacks<official.Descriptor, ours.Descriptor>;
  DescriptorOpts: Lacks<official.DescriptorOpts, ours.DescriptorOpts>;
  HandlerDescriptor: Lacks<official.HandlerDescriptor, ours.HandlerDescriptor>;
  ServiceInterface: Lacks<official.ServiceInterface, ours.ServiceInterface>;
  EndpointOptions: Lacks<official.EndpointOptions, ours.EndpointOptions>;
  NodeEndpointOptions: Lacks<official.NodeEndpointOptions, ours.NodeEndpointOptions>;
  ServeOptions: Lacks<official.ServeOptions, ours.ServeOptions>;
  RestateEndpoint: Lacks<official.RestateEndpoint, ours.RestateEndpoint>;
  RestateEndpointBase: Lacks<official.RestateEndpointBase<1>, ours.RestateEndpointBase<1>>;
  LogMetadata: Lacks<official.LogMetadata, ours.LogMetadata>;
  LoggerContext: Lacks<official.LoggerContext, ours.LoggerContext>;
  RestateError: Lacks<official.RestateError, ours.RestateError>;
  TerminalError: Lacks<official.TerminalError, ours.TerminalError>;
  ContextInternal: Lacks<official.internal.ContextInternal, ours.internal.ContextInternal>;
  rpc: Lacks<typeof official.rpc, typeof ours.rpc>;
  serde: Lacks<typeof official.serde, typeof ours.serde>;
  handlers: Lacks<typeof official.handlers, typeof ours.handlers>;
  iface: Lacks<typeof official.iface, typeof ours.iface>;
};

/** The compiler names the type that lacks something, and what. */
const requireNothing = <T extends Readonly<Record<string, never>>>(...lacking: T[]): T[] => lacking;

const OFFICIAL_TYPES = "node_modules/@restatedev/restate-sdk/dist/index.d.ts";

function exportedNames(text: string): string[] {
  const [, list = ""] = /^export (?:type )?\{([^}]*)\}/m.exec(text) ?? [];
  const names = list.split(",").map((name) => name.trim().replace(/^.* as /, ""));
  return names.filter((name) => name !== "").toSorted((a, b) => (a < b ? -1 : 1));
}

describe("the names of the official SDK", () => {
  it("are all listed here, so that the compiler checks that ours has them", () => {
    const theirs = exportedNames(readFileSync(OFFICIAL_TYPES, "utf8"));
    assert.ok(theirs.length > 100, `${theirs.length} names`);
    assert.deepEqual(exportedNames(readFileSync("sdk/parity.test.ts", "utf8")), theirs);
  });

  it("are values where theirs are", () => {
    const lacking = Object.keys(official).filter((name) => !(name in ours));
    assert.deepEqual(lacking, []);
  });

  it("have all members and options of theirs", () => {
    assert.deepEqual(requireNothing<Lacking>(), []);
  });
});
