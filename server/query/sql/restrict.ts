/**
 * Point queries. The id of an invocation is made from two columns, so SQLite has no index for `id = 'inv_…'`. Where a WHERE clause
 * demands certain ids, or that invocations are not over, the view is replaced by its variant that reads only those rows. The
 * condition stays, so the answer is the same however much the variant reads.
 */
import { isOpenStatus, RESTRICTABLE, variantOf } from "../views/variants.ts";
import type { Edits } from "./edits.ts";
import { type Select, type Source, sourcesOf } from "./select.ts";
import {
  isComma,
  isGroup,
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  quoted,
  splitAt,
  word,
} from "./tree.ts";

/** Collects into `ids` the ids that the variants are to read. */
export function restrictSources(
  edits: Edits,
  nodes: readonly Node[],
  { from, where }: Select,
  ids: Set<string>,
): void {
  if (from === undefined || where === undefined) return;
  const sources = sourcesOf(nodes, from);
  const conditions = conjuncts(nodes.slice(where.start, where.end));
  for (const source of sources) {
    if (!isName(source.node) || source.isCall || source.alias === undefined) continue;
    const view = nameOf(source.node);
    const restrictions = RESTRICTABLE.get(view);
    if (restrictions === undefined) continue;
    const isAbout = columnMatcher(source, sources.length === 1);
    const demanded = conditions
      .map((each) => idsDemanded(each, isAbout))
      .find((found) => found !== undefined);
    if (demanded !== undefined) {
      for (const id of demanded) ids.add(id);
      replaceSource(edits, source, variantOf(view, "ids"));
    } else if (
      restrictions.includes("open") &&
      conditions.some((each) => demandsOpen(each, isAbout))
    ) {
      replaceSource(edits, source, variantOf(view, "open"));
    }
  }
}

function replaceSource(edits: Edits, source: Source, variant: string): void {
  const name = quoted(variant, source.node.before);
  const alias = source.hasAlias ? [] : [word("AS"), quoted(source.alias ?? "")];
  edits.replace(source.at, 1, [name, ...alias]);
}

/** The conditions that all must hold; none where the clause is not a plain AND of them. */
function conjuncts(nodes: readonly Node[]): readonly (readonly Node[])[] {
  // An AND within BETWEEN or CASE separates nothing.
  if (nodes.some((node) => isWord(node, "or", "between", "case"))) return [];
  return splitAt(nodes, (node) => isWord(node, "and")).flatMap((part) => {
    const [only] = part;
    return part.length === 1 && isGroup(only) ? conjuncts(only.nodes) : [part];
  });
}

/** The rest of a condition behind the column of a source; undefined when it is not about that column. */
type ColumnMatcher = (condition: readonly Node[], column: string) => readonly Node[] | undefined;

function columnMatcher(source: Source, isOnly: boolean): ColumnMatcher {
  return (condition, column) => {
    const [first, second, third] = condition;
    if (!isName(first)) return undefined;
    if (isSymbol(second, ".")) {
      const isColumn = nameOf(first) === source.alias && isName(third) && nameOf(third) === column;
      return isColumn ? condition.slice(3) : undefined;
    }
    return isOnly && nameOf(first) === column ? condition.slice(1) : undefined;
  };
}

function idsDemanded(
  condition: readonly Node[],
  rest: ColumnMatcher,
): readonly string[] | undefined {
  return literalsOf(rest(condition, "id") ?? rest(turned(condition), "id") ?? []);
}

/** `'x' = id` as `id = 'x'`. */
function turned(condition: readonly Node[]): readonly Node[] {
  const [literal, equals, ...column] = condition;
  if (literal === undefined || equals === undefined || !isSymbol(equals, "=", "==")) return [];
  return [...column, equals, literal];
}

/** The texts in `= 'x'` or `IN ('x', …)`. */
function literalsOf(rest: readonly Node[]): readonly string[] | undefined {
  const [operator, operand] = rest;
  if (rest.length !== 2 || operand === undefined) return undefined;
  if (isSymbol(operator, "=", "==") && operand.kind === "string") return [operand.value];
  return isWord(operator, "in") ? listOf(operand) : undefined;
}

function listOf(node: Node): readonly string[] | undefined {
  if (!isGroup(node)) return undefined;
  const values: string[] = [];
  for (const part of splitAt(node.nodes, isComma)) {
    const [literal] = part;
    if (part.length !== 1 || literal?.kind !== "string") return undefined;
    values.push(literal.value);
  }
  return values;
}

/** True when only invocations that are not completed can fulfil the condition. */
function demandsOpen(condition: readonly Node[], restOf: ColumnMatcher): boolean {
  const rest = restOf(condition, "status");
  if (rest === undefined) return false;
  const [operator, operand] = rest;
  if (isSymbol(operator, "!=", "<>")) {
    return rest.length === 2 && operand?.kind === "string" && !isOpenStatus(operand.value);
  }
  if (isWord(operator, "not") && isWord(operand, "in") && rest.length === 3) {
    return rest[2] !== undefined && (listOf(rest[2]) ?? []).some((status) => !isOpenStatus(status));
  }
  return literalsOf(rest)?.every(isOpenStatus) ?? false;
}
