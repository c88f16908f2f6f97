/** What the house rules count, read off TypeScript's own syntax tree. */
import ts from "typescript";

/** Named functions and methods with a body: name, line (from 1) and number of lines, comments before them left out. */
export function functionsOf(source) {
  const found = [];
  const visit = (node) => {
    const name = ts.isFunctionLike(node) && node.body ? nameOf(node) : undefined;
    if (name !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const last = source.getLineAndCharacterOfPosition(node.end).line;
      found.push({ name, line: first + 1, lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** A function's own name, or the one it is bound to; undefined for those passed on the spot. */
function nameOf(node) {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return named?.getText();
}

/** Lines that have a comment on them, alone or beside code. */
export function countComments(source) {
  const lines = new Set();
  const add = (start, end) => {
    const first = source.getLineAndCharacterOfPosition(start).line;
    const last = source.getLineAndCharacterOfPosition(end).line;
    for (let line = first; line <= last; line++) lines.add(line);
  };
  const visit = (node) => {
    ts.forEachLeadingCommentRange(source.text, node.getFullStart(), add);
    ts.forEachTrailingCommentRange(source.text, node.end, add);
    node.getChildren(source).forEach(visit);
  };
  visit(source);
  return lines.size;
}

/** Lines (from 1) that name the type `any`. */
export function linesWithAny(source) {
  const found = [];
  const visit = (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      found.push(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
