/** The part of ESLint's rule API that the rules here use; oxlint has the same. */
import type { Any } from "../define/any.ts";
import type { Node } from "./syntax.ts";

export interface Definition {
  /** The function of a parameter, the declarator of a variable, the specifier of an import. */
  readonly node: Node;
  readonly type: string;
}

export interface Reference {
  readonly identifier: Node;
  isRead(): boolean;
}

export interface Variable {
  readonly name: string;
  readonly defs: readonly Definition[];
  readonly references: readonly Reference[];
}

export interface Scope {
  readonly set: ReadonlyMap<string, Variable>;
  readonly upper: Scope | null;
}

export interface SourceCode {
  getScope(node: Node): Scope;
  getDeclaredVariables(node: Node): readonly Variable[];
}

interface Fixer {
  replaceText(node: Node, text: string): unknown;
}

export interface Problem {
  readonly node: Node;
  readonly messageId: string;
  readonly data: Readonly<Record<string, string>>;
  readonly suggest?: readonly {
    readonly messageId: string;
    readonly data: Readonly<Record<string, string>>;
    fix(fixer: Fixer): unknown;
  }[];
}

export interface RuleContext {
  readonly sourceCode: SourceCode;
  report(problem: Problem): void;
}

type Visitor = Readonly<Record<string, (node: Node) => void>>;

/** A rule as ESLint takes it, whichever version's types it is given to. */
export interface LintRule {
  readonly meta: {
    readonly type: "problem";
    readonly docs: { readonly description: string; readonly recommended: true };
    readonly hasSuggestions?: true;
    readonly messages: Record<string, string>;
    readonly schema: [];
  };
  readonly create: (context: Any) => Any;
}

export interface RuleParts {
  readonly description: string;
  readonly messages: Record<string, string>;
  readonly hasSuggestions?: true;
  readonly create: (context: RuleContext) => Visitor;
}

/** All rules here report what is wrong, and take no options. */
export function makeRule({ description, messages, create, ...more }: RuleParts): LintRule {
  return {
    meta: {
      type: "problem",
      docs: { description, recommended: true },
      messages,
      schema: [],
      ...more,
    },
    create,
  };
}
